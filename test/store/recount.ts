import type { Conservation } from '../../src/store/conservation.ts';
import type { Origin } from '../../src/store/place.ts';
import type { Table } from '../../src/store/table.ts';

/** What the table says when it is asked again. */
interface Recount {
  readonly rows: number;
  /** Rows beyond the first of their position. */
  readonly duplicateRows: number;
  /** Positions that were stored, then or by a replay, and are not in the table: lost, or older than its TTL. Negative when the table has more. */
  readonly missingRows: number;
}

/**
 * Counts the rows of `origin` before the committed position in the table, and compares them with what was counted on the
 * way; `listedSpans` of the dead ones are still listed as dead letters.
 */
export async function recount(
  table: Table,
  origin: Origin,
  counted: Conservation,
  listedSpans = counted.deadSpans,
): Promise<Recount> {
  const held = await table.held(origin, { from: { offset: 0, index: 0 }, to: counted.position });
  return {
    rows: held.rows,
    duplicateRows: held.rows - held.positions,
    missingRows: counted.storedSpans + counted.deadSpans - listedSpans - held.positions,
  };
}
