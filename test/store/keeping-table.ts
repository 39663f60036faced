import type { Position } from '../../src/core/stream.ts';
import { isBefore, type Origin, type Stretch } from '../../src/store/place.ts';
import { markOf, type Aged, type Marked, type RecountedTable } from '../../src/store/recounted-table.ts';
import { MemoryTable } from './memory-table.ts';

/** A table in memory that can be recounted; it keeps its rows for `kept` milliseconds, as it says. */
export class KeepingTable extends MemoryTable implements RecountedTable {
  kept = Infinity;
  unclearTtl = '';

  override async held(origin: Origin, { from, to }: Stretch): Promise<Marked> {
    const held = await super.held(origin, { from, to });
    const rows = this.rows.filter((row) => !isBefore(row, from) && isBefore(row, to));
    const mark = rows.reduce((sum, { offset, index }) => sum + markOf(offset - from.offset, index), 0);
    return { ...held, mark };
  }

  async count(origin: Origin, stretch: Stretch): Promise<number> {
    return (await this.held(origin, stretch)).rows;
  }

  aged(): Promise<Aged> {
    return Promise.resolve({ beforeMs: Date.now() - this.kept, unclearTtl: this.unclearTtl });
  }

  async oldest(_: Origin, stretch: Stretch): Promise<{ offset: number; timeMs: number } | undefined> {
    const rows = this.rows.filter((row) => !isBefore(row, stretch.from) && isBefore(row, stretch.to));
    const timeMs = Math.min(...rows.map(({ date }) => Date.parse(date)));
    const offset = Math.min(...rows.map((row) => row.offset));
    return Promise.resolve(rows.length === 0 ? undefined : { offset, timeMs });
  }

  doubled(_: Origin, { from, to }: Stretch, limit: number): Promise<readonly Position[]> {
    const rows = this.rows.filter((row) => !isBefore(row, from) && isBefore(row, to));
    const isFirst = (row: Position, n: number): boolean =>
      rows.findIndex(({ offset, index }) => offset === row.offset && index === row.index) === n;
    return Promise.resolve(rows.filter((row, n) => !isFirst(row, n)).slice(0, limit));
  }
}
