import type { Month } from './month.ts';
import type { Question } from './questions.ts';

/** The rows that ClickHouse gives to `questions`, by their names. Times are in milliseconds since the epoch, 0 where there is none. */
export type Answers = { readonly [Q in Question]: readonly Rows[Q][] };

interface Rows {
  readonly runs: RunsRow;
  readonly agents: { readonly agent: string; readonly firstMs: number };
  readonly escalations: { readonly reason: string; readonly now: number; readonly before: number };
  readonly scores: ScoresRow;
  readonly incidents: IncidentsRow;
  readonly incidentTimes: IncidentTimesRow;
  readonly gravest: GravestRow;
  readonly releases: ReleaseRow;
  readonly rollbacks: RollbackRow;
  readonly drills: DrillRow;
  readonly policies: PolicyRow;
  readonly covered: CoveredRow;
  readonly extent: ExtentRow;
}

/** Counts of runs and US dollars of a month, of one agent or of all. */
export interface RunsRow {
  readonly month: Month;
  readonly agent: string;
  readonly isAll: number | boolean;
  readonly runs: number;
  readonly good: number;
  readonly escalated: number;
  readonly priced: number;
  readonly pricedGood: number;
  readonly modelUsd: number;
  readonly toolUsd: number;
  readonly badRunsUsd: number;
  readonly reviewUsd: number;
  readonly totalUsd: number;
  readonly p95Usd: number | null;
  readonly reviewSeconds: number;
  readonly unconfirmed: number;
  readonly uncovered: number;
  readonly unnamed: number;
  readonly unended: number;
  readonly days: number;
  /** Each way in which policies said what is good, in order. */
  readonly goodOutcomes: readonly string[];
}

/** The sum of what an evaluator found. */
interface ScoresRow {
  readonly month: Month;
  readonly agent: string;
  readonly evaluator: string;
  readonly runs: number;
  readonly total: number;
}

/** How many incidents there were. */
interface IncidentsRow {
  readonly month: Month;
  readonly agent: string;
  readonly release: string;
  readonly severity: string;
  readonly incidents: number;
  /** Of them those that are about what the release did, not about how it is rolled back. */
  readonly ofRelease: number;
  readonly nowhere: number;
  readonly open: number;
}

/** Seconds; null where no incident has such a time. */
export interface IncidentTimesRow {
  readonly isNow: number | boolean;
  readonly detected: number;
  readonly resolved: number;
  readonly detectMedian: number | null;
  readonly detectP90: number | null;
  readonly resolveMedian: number | null;
  readonly resolveP90: number | null;
}

/** One incident. */
interface GravestRow {
  readonly severity: string;
  readonly title: string;
  readonly agent: string;
  readonly release: string;
  readonly owner: string;
  readonly detectedMs: number;
  readonly detectSeconds: number | null;
  readonly resolveSeconds: number | null;
  readonly resolution: string | null;
}

/** A release with all its runs up to the end of the month. */
export interface ReleaseRow {
  readonly agent: string;
  readonly release: string;
  /** When its first run ended. */
  readonly firstMs: number;
  readonly runs: number;
  readonly good: number;
  /** Of the policies that covered its runs. */
  readonly revisions: readonly string[];
}

/** An attempt to take a release back. */
export interface RollbackRow {
  readonly id: string;
  readonly agent: string;
  readonly release: string;
  readonly destination: string;
  readonly cause: string;
  /** Whether all who had to approve it did. */
  readonly isApproved: number | boolean;
  readonly state: string;
  /** `right`, `wrong`, or '' while nobody has said. */
  readonly review: string;
  readonly requestedMs: number;
  readonly doneMs: number;
}

/** A drill. */
interface DrillRow {
  readonly policy: string;
  readonly scenario: string;
  readonly isPassed: number | boolean | null;
  readonly endedMs: number;
}

/** A revision of a policy. */
export interface PolicyRow {
  readonly revision: string;
  readonly policy: string;
  readonly version: number;
  readonly owner: string;
  readonly agents: readonly string[];
  readonly environments: readonly string[];
  readonly goodOutcomes: readonly string[];
  /** The policy as JSON, '' where it was too long for a row. */
  readonly document: string;
  readonly sinceMs: number;
  readonly drillEverySeconds: number | null;
}

/** Runs of the month under a revision of a policy, and when the last one of the four months ended. */
interface CoveredRow {
  readonly revision: string;
  readonly runs: number;
  readonly bad: number;
  readonly escalated: number;
  readonly unconfirmed: number;
  readonly calls: number;
  readonly failedCalls: number;
  readonly lastMs: number;
}

/** Runs of an environment at any time, and in the month. */
export interface ExtentRow {
  readonly environment: string;
  readonly runs: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly lastOfMonthMs: number;
}
