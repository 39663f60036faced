import { Failure } from '../../src/core/failure.ts';
import type { NewRecord, PartitionReader, StreamRecord } from '../../src/core/stream.ts';

/** The stream of a journal, in memory, which several processes share. */
export class MemoryJournal {
  readonly records: StreamRecord[] = [];
  /** Why appends fail, while they do. */
  down: Failure | undefined;
  /** Appends that are taken and of which the sender hears that they failed. */
  unheard = 0;
  start = 0;

  async consume(records: readonly NewRecord[]): Promise<void> {
    await Promise.resolve();
    if (this.down) throw this.down;
    for (const { payload, headers, spans } of records) {
      const offset = this.records.length;
      this.records.push({ offset, timeMs: 0, spans, headers, payload: Uint8Array.from(payload) });
    }
    if (this.unheard > 0) {
      this.unheard--;
      throw new Failure('unavailable', 'the answer got lost');
    }
  }

  reader(partition: number): PartitionReader {
    return {
      partition,
      isAtEnd: true,
      bounds: async () => {
        await Promise.resolve();
        if (this.down) throw this.down;
        return { start: this.start, end: this.records.length };
      },
      read: async (offset) => {
        await Promise.resolve();
        if (this.down) throw this.down;
        return this.records.slice(Math.max(offset, this.start));
      },
    };
  }

  /** The bodies of the records, as they were appended. */
  get bodies(): readonly { readonly event: string }[] {
    return this.records.map(({ payload }) => JSON.parse(Buffer.from(payload).toString()).body);
  }

  /** The names of the events, as they were appended. */
  get events(): readonly string[] {
    return this.bodies.map(({ event }) => event);
  }
}
