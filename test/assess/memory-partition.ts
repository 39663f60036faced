import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../src/core/failure.ts';
import { OwnershipLost, type Claim, type Commit, type StreamRecord } from '../../src/core/stream.ts';
import type { SpanReader } from '../../src/assess/record-taker.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';
import { LentRecords } from '../lent-records.ts';
import { span } from '../runs/spans.ts';

/** One partition of a stream, in memory, with what a group committed. */
export class MemoryPartition {
  readonly records: StreamRecord[] = [];
  readonly commits: Commit[] = [];
  readonly #partition: number;
  /** The oldest record kept. */
  start = 0;
  /** Every read of its claims. */
  reads = 0;

  constructor(partition = 0) {
    this.#partition = partition;
  }

  append(timeMs: number, spans: readonly Partial<SpanFacts>[]): void {
    const payload = Buffer.from(JSON.stringify(spans));
    this.records.push({ offset: this.records.length, timeMs, spans: spans.length, headers: {}, payload });
  }

  appendBytes(timeMs: number, payload: Uint8Array, spans: number, headers = {}): void {
    this.records.push({ offset: this.records.length, timeMs, spans, headers, payload });
  }

  /** A claim that is lost when `lost` aborts. `reached` resolves when all has been read and one more read waits. */
  claim(lost: AbortSignal): { readonly claim: Claim; readonly reached: Promise<void> } {
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    const check = (): void => {
      if (lost.aborted) throw new OwnershipLost('lost');
    };
    const memory = new LentRecords();
    const claim: Claim = {
      partition: this.#partition,
      isAtEnd: true,
      committed: this.commits.at(-1),
      lost,
      bounds: async () => {
        check();
        return Promise.resolve({ start: this.start, end: this.records.length });
      },
      read: async (offset, limitBytes) => {
        this.reads++;
        check();
        const batch: StreamRecord[] = [];
        let bytes = 0;
        for (const record of this.records.slice(Math.max(offset, this.start))) {
          if (batch.length > 0 && bytes + record.payload.length > limitBytes) break;
          batch.push(record);
          bytes += record.payload.length;
        }
        if (batch.length > 0) return memory.lend(batch);
        if (offset >= this.records.length) resolve();
        await sleep(1);
        check();
        return batch;
      },
      commit: async (commit) => {
        check();
        await Promise.resolve();
        this.commits.push(commit);
      },
    };
    return { claim, reached };
  }
}

/** Reads the spans that `append` wrote. */
export class JsonSpans implements SpanReader {
  #spans: readonly Partial<SpanFacts>[] = [];

  read(record: { readonly payload: Uint8Array }): void {
    this.#spans = [];
    try {
      this.#spans = JSON.parse(Buffer.from(record.payload).toString());
    } catch (error) {
      throw new Failure('invalid', 'not JSON', { cause: error });
    }
  }

  get count(): number {
    return this.#spans.length;
  }

  at(index: number): SpanFacts {
    return span(this.#spans[index] ?? {});
  }
}
