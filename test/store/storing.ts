import { OwnershipLost, type NewRecord } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { DeadLetters } from '../../src/store/dead-letters.ts';
import { SpanEncoder } from '../../src/store/span-encoder.ts';
import { defaultSettings, Store } from '../../src/store/store.ts';
import type { Table } from '../../src/store/table.ts';
import type { StoreSettings } from '../../src/store/tenure.ts';
import { until } from '../until.ts';
import { silentLog } from './embedded.ts';
import { MemoryPartition } from './memory-stream.ts';
import { requestOf } from './span-requests.ts';

const enricher = new Enricher({ content: { mode: 'drop' } });

/** A store at work on a stream of one partition in memory. */
export class Storing {
  readonly partition = new MemoryPartition();
  /** What became a dead letter. */
  readonly letters: NewRecord[] = [];
  readonly #streamId: string;
  readonly #settings: Partial<StoreSettings>;
  #store: Store | undefined;
  #work: Promise<void> = Promise.resolve();
  #stop = new AbortController();
  #lose = new AbortController();

  constructor(streamId: string, settings: Partial<StoreSettings> = {}) {
    this.#streamId = streamId;
    this.#settings = settings;
    this.partition.timeMs = Date.now();
  }

  /** Appends request `n`, enriched. */
  append(n: number, spans: number): void {
    for (const { payload, headers } of enricher.enrich(requestOf(n, spans), 1).records)
      this.partition.append(payload, spans, headers);
  }

  /** A process begins to store into `table`. The one before it is not told. */
  begin(table: Table): void {
    this.#stop = new AbortController();
    this.#lose = new AbortController();
    this.#store = new Store(
      { id: this.#streamId },
      {
        table,
        encoder: new SpanEncoder(new EnrichedSpans(enricher)),
        deadLetters: new DeadLetters({
          consume: async (letters) => {
            this.letters.push(...letters);
            return Promise.resolve();
          },
        }),
        telemetry: new Telemetry(),
        log: silentLog,
        settings: {
          ...defaultSettings,
          verifyMs: 0,
          flushIntervalMs: 10,
          backoff: { initialMs: 5, maxMs: 20 },
          ...this.#settings,
        },
      },
    );
    this.#work = this.#store.worker(this.partition.claim(this.#lose.signal), this.#stop.signal);
    this.#work.catch(() => undefined); // whoever waits for it is told
  }

  /** Why spans do not flow; undefined while they do. */
  get stall(): string | undefined {
    return this.#store?.stall(1);
  }

  /** The process that stores loses its claim and does not know yet; what it does from now on is its own matter. */
  orphan(): void {
    this.#lose.abort(new OwnershipLost('lost'));
  }

  /** Resolves when everything appended is stored or dead. */
  async drained(): Promise<void> {
    await Promise.race([until('everything is stored', () => this.partition.isDrained), this.#work]);
  }

  /** Stops in order. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }
}
