/** What is said of a release: fail and pass are decided by evidence; environment: every release fell together. */
export const verdicts = ['pass', 'fail', 'inconclusive', 'environment'] as const;
export type Verdict = (typeof verdicts)[number];

/** What should be done now. */
export const actions = ['none', 'pause', 'rollback', 'promote'] as const;
export type Action = (typeof actions)[number];

/**
 * What a test asks. `worse`: is it worse than the baseline beside it; `floor`: is it worse than the policy ever allows;
 * `before`: than the release that it replaced was; `not_worse`: is it surely not worse by the margin.
 */
export type TestName = 'worse' | 'floor' | 'before' | 'not_worse';

/** The evidence of one test on one KPI, all in natural logarithms of e-values. */
export interface TestStanding {
  readonly kpi: string;
  readonly test: TestName;
  readonly logEvidence: number;
  /** Where evidence pauses, rolls back or passes; absent where it never does. */
  readonly pauseAt?: number;
  readonly rollbackAt?: number;
  readonly passAt?: number;
  /** The least rise of the share of bad that would be found in the time there is, in 80 of 100 cases; absent where none would. */
  readonly detectableDrop?: { readonly pause?: number; readonly rollback?: number };
}

/** Units (runs, sessions or users) that were counted. */
export interface ArmUnits {
  readonly open: number;
  readonly settled: number;
}

/** Where the judgement of one release stands. */
export interface Standing {
  readonly agent: string;
  readonly environment: string;
  readonly release: string;
  readonly policy: string;
  /** Of the policy by which it is judged. */
  readonly revision: string;
  /** The release beside it that it is compared with; undefined where there is none (any more). */
  readonly baseline: string | undefined;
  readonly verdict: Verdict;
  readonly action: Action;
  /** Whether it got a unit within the last half hour: nothing needs to be done about one that does not run. */
  readonly isRunning: boolean;
  /** One sentence for people. */
  readonly reason: string;
  /** Stream time, in milliseconds since the epoch. */
  readonly startedMs: number;
  /** When it first failed or passed; undefined while neither. */
  readonly decidedMs: number | undefined;
  /** How often its judgement began; each time wants more evidence. */
  readonly starts: number;
  readonly units: { readonly candidate: ArmUnits; readonly baseline: ArmUnits };
  readonly tests: readonly TestStanding[];
  /** How unevenly units went to the two releases over the last hours: about 1 where each went on its own; undefined while unknown. */
  readonly splitDispersion: number | undefined;
  /** Natural logarithm of the e-value against the share of units that the policy states. */
  readonly splitLogEvidence: number;
}
