import type { Position } from '../core/stream.ts';
import type { Origin, Stretch } from './place.ts';
import type { AskedTable, Held } from './table.ts';

/** What a table holds of a stretch, and a number that is another one where the positions are: the sum of their `markOf`. */
export interface Marked extends Held {
  readonly mark: number;
}

/** A number for a position, `records` after the first of its stretch: in sums, one position cannot stand in for another. */
export function markOf(records: number, index: number): number {
  const mixed = (records * 69_069 + index * 1_327_217 + 12_345) % 16_777_213;
  return (mixed * mixed) % 16_777_213;
}

/** A table that can be asked what a recount must know of it. */
export interface RecountedTable extends AskedTable {
  /** How many rows `stretch` has, however many those are. */
  count(origin: Origin, stretch: Stretch): Promise<number>;
  /** What it holds of `stretch`, which has some million rows at most. */
  held(origin: Origin, stretch: Stretch): Promise<Marked>;
  /** The first `limit` positions of `stretch` that have more than one row, in order. */
  doubled(origin: Origin, stretch: Stretch, limit: number): Promise<readonly Position[]>;
  /** The lowest offset of `stretch` that has a row, and the oldest time of a row there in Unix milliseconds; undefined where there is none. */
  oldest(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly offset: number; readonly timeMs: number } | undefined>;
  aged(): Promise<Aged>;
}

/** Which rows a table may have removed, since they are too old. */
export interface Aged {
  /** Those whose time is before this, in Unix milliseconds; -Infinity where rows are kept for ever. */
  readonly beforeMs: number;
  /** A TTL that does not say how long a row is kept: any may be gone then. '' for none. */
  readonly unclearTtl: string;
}
