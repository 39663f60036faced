import type { Incident } from '../incidents/incident.ts';
import type { Standing } from '../judge/standing.ts';
import type { WindowFigures } from './figures.ts';
import type { FlowStage, RollbackLine } from './live-view.ts';
import type { Trends } from './trends.ts';

/** An agent in an environment. */
export interface Place {
  readonly agent: string;
  readonly environment: string;
}

/** What somebody looks at: a window by its label, and one agent, or all. */
export interface Choice {
  readonly window: string;
  readonly place: Place | null;
}

/** A rollback, as far as it is shown; times in milliseconds since the epoch. */
export interface ShownRollback {
  readonly id: string;
  readonly state: string;
  readonly agent: string;
  readonly environment: string;
  readonly from: string;
  /** '' until it is chosen. */
  readonly to: string;
  readonly reason: string;
  readonly outcome: string;
  readonly requestedMs: number;
  readonly approval: { readonly expiresMs: number; readonly approvals: number } | undefined;
  /** When it was done; undefined where it was not. */
  readonly doneMs: number | undefined;
  /** Until when what somebody refused stands, whoever asks; undefined where nobody refused it. */
  readonly refusedUntilMs: number | undefined;
  readonly approvedBy: readonly string[];
  readonly plan: { readonly mode: string; readonly approvers: readonly string[] };
  /** Whether no more comes of it. */
  readonly isOver: boolean;
  readonly review: RollbackLine['review'] | undefined;
}

/** What there is of rollbacks. */
export interface Rollbacks {
  /** In the order in which they began. */
  readonly attempts: readonly ShownRollback[];
  /** Why none is done; undefined while they are. */
  readonly stopReason: string | undefined;
  readonly fault: string | undefined;
}

/** All that a process knows at one moment, from which views are made. */
export interface Moment {
  readonly atMs: number;
  readonly version: string;
  /** The labels of the windows that there are. */
  readonly windows: readonly string[];
  /** What is assessed; undefined in a process that stands by. */
  readonly assessed: Assessed | undefined;
  readonly flow: readonly FlowStage[];
}

/** What the process that assesses knows beside the flow. */
export interface Assessed {
  readonly figures: ReadonlyMap<string, WindowFigures>;
  readonly standings: readonly Standing[];
  readonly incidents: readonly Incident[];
  readonly rollbacks: Rollbacks;
  /** Of places, by their key, and of all together, by `everywhere`: the amounts of each window, one window after the other. */
  readonly trends: Trends;
  /** The evidence of each test, by its key. */
  readonly evidence: Trends;
  /**
   * What the policies in use ask of `kpi` at all of `places`; null where none does, or where several do.
   */
  readonly objectiveOf: (kpi: string, places: readonly Place[]) => number | null;
  /** Whether any policy is in use. */
  readonly hasPolicies: boolean;
}
