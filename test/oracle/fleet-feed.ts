import { Draw } from '../faults/draw.ts';
import type { KpiEngine } from '../kpi-cases/kpi-engine.ts';
import { encodeRequest, type OracleResourceSpans } from '../otlp/oracle.ts';
import { Fleet, type Delivery } from './fleet.ts';

/** Spans of a run, about. */
const spansPerRun = 5.9;
/** No run begins so near to the end: what comes late shall still come. */
const quietMs = 15 * 60_000;

/** How much a fleet sends, from when on, for how long, and over how many partitions. */
export interface FeedShape {
  readonly seed: number;
  readonly spans: number;
  readonly startMs: number;
  readonly lengthMs: number;
  readonly partitions: number;
}

/** What a fleet sends, in the order in which it arrives. */
export class FleetFeed {
  readonly #deliveries: readonly Delivery[];
  readonly #partitions: number;
  #next = 0;

  constructor({ seed, spans, startMs, lengthMs, partitions }: FeedShape) {
    const draw = new Draw(seed);
    const fleet = new Fleet(seed, partitions);
    this.#partitions = partitions;
    this.#deliveries = Array.from({ length: Math.ceil(spans / spansPerRun) }, () =>
      fleet.run(startMs + draw.between(0, lengthMs - quietMs)),
    )
      .flat()
      .toSorted((a, b) => a.arrivesMs - b.arrivesMs);
  }

  /** Spans that arrived. */
  get sent(): number {
    return this.#next;
  }

  /** Gives `engine` what has arrived by its clock, one request a partition. */
  deliver(engine: KpiEngine): void {
    const batches = Array.from({ length: this.#partitions }, (): OracleResourceSpans[] => []);
    for (let next = this.#deliveries[this.#next]; next && next.arrivesMs <= engine.nowMs;) {
      batches[next.partition]!.push(next.spans);
      next = this.#deliveries[++this.#next];
    }
    for (const [partition, resourceSpans] of batches.entries())
      if (resourceSpans.length > 0) engine.append(partition, encodeRequest({ resourceSpans }));
  }
}
