import type { Answers } from './answers.ts';
import { fewest } from './rate.ts';
import {
  inUse,
  statedPolicies,
  type PolicyInUse,
  type StatedPolicy,
  type StatedRisk,
} from './stated-policy.ts';

/** How much of an error budget is left of the month. */
export interface BudgetFigures {
  readonly policy: string;
  readonly kpi: string;
  /** The share of events that may be bad. */
  readonly allowedShare: number;
  readonly events: number;
  readonly bad: number;
  /** 1 is all of it, 0 nothing, below 0 it is overspent; null of fewer than 20 events, or where nothing may be bad. */
  readonly left: number | null;
  /** When the policy came into use, where that was within the month; else null. */
  readonly since: string | null;
}

/** A risk of the register. */
export interface RiskFigures extends StatedRisk {
  readonly policy: string;
  readonly score: number;
  readonly isNew: boolean;
  readonly isOverdue: boolean;
}

/** The drills of a policy, in any environment. */
export interface DrillFigures {
  readonly policy: string;
  /** What the policy demands; null where it demands none. */
  readonly scenario: string | null;
  readonly every: string | null;
  /** In the month, of any scenario. */
  readonly run: number;
  readonly passed: number;
  readonly failed: number;
  /** Of the last one of the demanded scenario that passed, whenever that was; null where none has. */
  readonly lastPassed: string | null;
  readonly ageDays: number | null;
  /** Counted from that, or from when the policy came into use; the alert DrillOverdue tells of what never passed at once. */
  readonly isOverdue: boolean;
}

/** A policy that says something else since some time of the month. */
interface PolicyChange {
  readonly policy: string;
  readonly version: number;
  readonly revision: string;
  readonly since: string;
  /** What changed of what figures mean, a sentence each; empty where nothing did. */
  readonly changes: readonly string[];
}

/** What policies say, and how it was kept. */
export interface PolicyFigures {
  readonly policies: readonly {
    readonly policy: string;
    readonly version: number;
    readonly revision: string;
    readonly owner: string;
  }[];
  readonly budgets: readonly BudgetFigures[];
  /** The gravest first. */
  readonly risks: readonly RiskFigures[];
  readonly drills: readonly DrillFigures[];
  readonly changes: readonly PolicyChange[];
  /** Policies of which the text was too long to be stored. */
  readonly unread: readonly string[];
  /** Policies that covered no run of the four months, and were in use before them. They are in no other figure. */
  readonly unused: readonly string[];
}

/** For which time and where policies are asked about. */
interface PolicyScope {
  /** When the first of the four months begins, and when the month of the report. */
  readonly startMs: number;
  readonly fromMs: number;
  readonly asOfMs: number;
  readonly environment: string;
}

