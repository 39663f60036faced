import type { Standing } from '../judge/standing.ts';

/** A KPI over the chosen window, and how it went. */
export interface Tile {
  /** Stem of the KPI without `plimsoll_kpi_`, such as `run_success`. */
  readonly kpi: string;
  readonly title: string;
  readonly unit: 'ratio' | 'USD' | 'seconds' | 'incidents';
  /** Which way is better. */
  readonly better: 'higher' | 'lower';
  /** null where there is nothing to divide by. */
  readonly value: number | null;
  readonly numerator: number;
  readonly denominator: number;
  /** What the denominator counts, such as `runs` or `calls`; '' where there is none. */
  readonly counted: string;
  /** What the policy asks for; null where no policy does, or where policies of several agents do. */
  readonly objective: number | null;
  /** One value for each of `LiveView.trendTimesMs`. */
  readonly trend: readonly (number | null)[];
}

/** One agent in one environment, all its releases together. */
export interface AgentLine {
  readonly agent: string;
  readonly environment: string;
  /** Finished runs in the window. */
  readonly runs: number;
  /** null where the denominator is 0. */
  readonly success: number | null;
  readonly escalation: number | null;
  readonly costUsdPerRun: number | null;
  readonly releases: number;
  readonly openIncidents: number;
  /** The worst verdict of its releases that run, `rolled_back` of one that was; null where none is judged. */
  readonly verdict: Standing['verdict'] | 'rolled_back' | null;
}

/** One release of the chosen agent. */
export interface ReleaseLine {
  readonly release: string;
  readonly runs: number;
  readonly success: number | null;
  readonly escalation: number | null;
  readonly costUsdPerRun: number | null;
  readonly durationP95Seconds: number | null;
  /** null where it is not judged. */
  readonly judged: {
    readonly baseline: string | null;
    readonly verdict: Standing['verdict'];
    readonly action: Standing['action'];
    readonly reason: string;
    readonly isRunning: boolean;
    /** When its rollback was done, in milliseconds since the epoch; null where it was not, or where it runs again. */
    readonly rolledBackMs: number | null;
    readonly units: number;
    readonly baselineUnits: number;
    /** Evidence by test and where it pauses, rolls back or passes, natural logarithms; null where it never does. */
    readonly tests: readonly {
      readonly kpi: string;
      readonly test: string;
      readonly logEvidence: number;
      readonly pauseAt: number | null;
      readonly rollbackAt: number | null;
      readonly passAt: number | null;
    }[];
    /** The test with the greatest share of the evidence that it rolls back at; null where none rolls back. */
    readonly evidenceTest: {
      readonly kpi: string;
      readonly test: string;
      readonly rollbackAt: number;
    } | null;
    /** The evidence of `evidenceTest`, one value for each of `LiveView.trendTimesMs`. */
    readonly evidenceTrend: readonly (number | null)[];
  } | null;
}

/** One hop of the pipeline in this process. */
export interface FlowStage {
  readonly stage: 'received' | 'refused' | 'on the stream' | 'stored' | 'assessed' | 'dead letters';
  /** Since the process began. */
  readonly total: number;
  /** Over the last 10 s. */
  readonly perSecond: number;
  /** What waits in front of it, in its unit; null where nothing can wait or nobody here knows. */
  readonly backlog: { readonly amount: number; readonly unit: string } | null;
  /** Why it does not flow; null while it does. */
  readonly fault: string | null;
}

/** An incident; those that are not resolved first, then newest first. */
export interface IncidentLine {
  readonly id: string;
  readonly severity: string;
  readonly state: string;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly title: string;
  readonly startedMs: number;
  readonly resolvedMs: number | null;
}

/** A rollback; those that wait for approval first, then newest first. */
export interface RollbackLine {
  readonly id: string;
  readonly state: string;
  readonly mode: string;
  readonly agent: string;
  readonly environment: string;
  readonly fromRelease: string;
  readonly toRelease: string | null;
  readonly reason: string;
  readonly outcome: string;
  readonly requestedMs: number;
  /** Until when it may be approved; null where it does not wait for that. */
  readonly approvalExpiresMs: number | null;
  /** Until when what somebody refused stands, whoever asks; null where nobody refused it. */
  readonly refusedUntilMs: number | null;
  /** How many people have to approve; null where nobody was asked to. */
  readonly approvals: number | null;
  /** Those who did. */
  readonly approvedBy: readonly string[];
  readonly approvers: readonly string[];
  /** Whether no more comes of it: then people may say whether it was right. */
  readonly isOver: boolean;
  /** What somebody said last of whether it was right; null where nobody did. */
  readonly review: { readonly review: 'right' | 'wrong'; readonly by: string; readonly note: string } | null;
}

/** All that the live page shows at one moment. Amounts of memory and bytes do not grow with time. */
export interface LiveView {
  readonly atMs: number;
  /** False in a process that stands by: then only `flow` is there. */
  readonly isActive: boolean;
  readonly version: string;
  /** The labels of the windows that there are, and of the one that is shown. */
  readonly windows: readonly string[];
  readonly window: string;
  /** False while the window may lack events that were there. */
  readonly isComplete: boolean;
  /** Whether any policy is in use: without one nothing is judged. */
  readonly hasPolicies: boolean;
  /** What is chosen; null: all agents. */
  readonly chosen: { readonly agent: string; readonly environment: string } | null;
  readonly trendTimesMs: readonly number[];
  readonly tiles: readonly Tile[];
  /** Worst first; at most 1,000. */
  readonly agents: readonly AgentLine[];
  /** Of the chosen agent; empty without one. */
  readonly releases: readonly ReleaseLine[];
  /** Runs that escalated, by the reason of the first time, most first. */
  readonly escalations: readonly { readonly reason: string; readonly runs: number }[];
  /** At most 20; of the chosen agent, where one is. */
  readonly incidents: readonly IncidentLine[];
  readonly rollbacks: readonly RollbackLine[];
  /** Why no rollback is done; null while they are. */
  readonly rollbacksStopped: string | null;
  readonly flow: readonly FlowStage[];
}
