import { randomUUID } from 'node:crypto';
import { PositionSet, type Origin, type Stretch } from '../../src/store/place.ts';
import type { Held, Insert, Table } from '../../src/store/table.ts';

/** A mistake that a store could be built with. */
export interface Plant {
  /** The table as it would then be used. */
  readonly over: (table: Table) => Table;
  /** Kinds of faults that bring it to light. */
  readonly kinds: readonly string[];
}

/** By name. */
export const plants: ReadonlyMap<string, Plant> = new Map([
  [
    // Every insert has a token of its own, and what was not acknowledged is taken for not stored.
    'no-token',
    {
      over: (table: Table): Table => new TokenlessTable(table),
      kinds: ['store-kill', 'clickhouse-drop-answer', 'clickhouse-kill'],
    },
  ],
  [
    // An insert counts as done when it has begun, so that its position is committed before its rows are there.
    'commit-first',
    {
      over: (table: Table): Table => new HastyTable(table),
      kinds: ['store-kill', 'clickhouse-hang', 'clickhouse-kill'],
    },
  ],
]);

/** A table that passes everything on; what is planted is above it. */
class PassingTable implements Table {
  protected readonly table: Table;

  constructor(table: Table) {
    this.table = table;
  }

  nowMs(): number {
    return this.table.nowMs();
  }

  insert(insert: Insert): Promise<void> {
    return this.table.insert(insert);
  }

  held(origin: Origin, stretch: Stretch): Promise<Held> {
    return this.table.held(origin, stretch);
  }

  positions(origin: Origin, stretch: Stretch): ReturnType<Table['positions']> {
    return this.table.positions(origin, stretch);
  }

  rowsAt(origin: Origin, positions: Parameters<Table['rowsAt']>[1]): ReturnType<Table['rowsAt']> {
    return this.table.rowsAt(origin, positions);
  }

  highest(origin: Origin, from: Stretch['from']): ReturnType<Table['highest']> {
    return this.table.highest(origin, from);
  }

  rederive(origin: Origin, stretch: Stretch): Promise<void> {
    return this.table.rederive(origin, stretch);
  }
}

class TokenlessTable extends PassingTable {
  /** Partitions whose last insert was acknowledged. */
  readonly #acknowledged = new Set<number>();

  override async insert(insert: Insert): Promise<void> {
    const { partition } = insert.origin;
    this.#acknowledged.delete(partition);
    await this.table.insert({ ...insert, token: randomUUID() });
    this.#acknowledged.add(partition);
  }

  override async positions(origin: Origin, stretch: Stretch): ReturnType<Table['positions']> {
    const { present } = await this.table.positions(origin, stretch);
    const believed: PositionSet = this.#acknowledged.has(origin.partition) ? present : new PositionSet();
    return { rows: believed.size, present: believed };
  }

  override async held(origin: Origin, stretch: Stretch): Promise<Held> {
    const { rows } = await this.positions(origin, stretch);
    return { rows, positions: rows };
  }

  override async highest(): ReturnType<Table['highest']> {
    return Promise.resolve(undefined);
  }
}

class HastyTable extends PassingTable {
  override async insert(insert: Insert): Promise<void> {
    const body = insert.body.map((part) => Uint8Array.from(part)); // the rows change as soon as it is said to be done
    void this.table.insert({ ...insert, body }).catch(() => undefined);
    return Promise.resolve();
  }
}
