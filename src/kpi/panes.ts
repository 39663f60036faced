import type { PanesReader, PanesWriter } from './panes-state.ts';
import { bucketLimit, type Merged } from './sketch.ts';
import type { Window } from './window.ts';

/** `numbers`, or a copy that has room for `count` of them. */
function roomFor(numbers: Float64Array<ArrayBuffer>, count: number): Float64Array<ArrayBuffer> {
  if (count <= numbers.length) return numbers;
  const grown = new Float64Array(Math.max(count, 2 * numbers.length));
  grown.set(numbers);
  return grown;
}

/** Rows of numbers, each with a key, by key. Only what is there takes memory. */
class SortedRows {
  readonly width: number;
  keys = new Float64Array(1);
  cells: Float64Array<ArrayBuffer>;
  count = 0;

  constructor(width: number) {
    this.width = width;
    this.cells = new Float64Array(width);
  }

  /**
   * The first row whose key is not less than `key`; `count` where there is none. Most events are new ones, with one of
   * the greatest keys: the search goes back from the end in steps that double, which stays in the cache.
   */
  atLeast(key: number): number {
    const { keys } = this;
    let high = this.count;
    let low = high - 1;
    for (let step = 1; low >= 0 && keys[low]! >= key; step *= 2) {
      high = low;
      low -= step;
    }
    for (low = Math.max(-1, low) + 1; low < high;) {
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

  /** Makes room for `rows` of zeros. Only where there is none yet. */
  begin(rows: number): void {
    this.keys = new Float64Array(rows);
    this.cells = new Float64Array(rows * this.width);
    this.count = rows;
  }
}

/** What one event adds to the sums of a pane, and the bucket of its value; none where that is negative. */
export class Addition {
  readonly values: Float64Array;
  /** Those that are not 0, the first `count` of these. */
  readonly columns: Uint8Array;
  count = 0;
  bucket = -1;

  constructor(width: number) {
    this.values = new Float64Array(width);
    this.columns = new Uint8Array(width);
  }
}

/** Sums of one series over the panes of one window, and how many of its values lie in which bucket. */
export class Panes {
  readonly #window: Window;
  readonly #most: number;
  readonly #sums: SortedRows;
  /** By pane and, within it, by bucket. */
  readonly #buckets = new SortedRows(1);

  /**
   * `width` is the number of sums. Panes are kept for twice the length of the window, so that a partition that lags by a
   * window takes nothing from the others.
   */
  constructor(window: Window, width: number) {
    this.#window = window;
    this.#most = 2 * window.panes + 1;
    this.#sums = new SortedRows(width);
  }

  /** Adds `addition` to `pane`. False when the pane is no longer kept. */
  add(pane: number, addition: Addition): boolean {
    const row = this.#rowOf(pane);
    if (row < 0) return false;
    this.#plus(row, addition, 1);
    if (addition.bucket >= 0) this.#fill(pane * bucketLimit + addition.bucket, 1);
    return true;
  }

  #fill(key: number, values: number): void {
    const buckets = this.#buckets;
    const at = buckets.atLeast(key);
    if (at === buckets.count || buckets.keys[at] !== key) buckets.insert(at, key);
    buckets.cells[at]! += values;
  }

  #addAll(others: Panes): void {
    const [sums, from] = [this.#sums, others.#sums];
    for (let i = 0; i < from.count; i++) {
      const row = this.#rowOf(from.keys[i]!);
      if (row < 0) continue;
      for (let column = 0; column < sums.width; column++)
        sums.cells[row * sums.width + column]! += from.cells[i * sums.width + column]!;
    }
    const { keys, cells, count } = others.#buckets;
    for (let i = 0; i < count; i++) {
      const pane = Math.floor(keys[i]! / bucketLimit);
      const row = sums.atLeast(pane);
      if (row < sums.count && sums.keys[row] === pane) this.#fill(keys[i]!, cells[i]!);
    }
  }

  /** Takes back what `add` was given, unless the pane is no longer kept. */
  takeBack(pane: number, addition: Addition): void {
    const row = this.#sums.atLeast(pane);
    if (row === this.#sums.count || this.#sums.keys[row] !== pane) return;
    this.#plus(row, addition, -1);
    if (addition.bucket < 0) return;
    const key = pane * bucketLimit + addition.bucket;
    const at = this.#buckets.atLeast(key);
    if (at < this.#buckets.count && this.#buckets.keys[at] === key) this.#buckets.cells[at]! -= 1;
  }

  #plus(row: number, { values, columns, count }: Addition, sign: 1 | -1): void {
    const { cells, width } = this.#sums;
    const start = row * width;
    for (let i = 0; i < count; i++) {
      const column = columns[i]!;
      cells[start + column]! += sign * values[column]!;
    }
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
    this.forget(pane - this.#most + 1);
    return sums.count - 1;
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

  /** Panes there are. */
  get size(): number {
    return this.#sums.count;
  }

  /** Appends everything to `writer`. */
  save(writer: PanesWriter): void {
    const { keys, cells, width, count } = this.#sums;
    const buckets = this.#buckets;
    writer.reserve(count, count * width, buckets.count);
    let from = 0;
    for (let row = 0; row < count; row++) {
      const firstValue = writer.valueCount;
      for (let i = 0; i < width; i++) {
        const value = cells[row * width + i]!;
        if (value === 0) continue;
        writer.columns[writer.valueCount] = i;
        writer.values[writer.valueCount++] = value;
      }
      const firstBucket = writer.bucketCount;
      const end = (keys[row]! + 1) * bucketLimit;
      for (; from < buckets.count && buckets.keys[from]! < end; from++) {
        const held = buckets.cells[from]!;
        if (held <= 0) continue;
        writer.buckets[writer.bucketCount] = buckets.keys[from]! % bucketLimit;
        writer.counts[writer.bucketCount++] = held;
      }
      writer.panes[writer.paneCount] = keys[row]!;
      writer.sizes[writer.paneCount] = writer.valueCount - firstValue;
      writer.bucketSizes[writer.paneCount++] = writer.bucketCount - firstBucket;
    }
  }

  /** Takes the next `count` panes of `reader`, beside those that are there. */
  restore(reader: PanesReader, count: number): void {
    if (this.#sums.count > 0) {
      const others = new Panes(this.#window, this.#sums.width);
      others.restore(reader, count);
      this.#addAll(others);
      return;
    }
    const { state } = reader;
    const sums = this.#sums;
    const buckets = this.#buckets;
    const [firstValue, firstBucket, firstPane] = [reader.value, reader.bucket, reader.pane];
    reader.skip(count);
    sums.begin(count);
    buckets.begin(reader.bucket - firstBucket);
    let [value, bucket] = [firstValue, firstBucket];
    for (let row = 0; row < count; row++) {
      const pane = state.panes[firstPane + row]!;
      sums.keys[row] = pane;
      for (const end = value + state.sizes[firstPane + row]!; value < end; value++)
        sums.cells[row * sums.width + state.columns[value]!] = state.values[value]!;
      for (const end = bucket + state.bucketSizes[firstPane + row]!; bucket < end; bucket++) {
        buckets.keys[bucket - firstBucket] = pane * bucketLimit + state.buckets[bucket]!;
        buckets.cells[bucket - firstBucket] = state.counts[bucket]!;
      }
    }
  }
}
