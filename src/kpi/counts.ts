import type { SeriesState, SeriesTable } from './series-table.ts';

/** What is counted of one series, and of each number the latest event that added to it. */
export class Counts {
  readonly values: Float64Array;
  /** What that event added, and when it was; 0 before any. */
  readonly latest: Float64Array;
  readonly latestMs: Float64Array;
  /** Its trace; '' where none is known. */
  readonly traceIds: string[];

  /** `width` is how many numbers there are. */
  constructor(width: number) {
    this.values = new Float64Array(width);
    this.latest = new Float64Array(width);
    this.latestMs = new Float64Array(width);
    this.traceIds = Array<string>(width).fill('');
  }

  /** Adds `amount` to the number `column`, for an event of `traceId` at `timeMs`. */
  add(column: number, amount: number, traceId: string, timeMs: number): void {
    this.values[column]! += amount;
    this.latest[column] = amount;
    this.latestMs[column] = timeMs;
    this.traceIds[column] = traceId;
  }

  /** Adds `value` to the histogram with these bounds that begins at `column`. */
  observe(column: number, bounds: readonly number[], value: number, traceId: string, timeMs: number): void {
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.add(column + bucket, 1, traceId, timeMs);
    this.latest[column + bucket] = value;
    this.values[column + bounds.length + 1]! += value;
  }
}

/** The counts of a table as plain data: the row of each series, one after the other. */
export interface CountsState {
  readonly series: SeriesState;
  /** Names of the columns. */
  readonly columns: readonly string[];
  readonly values: Float64Array;
  readonly latest: Float64Array;
  readonly latestMs: Float64Array;
  readonly traceIds: readonly string[];
}

/** Copies of the counts of all series of `table`; each gets its `index`. */
export function saveCounts(table: SeriesTable<Counts>, columns: readonly string[]): CountsState {
  const size = columns.length * table.size;
  const [values, latest, latestMs] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  const traceIds: string[] = [];
  let at = 0;
  for (const { state } of table) {
    values.set(state.values, at);
    latest.set(state.latest, at);
    latestMs.set(state.latestMs, at);
    for (const traceId of state.traceIds) traceIds.push(traceId);
    at += columns.length;
  }
  return { series: table.save(), columns: [...columns], values, latest, latestMs, traceIds };
}

/** Puts what `saveCounts` gave into the empty `table`, by the names of columns: a new one begins at 0, what is no more is dropped. */
export function restoreCounts<T extends Counts>(
  table: SeriesTable<T>,
  state: CountsState,
  columns: readonly string[],
): ReturnType<SeriesTable<T>['restore']> {
  const from = columns.map((name) => state.columns.indexOf(name));
  const all = table.restore(state.series);
  for (const [index, { state: counts }] of all.entries()) {
    const start = index * state.columns.length;
    for (const [column, old] of from.entries()) {
      if (old < 0) continue;
      counts.values[column] = state.values[start + old]!;
      counts.latest[column] = state.latest[start + old]!;
      counts.latestMs[column] = state.latestMs[start + old]!;
      counts.traceIds[column] = state.traceIds[start + old]!;
    }
  }
  return all;
}
