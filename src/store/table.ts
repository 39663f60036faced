import type { Position } from '../core/stream.ts';
import type { Origin, PositionSet, Stretch } from './place.ts';

/** One insert: the encoded rows of one block, under a token that names this attempt at it. */
export interface Insert {
  readonly origin: Origin;
  readonly body: readonly Uint8Array[];
  readonly token: string;
  /**
   * Nothing of this insert may land after this time (Unix milliseconds by the table's own clock, which checks it), so that
   * a late copy cannot outlive the memory of its token. A table whose copies die with this process may ignore it.
   */
  readonly deadlineMs: number;
  /** Ends the wait for an answer: the insert rejects at once, and what becomes of it is unknown. A table in this process may ignore it. */
  readonly signal: AbortSignal;
}

/** What the table holds of a stretch: rows, and how many different positions they have. More rows than positions are duplicates. */
export interface Held {
  readonly rows: number;
  readonly positions: number;
}

/**
 * Where the rows of spans are kept. The table is the truth of what is stored: it is asked by position. Every method
 * rejects when there is no answer; only InsertRejected says something about what was written.
 */
export interface Table {
  /**
   * The time by the clock that checks deadlines, in Unix milliseconds: never later than it is, so that what is counted
   * from it is never too late, whatever this machine's own clock says and however long the process stood still.
   */
  nowMs(): number;
  /**
   * Inserts the rows of one block, atomically per date only. A token the table remembers makes it answer without
   * inserting. Resolves when the table answered; rejects with InsertRejected, or with anything else when nobody
   * knows what has landed.
   */
  insert(insert: Insert): Promise<void>;
  held(origin: Origin, stretch: Stretch): Promise<Held>;
  /** Which positions of `stretch` have a row, and how many rows those are. */
  positions(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly rows: number; readonly present: PositionSet }>;
  /** Which of `positions`, a thousand at most and in any order, have a row. */
  rowsAt(origin: Origin, positions: readonly Position[]): Promise<PositionSet>;
  /** The highest position from `from` on that has a row; undefined when none has. */
  highest(origin: Origin, from: Position): Promise<Position | undefined>;
  /** Derives again, from the rows of `stretch`, what idempotent views keep of them. */
  rederive(origin: Origin, stretch: Stretch): Promise<void>;
}

/** A table that is only asked. */
export type AskedTable = Pick<Table, 'positions' | 'rowsAt' | 'highest'>;

/** The insert failed with a code of a closed list: it wrote nothing, and the same rows will always fail. */
export class InsertRejected extends Error {
  override readonly name = 'InsertRejected';
}
