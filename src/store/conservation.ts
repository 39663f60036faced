import type { Position } from '../core/stream.ts';
import type { Origin } from './place.ts';
import type { Table } from './table.ts';

/** What became of the spans before a committed position: each is stored, dead or expired, and counted once. */
export interface Conservation {
  readonly position: Position;
  /** Spans before `position`: the sum of the other three. */
  readonly committedSpans: number;
  readonly storedSpans: number;
  /** Spans in the dead letters. */
  readonly deadSpans: number;
  /** Spans of an announced block that the stream's retention removed before they were stored. */
  readonly expiredSpans: number;
}

/** What the table says when it is asked again. */
export interface Recount {
  readonly rows: number;
  /** Rows beyond the first of their position. */
  readonly duplicateRows: number;
  /** Positions that were stored and are not in the table: lost, or older than its TTL. Negative when the table has more. */
  readonly missingRows: number;
}

/** Counts the rows of `origin` before the committed position in the table, and compares them with what was counted on the way. */
export async function recount(table: Table, origin: Origin, counted: Conservation): Promise<Recount> {
  const held = await table.held(origin, { from: { offset: 0, index: 0 }, to: counted.position });
  return {
    rows: held.rows,
    duplicateRows: held.rows - held.positions,
    missingRows: counted.storedSpans - held.positions,
  };
}
