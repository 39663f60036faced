import { none, type Rows } from './rows.ts';

/** The words of an indexed row that are the index's own, and the one of them that names the next row of a chain. */
export const indexWords = 2;
export const nextWord = 0;
const hashWord = 1;

const firstLength = 1024;

/** Finds rows by a hash of what they say: walk from `first` on along `after`, or `nextWord`, and compare. */
export class RowIndex {
  readonly #rows: Rows;
  readonly #wordCount: number;
  /** First row of each chain; a power of two of them. */
  #heads = new Int32Array(firstLength).fill(none);
  #count = 0;

  /** `wordCount` is the width of a row. */
  constructor(rows: Rows, wordCount: number) {
    this.#rows = rows;
    this.#wordCount = wordCount;
  }

  /** The first row that may have `hash`, or `none`. */
  first(hash: number): number {
    return this.#heads[hash & (this.#heads.length - 1)]!;
  }

  /** The next such row, or `none`. */
  after(row: number): number {
    return this.#rows.words[row * this.#wordCount + nextWord]!;
  }

  add(row: number, hash: number): void {
    this.#rows.words[row * this.#wordCount + hashWord] = hash;
    if (this.#count++ === this.#heads.length) this.#grow();
    this.#chain(row, hash);
  }

  remove(row: number): void {
    this.#count--;
    const { words } = this.#rows;
    const next = this.after(row);
    const place = words[row * this.#wordCount + hashWord]! & (this.#heads.length - 1);
    let before = this.#heads[place]!;
    if (before === row) {
      this.#heads[place] = next;
      return;
    }
    while (this.after(before) !== row) before = this.after(before);
    words[before * this.#wordCount + nextWord] = next;
  }

  /** The heads of the chains, lent until a row is added or removed; the chains themselves are in the rows. */
  save(): Int32Array {
    return this.#heads;
  }

  /** Finds the rows that were found through `heads`, which are restored, by the hashes of this process. */
  restore(heads: Int32Array, hashOf: (row: number) => number): void {
    this.#heads = new Int32Array(heads.length).fill(none);
    this.#count = 0;
    for (let row of heads) {
      while (row !== none) {
        const next = this.after(row);
        this.add(row, hashOf(row));
        row = next;
      }
    }
  }

  #chain(row: number, hash: number): void {
    const place = hash & (this.#heads.length - 1);
    this.#rows.words[row * this.#wordCount + nextWord] = this.#heads[place]!;
    this.#heads[place] = row;
  }

  #grow(): void {
    const heads = this.#heads;
    this.#heads = new Int32Array(heads.length * 4).fill(none);
    for (let row of heads) {
      while (row !== none) {
        const next = this.after(row);
        this.#chain(row, this.#rows.words[row * this.#wordCount + hashWord]!);
        row = next;
      }
    }
  }
}

/**
 * Ids are the senders' choice: without numbers that they cannot know, they could choose such that all fall into one
 * chain. Nobody else sees these: rows are found whatever the order of a chain.
 */
const [seed = 0, factor = 1] = crypto.getRandomValues(new Int32Array(2));
const oddFactor = factor | 1;

/** Spreads the bits of two words over 32 bits, in every process in another way. */
export function mixed(high: number, low: number): number {
  let hash = Math.imul(high ^ seed, oddFactor) ^ low;
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13), 0x9e3779b1);
  return hash ^ (hash >>> 16);
}
