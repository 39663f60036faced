import type { Position } from '../../src/core/stream.ts';
import { isBefore, PositionSet, type Origin, type Stretch } from '../../src/store/place.ts';
import { InsertRejected, type Held, type Insert, type Table } from '../../src/store/table.ts';
import { rowsOf, type TestRow } from './json-rows.ts';

/** Those of `positions` that are among `rows`. */
export function positionsAmong(rows: readonly Position[], positions: readonly Position[]): PositionSet {
  const found = new PositionSet();
  for (const { offset, index } of positions)
    if (rows.some((row) => row.offset === offset && row.index === index)) found.add(offset, index);
  return found;
}

/** A table in memory that never fails by itself; `refuse` and `fail` make it. */
export class MemoryTable implements Table {
  rows: TestRow[] = [];
  /** The rows of each insert that was tried, in order. */
  readonly tried: (readonly TestRow[])[] = [];
  readonly tokens: string[] = [];
  rederived: Stretch[] = [];
  /** Whether rows with the poison `row` are taken. */
  isMended = false;
  /** Throws what an insert shall fail with. */
  beforeInsert: (rows: readonly TestRow[]) => void = () => undefined;

  nowMs(): number {
    return Date.now();
  }

  async insert({ body, token }: Insert): Promise<void> {
    const rows = rowsOf(body);
    this.tried.push(rows);
    this.beforeInsert(rows);
    if (!this.isMended && rows.some((row) => row.poison === 'row')) throw new InsertRejected('refused');
    if (!this.tokens.includes(token)) this.rows.push(...rows);
    this.tokens.push(token);
    return Promise.resolve();
  }

  async held(origin: Origin, stretch: Stretch): Promise<Held> {
    const { rows, present } = await this.positions(origin, stretch);
    return { rows, positions: present.size };
  }

  async positions(_: Origin, { from, to }: Stretch): Promise<{ rows: number; present: PositionSet }> {
    const rows = this.rows.filter((row) => !isBefore(row, from) && isBefore(row, to));
    const present = new PositionSet();
    for (const row of rows) present.add(row.offset, row.index);
    return Promise.resolve({ rows: rows.length, present });
  }

  async rowsAt(_: Origin, positions: readonly Position[]): Promise<PositionSet> {
    return Promise.resolve(positionsAmong(this.rows, positions));
  }

  async highest(_: Origin, from: Position): Promise<Position | undefined> {
    const later = this.rows.filter((row) => !isBefore(row, from));
    return Promise.resolve(later.toSorted((a, b) => (isBefore(a, b) ? 1 : -1))[0]);
  }

  async rederive(_: Origin, stretch: Stretch): Promise<void> {
    this.rederived.push(stretch);
    return Promise.resolve();
  }
}
