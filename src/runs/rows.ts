/** No row: the end of a chain. */
export const none = -1;

const firstCapacity = 1024;

/** Rows, as a snapshot keeps them. */
export interface RowsState {
  readonly count: number;
  readonly used: number;
  readonly free: number;
  readonly cells: Float64Array;
}

/**
 * Rows of numbers that come and go, in one buffer that grows: what is remembered by the hundred thousand would, as
 * objects, be walked by every garbage collection. A row is named by its ordinal and is seen as doubles (cells), as
 * 32-bit words, two to a cell, or as bytes. The three views are replaced when the rows grow.
 */
export class Rows {
  cells = new Float64Array(0);
  words = new Int32Array(0);
  bytes = Buffer.alloc(0);
  readonly #cellCount: number;
  #count = 0;
  #capacity = 0;
  #used = 0;
  /** Rows given back; the first word of each names the next. */
  #free = none;

  /** `cellCount` is the width of a row. */
  constructor(cellCount: number) {
    this.#cellCount = cellCount;
    this.#grow();
  }

  /** Rows in use. */
  get count(): number {
    return this.#count;
  }

  /** Rows there is memory for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** A row of zeros. */
  take(): number {
    this.#count++;
    const row = this.#free;
    if (row === none) {
      if (this.#used === this.#capacity) this.#grow();
      return this.#used++;
    }
    const { cells } = this;
    const at = row * this.#cellCount;
    const end = at + this.#cellCount;
    this.#free = this.words[at * 2]!;
    for (let cell = at; cell < end; cell++) cells[cell] = 0;
    return row;
  }

  /** Takes `row` back; nobody may name it any more. */
  give(row: number): void {
    this.#count--;
    this.words[row * this.#cellCount * 2] = this.#free;
    this.#free = row;
  }

  #grow(): void {
    this.#resize(Math.max(firstCapacity, this.#capacity * 2), this.cells);
  }

  #resize(capacity: number, from: Float64Array): void {
    const cells = new Float64Array(capacity * this.#cellCount);
    cells.set(from);
    this.#capacity = capacity;
    this.cells = cells;
    this.words = new Int32Array(cells.buffer);
    this.bytes = Buffer.from(cells.buffer);
  }

  /** All rows, lent until one changes. */
  save(): RowsState {
    const cells = this.cells.subarray(0, this.#used * this.#cellCount);
    return { count: this.#count, used: this.#used, free: this.#free, cells };
  }

  /** Makes these rows those that were saved. */
  restore({ count, used, free, cells }: RowsState): void {
    this.#count = count;
    this.#used = used;
    this.#free = free;
    this.#resize(Math.max(firstCapacity, used), cells);
  }
}
