import type { StreamRecord } from '../core/stream.ts';

/** What a record takes beside its payload, in bytes: about what V8 and its headers need, so that tiny ones are bounded too. */
const overheadBytes = 512;

/**
 * The newest records of a partition, still in memory: readers that keep up need not ask the file, and share one copy.
 * Holds at most `limitBytes`, payload and overhead, the newest first of all.
 */
export class RecentRecords {
  readonly #limitBytes: number;
  #records: StreamRecord[] = [];
  /** Records at the front that are forgotten already; removed in one go, because an array shifts slowly. */
  #forgotten = 0;
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Remembers a record that is durable. Records come in the order of their offsets. */
  add(record: StreamRecord): void {
    const last = this.#records.at(-1);
    if (last && record.offset !== last.offset + 1) this.clear();
    this.#records.push(record);
    this.#bytes += record.payload.byteLength + overheadBytes;
    while (this.#bytes > this.#limitBytes) {
      this.#bytes -= (this.#records[this.#forgotten]?.payload.byteLength ?? 0) + overheadBytes;
      this.#forgotten += 1;
    }
    if (this.#forgotten * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#forgotten);
      this.#forgotten = 0;
    }
  }

  /** Records from `offset` on, one at least and about `limitBytes`; undefined when the one at `offset` is not remembered. */
  read(offset: number, limitBytes: number): readonly StreamRecord[] | undefined {
    const first = this.#records[this.#forgotten];
    if (!first || offset < first.offset) return undefined;
    const from = this.#forgotten + offset - first.offset;
    if (from >= this.#records.length) return undefined;
    let to = from;
    let bytes = 0;
    do bytes += this.#records[to++]?.payload.byteLength ?? 0;
    while (to < this.#records.length && bytes + (this.#records[to]?.payload.byteLength ?? 0) <= limitBytes);
    return this.#records.slice(from, to);
  }

  clear(): void {
    this.#records = [];
    this.#forgotten = 0;
    this.#bytes = 0;
  }
}
