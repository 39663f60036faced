import { bucketLimit, type Merged } from './sketch.ts';
import type { Window } from './window.ts';

/** `numbers`, or a copy that has room for `count` of them. */
function roomFor(numbers: Float64Array<ArrayBuffer>, count: number): Float64Array<ArrayBuffer> {
  if (count <= numbers.length) return numbers;
  const grown = new Float64Array(Math.max(count, 2 * numbers.length));
  grown.set(numbers);
  return grown;
}

/**
 * Rows of numbers, each with a key, by key. Most events are new ones, which have the greatest key: that is found, and
 * added, at once. Only what is there takes memory.
 */
class SortedRows {
  readonly width: number;
  keys = new Float64Array(1);
  cells: Float64Array<ArrayBuffer>;
  count = 0;

  constructor(width: number) {
    this.width = width;
    this.cells = new Float64Array(width);
  }

  /** The first row whose key is not less than `key`; `count` where there is none. */
  atLeast(key: number): number {
    const { keys } = this;
    let [low, high] = [0, this.count];
    if (high > 0 && keys[high - 1]! < key) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Makes row `row` one of zeros with `key`; those from there on move up by one. */
  insert(row: number, key: number): void {
    const { width, count } = this;
    this.keys = roomFor(this.keys, count + 1);
    this.cells = roomFor(this.cells, (count + 1) * width);
    this.keys.copyWithin(row + 1, row, count);
    this.cells.copyWithin((row + 1) * width, row * width, count * width);
    this.keys[row] = key;
    this.cells.fill(0, row * width, (row + 1) * width);
    this.count++;
  }

  /** Removes the rows before `row`. */
  removeBefore(row: number): void {
    if (row === 0) return;
    this.keys.copyWithin(0, row, this.count);
    this.cells.copyWithin(0, row * this.width, this.count * this.width);
    this.count -= row;
  }

  take(keys: Float64Array, cells: Float64Array): void {
    this.keys = new Float64Array(keys);
    this.cells = new Float64Array(cells);
    this.count = keys.length;
  }
}

/** Sums of one series over the panes of one window, and how many of its values lie in which bucket. */
export class Panes {
  readonly #most: number;
  readonly #sums: SortedRows;
  /** By pane and, within it, by bucket. */
  readonly #buckets = new SortedRows(1);

  /**
   * `width` is the number of sums. Panes are kept for twice the length of the window, so that a partition that lags by a
   * window takes nothing from the others.
   */
  constructor(window: Window, width: number) {
    this.#most = 2 * window.panes + 1;
    this.#sums = new SortedRows(width);
  }

  /** Adds `values` to `pane`, and a value in `bucket` unless that is negative. False when the pane is no longer kept. */
  add(pane: number, values: Float64Array, bucket: number): boolean {
    const row = this.#rowOf(pane);
    if (row < 0) return false;
    this.#plus(row, values, 1);
    if (bucket < 0) return true;
    const buckets = this.#buckets;
    const key = pane * bucketLimit + bucket;
    const at = buckets.atLeast(key);
    if (at === buckets.count || buckets.keys[at] !== key) buckets.insert(at, key);
    buckets.cells[at]! += 1;
    return true;
  }

  /** Takes back what `add` was given, unless the pane is no longer kept. */
  takeBack(pane: number, values: Float64Array, bucket: number): void {
    const row = this.#sums.atLeast(pane);
    if (row === this.#sums.count || this.#sums.keys[row] !== pane) return;
    this.#plus(row, values, -1);
    if (bucket < 0) return;
    const key = pane * bucketLimit + bucket;
    const at = this.#buckets.atLeast(key);
    if (at < this.#buckets.count && this.#buckets.keys[at] === key) this.#buckets.cells[at]! -= 1;
  }

  #plus(row: number, values: Float64Array, sign: 1 | -1): void {
    const { cells, width } = this.#sums;
    const start = row * width;
    for (let i = 0; i < width; i++) cells[start + i]! += sign * values[i]!;
  }

  #rowOf(pane: number): number {
    if (pane < 0) return -1;
    const sums = this.#sums;
    const row = sums.atLeast(pane);
    const { count } = sums;
    if (row < count && sums.keys[row] === pane) return row;
    if (count > 0 && pane <= sums.keys[count - 1]! - this.#most) return -1;
    sums.insert(row, pane);
    if (row < count) return row;
    const forgotten = sums.atLeast(pane - this.#most + 1);
    this.forget(pane - this.#most + 1);
    return row - forgotten;
  }

  /** Forgets the panes before `firstPane`. */
  forget(firstPane: number): void {
    const sums = this.#sums;
    if (sums.count === 0 || sums.keys[0]! >= firstPane) return;
    sums.removeBefore(sums.atLeast(firstPane));
    this.#buckets.removeBefore(this.#buckets.atLeast(firstPane * bucketLimit));
  }

  /** Adds up all panes from `firstPane` on, into `total`. */
  total(firstPane: number, total: Float64Array): void {
    const { cells, width, count } = this.#sums;
    total.fill(0);
    for (let start = this.#sums.atLeast(firstPane) * width; start < count * width; start += width)
      for (let i = 0; i < width; i++) total[i]! += cells[start + i]!;
  }

  /** Adds the buckets of all panes from `firstPane` on to `merged`. */
  merge(firstPane: number, merged: Merged): void {
    const { keys, cells, count } = this.#buckets;
    for (let row = this.#buckets.atLeast(firstPane * bucketLimit); row < count; row++)
      merged.add(keys[row]! % bucketLimit, cells[row]!);
  }

  /** How much `save` writes. */
  get size(): { readonly panes: number; readonly buckets: number } {
    return { panes: this.#sums.count, buckets: this.#buckets.count };
  }

  /** Copies everything into `state`, from these places on. */
  save(state: PanesState, atPane: number, atBucket: number): void {
    const sums = this.#sums;
    const buckets = this.#buckets;
    state.panes.set(sums.keys.subarray(0, sums.count), atPane);
    state.sums.set(sums.cells.subarray(0, sums.count * sums.width), atPane * sums.width);
    state.buckets.set(buckets.keys.subarray(0, buckets.count), atBucket);
    state.counts.set(buckets.cells.subarray(0, buckets.count), atBucket);
  }

  /** Takes `panes` panes and `buckets` buckets that `save` put at these places. */
  restore(state: PanesState, atPane: number, panes: number, atBucket: number, buckets: number): void {
    const { width } = this.#sums;
    this.#sums.take(
      state.panes.subarray(atPane, atPane + panes),
      state.sums.subarray(atPane * width, (atPane + panes) * width),
    );
    this.#buckets.take(
      state.buckets.subarray(atBucket, atBucket + buckets),
      state.counts.subarray(atBucket, atBucket + buckets),
    );
  }
}

/** The panes of many series and windows, one after the other. */
export interface PanesState {
  readonly panes: Float64Array;
  readonly sums: Float64Array;
  readonly buckets: Float64Array;
  readonly counts: Float64Array;
}
