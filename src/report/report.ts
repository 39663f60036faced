import { isRehearsal } from '../semconv/rehearsal.ts';
import type { Answers, ExtentRow } from './answers.ts';
import { incidentFigures, type IncidentFigures } from './incident-figures.ts';
import { daysIn, monthAfter, startOf, type Month } from './month.ts';
import { policyFigures, type PolicyFigures } from './policy-figures.ts';
import { monthsBefore, type Subject } from './questions.ts';
import { fewest } from './rate.ts';
import { releaseFigures, type ReleaseFigures } from './release-figures.ts';
import { agentFigures, totalFigures, type AgentFigures } from './run-figures.ts';

/** Scores of an evaluator, for an agent. */
export interface QualityFigures {
  readonly agent: string;
  readonly evaluator: string;
  /** Runs with a score. */
  readonly runs: number;
  /** Null of fewer than 20. */
  readonly mean: number | null;
  readonly runsBefore: number;
  readonly meanBefore: number | null;
  readonly months: readonly { readonly month: Month; readonly runs: number; readonly mean: number | null }[];
}

/** From when to when there is data. Times as ISO 8601 in UTC, null where there is none. */
interface DataExtent {
  /** Of the first run in the environment, whenever that was. */
  readonly first: string | null;
  /** Of the last run of the month in the environment. */
  readonly last: string | null;
  /** Whether data begins within the month, and whether none is later than the month in any environment. */
  readonly beginsWithin: boolean;
  readonly endsWithin: boolean;
  /** Whether data begins within the months before, so that they are not whole. */
  readonly beginsBefore: boolean;
  readonly days: number;
  readonly daysOfMonth: number;
  /** Other environments with runs in the month. */
  readonly elsewhere: readonly { readonly environment: string; readonly runs: number }[];
}

/** All that a report says of a month. Money in US dollars, shares from 0 to 1, times in UTC. */
export interface Report extends Subject {
  readonly timeZone: 'UTC';
  readonly data: DataExtent;
  readonly total: AgentFigures;
  readonly agents: readonly ({ readonly agent: string; readonly since: string | null } & AgentFigures)[];
  readonly escalations: readonly { readonly reason: string; readonly now: number; readonly before: number }[];
  readonly incidents: IncidentFigures;
  readonly releases: ReleaseFigures;
  readonly quality: readonly QualityFigures[];
  readonly policy: PolicyFigures;
}

/** The report on `subject`, of what ClickHouse answered. The same answers give the same report. */
export function reportOf({ month, environment }: Subject, answers: Answers): Report {
  const months = Array.from({ length: monthsBefore + 1 }, (_, n) => monthAfter(month, n - monthsBefore));
  const total = totalFigures(answers, months);
  const data = extentOf({ month, environment }, answers.extent, total.now.days);
  const fromMs = startOf(month);
  const firstMs = new Map(answers.agents.map((row) => [row.agent, row.firstMs]));
  return {
    month,
    environment,
    timeZone: 'UTC',
    data,
    total,
    agents: agentFigures(answers, months).map(({ agent, ...figures }) => {
      const sinceMs = firstMs.get(agent) ?? 0;
      return { agent, since: sinceMs < fromMs ? null : new Date(sinceMs).toISOString(), ...figures };
    }),
    escalations: answers.escalations,
    incidents: incidentFigures(answers, months, { now: total.now.runs, before: total.before.runs }),
    releases: releaseFigures(answers, month),
    quality: qualityFigures(answers, months),
    policy: policyFigures(answers, {
      startMs: startOf(monthAfter(month, -monthsBefore)),
      fromMs,
      asOfMs: asOf(month, data),
      environment,
    }),
  };
}

/** The end of the month, or of its data where that is all there is. */
function asOf(month: Month, { endsWithin, last }: DataExtent): number {
  return endsWithin && last !== null ? Date.parse(last) : startOf(monthAfter(month, 1)) - 1;
}

const dayMs = 86_400_000;

function extentOf({ month, environment }: Subject, extent: readonly ExtentRow[], days: number): DataExtent {
  const [fromMs, toMs] = [startOf(month), startOf(monthAfter(month, 1))];
  const own = extent.find((row) => row.environment === environment);
  const lastMs = Math.max(...extent.map((row) => row.lastMs), 0);
  const isOfMonth = own !== undefined && own.lastOfMonthMs >= fromMs;
  return {
    first: own ? new Date(own.firstMs).toISOString() : null,
    last: isOfMonth ? new Date(own.lastOfMonthMs).toISOString() : null,
    beginsWithin: own !== undefined && own.firstMs >= fromMs + dayMs && own.firstMs < toMs,
    endsWithin: lastMs < toMs && isOfMonth,
    beginsBefore:
      own !== undefined &&
      own.firstMs >= startOf(monthAfter(month, -monthsBefore)) + dayMs &&
      own.firstMs < fromMs + dayMs,
    days,
    daysOfMonth: daysIn(month),
    elsewhere: extent
      .filter((row) => row.environment !== environment && row.runs > 0 && !isRehearsal(row.environment))
      .map(({ environment: name, runs }) => ({ environment: name, runs })),
  };
}

function qualityFigures(
  { scores }: Pick<Answers, 'scores'>,
  months: readonly Month[],
): readonly QualityFigures[] {
  const series = Map.groupBy(scores, ({ agent, evaluator }) => JSON.stringify([agent, evaluator]));
  return [...series.values()].flatMap((rows) => {
    const of = (some: readonly Month[]) => {
      const found = rows.filter(({ month }) => some.includes(month));
      const runs = found.reduce((sum, row) => sum + row.runs, 0);
      return { runs, mean: runs < fewest ? null : found.reduce((sum, { total }) => sum + total, 0) / runs };
    };
    const [now, before] = [of(months.slice(-1)), of(months.slice(0, -1))];
    const { agent, evaluator } = rows[0]!;
    if (now.runs === 0) return [];
    return {
      agent,
      evaluator,
      ...now,
      runsBefore: before.runs,
      meanBefore: before.mean,
      months: months.map((month) => ({ month, ...of([month]) })),
    };
  });
}
