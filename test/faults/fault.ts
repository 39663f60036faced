import type { Draw } from './draw.ts';
import type { Stage } from './stage.ts';

/** What a fault leaves in no state to have another one beside it. */
type Part = 'kafka' | 'clickhouse' | 'ingest' | 'store' | 'assess';

/** One way in which things go wrong. */
export interface Fault {
  readonly kind: string;
  /** Two faults at a time touch different parts. */
  readonly touches: readonly Part[];
  /** Why it cannot be done on this machine; undefined when it can. */
  readonly missing?: (stage: Stage) => string | undefined;
  /**
   * Does it, sees that it took effect, and undoes it. Resolves when what was broken is whole again; rejects when it had no
   * effect, or does not heal.
   */
  readonly inflict: (stage: Stage, draw: Draw) => Promise<Outcome | void>;
}

/** What a fault has shown. */
export interface Outcome {
  /** Owners that woke after they had lost their partitions, and found out. */
  readonly zombies: number;
}