/** The policies of the month that begins at `fromMs`, as of `asOfMs`, for `environment`. */
export function policyFigures(
  answers: Pick<Answers, 'policies' | 'covered' | 'drills'>,
  { startMs, fromMs, asOfMs, environment }: PolicyScope,
): PolicyFigures {
  const stated = statedPolicies(answers.policies);
  const all = inUse(stated, answers, { startMs, fromMs });
  const used = all.used.filter(({ last }) => concerns(last, environment));
  const today = new Date(asOfMs).toISOString().slice(0, 10);
  return {
    policies: used.map(({ last: { policy, version, revision, owner } }) => ({
      policy,
      version,
      revision,
      owner,
    })),
    budgets: used.flatMap(({ last, firstMs }) => {
      const since = firstMs > fromMs ? new Date(firstMs).toISOString() : null;
      return budgetsOf(last, stated, answers).map((budget) => ({ ...budget, since }));
    }),
    risks: used
      .flatMap(({ last, before }) =>
        last.risks.map((risk) => ({
          policy: last.policy,
          ...risk,
          score: risk.likelihood * risk.impact,
          isNew: !before?.risks.some(({ id }) => id === risk.id),
          isOverdue: risk.review_by < today,
        })),
      )
      .toSorted((a, b) => b.score - a.score || compare(a.policy, b.policy) || compare(a.id, b.id)),
    drills: drillsOf(used, answers, { fromMs, asOfMs }),
    changes: stated
      .filter((one) => one.sinceMs >= fromMs && concerns(one, environment))
      .flatMap((one) => changeOf(one, stated)),
    unread: used.filter(({ last }) => last.isCut).map(({ last }) => last.policy),
    unused: all.unused.filter((last) => concerns(last, environment)).map(({ policy }) => policy),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a policy is about `environment`: a pattern is a name, or its beginning and `*`. */
function concerns({ environments, isCut }: StatedPolicy, environment: string): boolean {
  if (isCut && environments.length === 0) return true;
  return environments.some((pattern) =>
    pattern.endsWith('*') ? environment.startsWith(pattern.slice(0, -1)) : pattern === environment,
  );
}

type Spent = readonly [events: keyof Answers['covered'][number], bad: keyof Answers['covered'][number]];

/** The KPIs of which runs say both sides. */
const spent: Readonly<Record<string, Spent>> = {
  run_success: ['runs', 'bad'],
  run_escalation: ['runs', 'escalated'],
  outcome_evidence: ['runs', 'unconfirmed'],
  tool_call_success: ['calls', 'failedCalls'],
};

function budgetsOf(
  last: StatedPolicy,
  stated: readonly StatedPolicy[],
  { covered }: Pick<Answers, 'covered'>,
): readonly Omit<BudgetFigures, 'since'>[] {
  const revisions = new Set(
    stated.filter(({ policy }) => policy === last.policy).map(({ revision }) => revision),
  );
  const rows = covered.filter(({ revision }) => revisions.has(revision));
  return Object.entries(spent).flatMap(([kpi, sides]) => {
    const { at_least, at_most, period } = last.objectives[kpi] ?? {};
    const allowedShare = at_most ?? (at_least === undefined ? undefined : 1 - at_least);
    if (period === undefined || allowedShare === undefined) return [];
    const [events = 0, bad = 0] = sides.map((side) => rows.reduce((sum, row) => sum + Number(row[side]), 0));
    const left = events < fewest || allowedShare === 0 ? null : 1 - bad / (allowedShare * events);
    return [{ policy: last.policy, kpi, allowedShare, events, bad, left }];
  });
}

const dayMs = 86_400_000;

function drillsOf(
  used: readonly PolicyInUse[],
  { drills }: Pick<Answers, 'drills'>,
  { fromMs, asOfMs }: { readonly fromMs: number; readonly asOfMs: number },
): readonly DrillFigures[] {
  return used.flatMap(({ firstMs, last: { policy, drill, drillEverySeconds } }) => {
    const own = drills.filter((row) => row.policy === policy);
    const month = own.filter(({ endedMs }) => endedMs >= fromMs);
    const last = own.findLast(
      ({ isPassed, scenario }) => Boolean(isPassed) && scenario === (drill?.scenario ?? scenario),
    );
    if (!drill && own.length === 0) return [];
    const ageMs = last && Math.max(0, asOfMs - last.endedMs);
    const waitedMs = asOfMs - Math.max(firstMs, last?.endedMs ?? 0);
    return {
      policy,
      scenario: drill?.scenario ?? null,
      every: drill?.every ?? null,
      run: month.length,
      passed: month.filter(({ isPassed }) => Boolean(isPassed)).length,
      failed: month.filter(({ isPassed }) => isPassed !== null && !isPassed).length,
      lastPassed: last ? new Date(last.endedMs).toISOString() : null,
      ageDays: ageMs === undefined ? null : Math.floor(ageMs / dayMs),
      isOverdue: drillEverySeconds !== null && waitedMs > drillEverySeconds * 1000,
    };
  });
}

/** What `one` says differently from the revision before it; nothing of a policy that is new. */
function changeOf(one: StatedPolicy, stated: readonly StatedPolicy[]): readonly PolicyChange[] {
  const own = stated.filter(({ policy }) => policy === one.policy);
  const before = own[own.indexOf(one) - 1];
  if (!before) return [];
  const { policy, version, revision, sinceMs } = one;
  return [
    { policy, version, revision, since: new Date(sinceMs).toISOString(), changes: differences(before, one) },
  ];
}

function differences(before: StatedPolicy, after: StatedPolicy): readonly string[] {
  if (before.isCut || after.isCut) return ['what changed is not stored, because the policy is too long'];
  const kpis = [...new Set([...Object.keys(before.objectives), ...Object.keys(after.objectives)])].toSorted();
  const said: readonly (readonly [what: string, before: string, after: string])[] = [
    ['good outcomes', before.goodOutcomes.join(', '), after.goodOutcomes.join(', ')],
    ['agents', before.agents.join(', '), after.agents.join(', ')],
    ['environments', before.environments.join(', '), after.environments.join(', ')],
    ...kpis.map((kpi) => [kpi, objectiveText(before, kpi), objectiveText(after, kpi)] as const),
  ];
  return said.filter(([, was, is]) => was !== is).map(([what, was, is]) => `${what}: ${is} (before: ${was})`);
}

function objectiveText({ objectives }: StatedPolicy, kpi: string): string {
  const { at_least, at_most } = objectives[kpi] ?? {};
  if (at_least !== undefined) return `at least ${at_least}`;
  return at_most === undefined ? 'no objective' : `at most ${at_most}`;
}
