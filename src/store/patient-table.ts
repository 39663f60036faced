import type { Position } from '../core/stream.ts';
import { mayPass } from './clickhouse-fault.ts';
import type { Patience } from './patience.ts';
import type { Origin, PositionSet, Stretch } from './place.ts';
import type { Aged, Marked, RecountedTable } from './recounted-table.ts';

/** A table that is asked again while what keeps it from answering may pass, such as a replica that is behind. */
export class PatientTable implements RecountedTable {
  readonly #table: RecountedTable;
  readonly #patience: Patience;

  constructor(table: RecountedTable, patience: Patience) {
    this.#table = table;
    this.#patience = patience;
  }

  async held(origin: Origin, stretch: Stretch): Promise<Marked> {
    return this.#persist(() => this.#table.held(origin, stretch));
  }

  async count(origin: Origin, stretch: Stretch): Promise<number> {
    return this.#persist(() => this.#table.count(origin, stretch));
  }

  async positions(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly rows: number; readonly present: PositionSet }> {
    return this.#persist(() => this.#table.positions(origin, stretch));
  }

  async rowsAt(origin: Origin, positions: readonly Position[]): Promise<PositionSet> {
    return this.#persist(() => this.#table.rowsAt(origin, positions));
  }

  async highest(origin: Origin, from: Position): Promise<Position | undefined> {
    return this.#persist(() => this.#table.highest(origin, from));
  }

  async doubled(origin: Origin, stretch: Stretch, limit: number): Promise<readonly Position[]> {
    return this.#persist(() => this.#table.doubled(origin, stretch, limit));
  }

  async oldest(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly offset: number; readonly timeMs: number } | undefined> {
    return this.#persist(() => this.#table.oldest(origin, stretch));
  }

  async aged(): Promise<Aged> {
    return this.#persist(() => this.#table.aged());
  }

  async #persist<T>(ask: () => Promise<T>): Promise<T> {
    return this.#patience.persist(ask, undefined, mayPass);
  }
}
