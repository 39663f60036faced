import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../src/core/failure.ts';
import type { NewRecord, PartitionReader, StreamRecord } from '../../src/core/stream.ts';
import type { StateStream } from '../../src/assess/state-log.ts';

/** A stream of snapshots, in memory. */
export class MemoryStates implements StateStream {
  id = 'states';
  readonly recordLimitBytes: number;
  readonly records: StreamRecord[] = [];
  /** The oldest record kept. */
  start = 0;
  /** Whether it takes nothing. */
  isFull = false;
  /** How many records it keeps, the newest. */
  keeps = Infinity;
  /** So many reads find nothing, as if the stream could not be read for a while. */
  emptyReads = 0;
  /** While it is set, nobody gets an answer before it resolves. */
  silent: Promise<void> | undefined;
  /** While it is set, appends wait for it. */
  slow: Promise<void> | undefined;

  constructor(recordLimitBytes = Number.POSITIVE_INFINITY) {
    this.recordLimitBytes = recordLimitBytes;
  }

  async consume(records: readonly NewRecord[]): Promise<void> {
    await this.slow;
    if (this.isFull) throw new Failure('overloaded', 'the stream plimsoll_state is full');
    for (const { payload, headers } of records)
      this.records.push({
        offset: this.records.length,
        timeMs: 0,
        spans: 0,
        headers,
        payload: Buffer.from(payload),
      });
    this.start = Math.max(this.start, this.records.length - this.keeps);
  }

  reader(): PartitionReader {
    return {
      partition: 0,
      isAtEnd: true,
      bounds: async () => {
        await this.silent;
        return { start: this.start, end: this.records.length };
      },
      read: async (offset) => {
        await sleep(0);
        if (this.emptyReads-- > 0) return [];
        return this.records.slice(Math.max(offset, this.start)).slice(0, 2);
      },
    };
  }
}
