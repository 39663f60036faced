import type {
  Commit,
  Headers,
  NewRecord,
  PartitionReader,
  Stream,
  StreamConsumer,
  StreamRecord,
} from '../core/stream.ts';
import type { Clock } from '../core/clock.ts';

/** A stream of one partition that lives as long as the process, for rehearsals: nothing of it is kept, and no group reads it. */
export class MemoryStream implements Stream {
  readonly name = 'stream in memory';
  readonly id = 'memory';
  readonly partitions = 1;
  readonly recordLimitBytes = Number.POSITIVE_INFINITY;
  readonly fault = undefined;
  readonly #clock: Clock;
  readonly #records: StreamRecord[] = [];

  /** `clock` says when records are appended. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  /** Appends copies. */
  async consume(batch: readonly NewRecord[]): Promise<void> {
    for (const { payload, spans, headers } of batch) this.#append(Uint8Array.from(payload), spans, headers);
  }

  #append(payload: Uint8Array, spans: number, headers: Headers): void {
    const offset = this.#records.length;
    this.#records.push({ offset, timeMs: this.#clock.nowMs(), spans, headers, payload });
  }

  /** Throws: nobody reads it in a group. */
  consumer(): StreamConsumer {
    throw new Error('a stream in memory has no groups');
  }

  /** Its reads do not wait. */
  reader(partition: number): PartitionReader {
    return {
      partition,
      isAtEnd: true,
      bounds: async () => ({ start: 0, end: this.#records.length }),
      read: async (offset) => this.#records.slice(offset),
    };
  }

  async committed(): Promise<Commit | undefined> {
    return undefined;
  }

  appendedSpans(): number {
    return this.#records.reduce((sum, { spans }) => sum + spans, 0);
  }
}
