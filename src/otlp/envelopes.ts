import { grown } from './span-columns.ts';

/**
 * What stands around the spans: for each resource or scope that has spans, the byte ranges of its message except
 * those spans. Ordinals count only what was kept.
 */
export class Envelopes {
  /** How many were kept. */
  count = 0;
  /** Ranges of envelope i: [rangesFrom[i], rangesFrom[i + 1]) of `start` and `end`, in the order they stand. */
  rangesFrom = new Uint32Array(64);
  start = new Uint32Array(64);
  end = new Uint32Array(64);
  #ranges = 0;

  /** Forgets all. */
  reset(): void {
    this.count = 0;
    this.#ranges = 0;
    this.rangesFrom[0] = 0;
  }

  /** Adds the field [start, end) to the envelope being read. */
  add(start: number, end: number): void {
    const last = this.#ranges - 1;
    if (last >= this.rangesFrom[this.count]! && this.end[last] === start) {
      this.end[last] = end;
      return;
    }
    if (this.#ranges === this.start.length) {
      this.start = grown(this.start, this.#ranges * 2);
      this.end = grown(this.end, this.#ranges * 2);
    }
    this.start[this.#ranges] = start;
    this.end[this.#ranges++] = end;
  }

  /** Ends the envelope being read: it has spans, so it gets the next ordinal. */
  keep(): void {
    this.count++;
    if (this.count === this.rangesFrom.length) this.rangesFrom = grown(this.rangesFrom, this.count * 2);
    this.rangesFrom[this.count] = this.#ranges;
  }

  /** Forgets the envelope being read: it has no spans. */
  drop(): void {
    this.#ranges = this.rangesFrom[this.count]!;
  }

  /** Bytes of envelope `ordinal`. */
  sizeBytes(ordinal: number): number {
    let size = 0;
    for (let range = this.rangesFrom[ordinal]!; range < this.rangesFrom[ordinal + 1]!; range++) {
      size += this.end[range]! - this.start[range]!;
    }
    return size;
  }
}
