import type { StreamRecord } from '../core/stream.ts';
import type { ReadMemory } from './read-memory.ts';

/** What a record takes beside its payload, in bytes: about what V8 and its headers need, so that tiny ones are bounded too. */
const overheadBytes = 512;

/** A record of which the payload stands at `at` in the ring. */
interface Entry {
  readonly record: Omit<StreamRecord, 'payload'>;
  readonly at: number;
  readonly payloadBytes: number;
}

/**
 * The newest records of a partition, still in memory, so that readers that keep up need not ask the file. One ring of
 * `limitBytes` holds copies of them all: memory that came and went with every record would have the garbage collector
 * walk the heap every few requests. A record stands in one piece, so up to the size of one stays unused at its end.
 */
export class RecentRecords {
  readonly #limitBytes: number;
  #ring: Buffer | undefined;
  /** In the order of their offsets, which have no gap. */
  #entries: Entry[] = [];
  /** Entries at the front that are forgotten already; removed in one go, because an array shifts slowly. */
  #forgotten = 0;
  /** Where the next record goes. */
  #at = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Remembers a copy of a record that is durable. Records come in the order of their offsets. */
  add({ payload, ...record }: StreamRecord): void {
    const last = this.#entries.at(-1);
    if (last && record.offset !== last.record.offset + 1) this.clear();
    const roomBytes = payload.byteLength + overheadBytes;
    if (roomBytes > this.#limitBytes) {
      this.clear();
      return;
    }
    const at = this.#at + roomBytes <= this.#limitBytes ? this.#at : 0;
    if (at === 0) this.#forget(this.#at, this.#limitBytes);
    this.#forget(at, at + roomBytes);
    this.#ring ??= Buffer.allocUnsafeSlow(this.#limitBytes);
    this.#ring.set(payload, at);
    this.#entries.push({ record, at, payloadBytes: payload.byteLength });
    this.#at = at + roomBytes;
    if (this.#forgotten * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#forgotten);
      this.#forgotten = 0;
    }
  }

  /** Forgets the oldest records as long as they stand in [from, to) of the ring. */
  #forget(from: number, to: number): void {
    for (;;) {
      const oldest = this.#entries[this.#forgotten];
      if (!oldest || oldest.at >= to || oldest.at + oldest.payloadBytes + overheadBytes <= from) return;
      this.#forgotten += 1;
    }
  }

  /**
   * Records from `offset` on, one at least and about `limitBytes`; undefined when the one at `offset` is not remembered.
   * Their payloads are copied to `memory`, because the ring will be written over.
   */
  read(offset: number, limitBytes: number, memory: ReadMemory): readonly StreamRecord[] | undefined {
    const first = this.#entries[this.#forgotten];
    if (!this.#ring || !first || offset < first.record.offset) return undefined;
    const from = this.#forgotten + offset - first.record.offset;
    if (from >= this.#entries.length) return undefined;
    let to = from;
    let bytes = 0;
    do bytes += this.#entries[to++]?.payloadBytes ?? 0;
    while (to < this.#entries.length && bytes + (this.#entries[to]?.payloadBytes ?? 0) <= limitBytes);
    const ring = this.#ring;
    return this.#entries.slice(from, to).map(({ record, at, payloadBytes }) => ({
      ...record,
      payload: memory.copy(ring.subarray(at, at + payloadBytes)),
    }));
  }

  clear(): void {
    this.#entries = [];
    this.#forgotten = 0;
    this.#at = 0;
  }
}
