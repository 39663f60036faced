import type { Position } from '../../src/core/stream.ts';
import { isBefore, PositionSet, type Origin, type Stretch } from '../../src/store/place.ts';
import type { Held, Insert, Table } from '../../src/store/table.ts';

/**
 * A table as a store would see it that believes tokens and never asks: nothing is there until an insert was
 * acknowledged, and then everything is.
 */
export class TrustingTable implements Table {
  readonly #table: Table;
  readonly #spansPerRecord: number;
  #isAcknowledged = false;

  constructor(table: Table, spansPerRecord: number) {
    this.#table = table;
    this.#spansPerRecord = spansPerRecord;
  }

  nowMs(): number {
    return this.#table.nowMs();
  }

  async insert(insert: Insert): Promise<void> {
    await this.#table.insert(insert);
    this.#isAcknowledged = true;
  }

  held(origin: Origin, stretch: Stretch): Promise<Held> {
    return this.#table.held(origin, stretch);
  }

  async positions(
    _: Origin,
    stretch: Stretch,
  ): Promise<{ readonly rows: number; readonly present: PositionSet }> {
    const present = new PositionSet();
    if (this.#isAcknowledged)
      for (let offset = stretch.from.offset; offset <= stretch.to.offset; offset++)
        for (let index = 0; index < this.#spansPerRecord; index++)
          if (!isBefore({ offset, index }, stretch.from) && isBefore({ offset, index }, stretch.to))
            present.add(offset, index);
    return Promise.resolve({ rows: present.size, present });
  }

  rowsAt(origin: Origin, positions: readonly Position[]): Promise<PositionSet> {
    return this.#table.rowsAt(origin, positions);
  }

  highest(origin: Origin, from: Position): Promise<Position | undefined> {
    return this.#table.highest(origin, from);
  }

  rederive(origin: Origin, stretch: Stretch): Promise<void> {
    return this.#table.rederive(origin, stretch);
  }
}
