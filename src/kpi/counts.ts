import type { SeriesState, SeriesTable } from './series-table.ts';

/** Cells of one column: what is counted, what the latest event added, and when that was. */
export const cellsPerColumn = 3;

/** What is counted of one series, and of each column the latest event that added to it. */
export class Counts {
  /** By column; those of one lie together, because they are written together. */
  readonly cells: Float64Array;
  /** Traces of the latest events; '' where none is known. */
  readonly traceIds: string[];

  /** `width` is how many columns there are. */
  constructor(width: number) {
    this.cells = new Float64Array(cellsPerColumn * width);
    this.traceIds = Array<string>(width).fill('');
  }

  /** Adds `amount` to `column`, for an event of `traceId` at `timeMs`. */
  add(column: number, amount: number, traceId: string, timeMs: number): void {
    const at = cellsPerColumn * column;
    this.cells[at]! += amount;
    this.cells[at + 1] = amount;
    this.cells[at + 2] = timeMs;
    this.traceIds[column] = traceId;
  }

  /** Adds `value` to the histogram with these bounds that begins at `column`. */
  observe(column: number, bounds: readonly number[], value: number, traceId: string, timeMs: number): void {
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.add(column + bucket, 1, traceId, timeMs);
    this.cells[cellsPerColumn * (column + bucket) + 1] = value;
    this.cells[cellsPerColumn * (column + bounds.length + 1)]! += value;
  }
}

/** The counts of a table as plain data: the row of each series, one after the other. */
export interface CountsState {
  readonly series: SeriesState;
  /** Names of the columns. */
  readonly columns: readonly string[];
  /** `cellsPerColumn` for each. */
  readonly cells: Float64Array;
  readonly traceIds: readonly string[];
}

/** Copies of the counts of all series of `table`; each gets its `index`. */
export function saveCounts(table: SeriesTable<Counts>, columns: readonly string[]): CountsState {
  const width = cellsPerColumn * columns.length;
  const cells = new Float64Array(width * table.size);
  const traceIds: string[] = [];
  let at = 0;
  for (const { state } of table) {
    cells.set(state.cells, at);
    for (const traceId of state.traceIds) traceIds.push(traceId);
    at += width;
  }
  return { series: table.save(), columns: [...columns], cells, traceIds };
}

/**
 * Adds what `saveCounts` gave to the empty `table`, by the names of columns: a new one begins at 0, what is no more is
 * dropped. What has no room there is added to overflow entries. Returns the series of each.
 */
export function restoreCounts<T extends Counts>(
  table: SeriesTable<T>,
  state: CountsState,
  columns: readonly string[],
): ReturnType<SeriesTable<T>['restore']> {
  const from = columns.map((name) => state.columns.indexOf(name));
  const all = table.restore(state.series);
  for (const [index, { state: counts }] of all.entries()) {
    const start = index * state.columns.length;
    for (const [column, old] of from.entries()) if (old >= 0) addColumn(counts, column, state, start + old);
  }
  return all;
}

function addColumn({ cells, traceIds }: Counts, column: number, state: CountsState, from: number): void {
  const [at, source] = [cellsPerColumn * column, cellsPerColumn * from];
  cells[at]! += state.cells[source]!;
  const timeMs = state.cells[source + 2]!;
  if (traceIds[column] !== '' && timeMs < cells[at + 2]!) return;
  cells[at + 1] = state.cells[source + 1]!;
  cells[at + 2] = timeMs;
  traceIds[column] = state.traceIds[from]!;
}
