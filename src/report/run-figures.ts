import type { Answers, RunsRow } from './answers.ts';
import type { Month } from './month.ts';
import { changeOf, fewest, rateOf, type Change, type Rate } from './rate.ts';

/** What runs of a known price cost, in US dollars. */
interface CostFigures {
  /** Of a known price. */
  readonly runs: number;
  readonly successes: number;
  /** All parts together. */
  readonly totalUsd: number;
  /** Runs that ended well cost `models` and `tools`; the others, models and tools together, `otherRuns`; people `review`. */
  readonly parts: Readonly<Record<CostPart, number>>;
  /** Null where fewer than 20 runs succeeded. */
  readonly perSuccessUsd: number | null;
  /** The 95th percentile of what a run costs; null where it is not known, or of fewer than 20 runs. */
  readonly p95RunUsd: number | null;
  /** Of the total; null where nothing was spent. */
  readonly reviewShare: number | null;
}

/** What a success costs money for. */
export const costParts = ['models', 'tools', 'otherRuns', 'review'] as const;
export type CostPart = (typeof costParts)[number];

/** What is known of the runs of a month. */
export interface RunFigures {
  readonly runs: number;
  readonly success: Rate;
  readonly escalation: Rate;
  readonly cost: CostFigures;
  readonly reviewHours: number;
  /** Runs of which no one confirmed how they ended, without a price, without a policy, without a release, and without a seen end. */
  readonly unconfirmed: Rate;
  readonly unpriced: Rate;
  readonly uncovered: Rate;
  readonly unnamed: Rate;
  readonly unended: Rate;
  /** Days on which a run ended. */
  readonly days: number;
}

/** The months of an agent, or of all agents. */
export interface AgentFigures {
  readonly now: RunFigures;
  /** The months before, together. */
  readonly before: RunFigures;
  /** The months in order, the last one `now`. */
  readonly months: readonly ({ readonly month: Month } & RunFigures)[];
  /** Whether policies changed, within these months, which outcomes are good: then figures of success are not alike. */
  readonly isRedefined: boolean;
  readonly successChange: Change;
  readonly escalationChange: Change;
  /** How much more a success costs than before, as a share; null where there are too few. */
  readonly costPerSuccessGrowth: number | null;
}

const summable = [
  'runs',
  'good',
  'escalated',
  'priced',
  'pricedGood',
  'modelUsd',
  'toolUsd',
  'badRunsUsd',
  'reviewUsd',
  'totalUsd',
  'reviewSeconds',
  'unconfirmed',
  'uncovered',
  'unnamed',
  'unended',
  'days',
] as const;
type Sums = Readonly<Record<(typeof summable)[number], number>> & Pick<RunsRow, 'p95Usd'>;

const none: Sums = { ...zeros(), p95Usd: null };

function zeros(): Record<(typeof summable)[number], number> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- they are its keys
  return Object.fromEntries(summable.map((key) => [key, 0])) as Record<(typeof summable)[number], number>;
}

/** The figures of all agents in `months`, whose last is the month of the report. */
export function totalFigures({ runs }: Pick<Answers, 'runs'>, months: readonly Month[]): AgentFigures {
  const [all, each] = [runs.filter(({ isAll }) => isAll), runs.filter(({ isAll }) => !isAll)];
  const agents = Map.groupBy(each, ({ agent }) => agent);
  return figuresOf(all, months, [...agents.values()].some(isRedefinedIn));
}

/** The figures of each agent that ran in the month, the busiest first. */
export function agentFigures(
  { runs }: Pick<Answers, 'runs'>,
  months: readonly Month[],
): readonly ({ readonly agent: string } & AgentFigures)[] {
  const byAgent = Map.groupBy(
    runs.filter(({ isAll }) => !isAll),
    ({ agent }) => agent,
  );
  return [...byAgent]
    .map(([agent, rows]) => ({ agent, ...figuresOf(rows, months, isRedefinedIn(rows)) }))
    .filter(({ now }) => now.runs > 0)
    .toSorted((a, b) => b.now.runs - a.now.runs || (a.agent < b.agent ? -1 : 1));
}

/** Whether the runs of an agent were good in more than one sense. */
function isRedefinedIn(rows: readonly RunsRow[]): boolean {
  return new Set(rows.flatMap(({ goodOutcomes }) => goodOutcomes)).size > 1;
}

function figuresOf(rows: readonly RunsRow[], months: readonly Month[], isRedefined: boolean): AgentFigures {
  const sums = months.map((month): Sums => rows.find((row) => row.month === month) ?? none);
  const now = runFigures(sums.at(-1) ?? none);
  const before = runFigures(sums.slice(0, -1).reduce(together, none));
  const [cost, costBefore] = [now.cost.perSuccessUsd, before.cost.perSuccessUsd];
  return {
    now,
    before,
    months: months.map((month, index) => ({ month, ...runFigures(sums[index] ?? none) })),
    isRedefined,
    successChange: isRedefined ? 'redefined' : changeOf(now.success, before.success, true),
    escalationChange: changeOf(now.escalation, before.escalation, false),
    costPerSuccessGrowth:
      cost === null || costBefore === null || costBefore === 0 ? null : cost / costBefore - 1,
  };
}

/** Sums of two months; a percentile of both is not known. */
function together(a: Sums, b: Sums): Sums {
  const summed = zeros();
  for (const key of summable) summed[key] = a[key] + b[key];
  return { ...summed, p95Usd: null };
}

function runFigures(sums: Sums): RunFigures {
  const of = (count: number): Rate => rateOf(count, sums.runs);
  return {
    runs: sums.runs,
    success: of(sums.good),
    escalation: of(sums.escalated),
    cost: costFigures(sums),
    reviewHours: sums.reviewSeconds / 3600,
    unconfirmed: of(sums.unconfirmed),
    unpriced: of(sums.runs - sums.priced),
    uncovered: of(sums.uncovered),
    unnamed: of(sums.unnamed),
    unended: of(sums.unended),
    days: sums.days,
  };
}

function costFigures(sums: Sums): CostFigures {
  const { priced, pricedGood, totalUsd, modelUsd, toolUsd, badRunsUsd, reviewUsd, p95Usd } = sums;
  return {
    runs: priced,
    successes: pricedGood,
    totalUsd,
    parts: { models: modelUsd, tools: toolUsd, otherRuns: badRunsUsd, review: reviewUsd },
    perSuccessUsd: pricedGood < fewest ? null : totalUsd / pricedGood,
    p95RunUsd: priced < fewest ? null : p95Usd,
    reviewShare: totalUsd > 0 ? reviewUsd / totalUsd : null,
  };
}
