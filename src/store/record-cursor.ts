import type { Claim, Position, StreamRecord } from '../core/stream.ts';

const readBytes = 4 * 1024 * 1024;

/** Reads the records of a claim one after another, a few MiB at a time. */
export class RecordCursor {
  readonly #claim: Claim;
  #records: readonly StreamRecord[] = [];
  #next = 0;
  #offset: number;

  constructor(claim: Claim, from: Position) {
    this.#claim = claim;
    this.#offset = from.offset;
  }

  /** The next record, which stays the next until `advance`; undefined when none arrived within `waitMs`. */
  async peek(waitMs: number): Promise<StreamRecord | undefined> {
    if (this.#next >= this.#records.length) {
      this.#records = await this.#claim.read(this.#offset, readBytes, waitMs);
      this.#next = 0;
    }
    return this.#records[this.#next];
  }

  /** Goes past the record that `peek` returned. */
  advance(): void {
    const record = this.#records[this.#next];
    if (record === undefined) return;
    this.#offset = record.offset + 1;
    this.#next++;
  }
}
