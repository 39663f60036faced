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

/** What a fleet sends, in the order in which it arrives. Runs are made when they begin. */
export class FleetFeed {
  readonly #fleet: Fleet;
  readonly #partitions: number;
  /** When runs begin, the last one first. */
  readonly #startsMs: number[];
  /** What was sent and has not arrived. */
  #underway: Delivery[] = [];
  #sent = 0;

  constructor({ seed, spans, startMs, lengthMs, partitions }: FeedShape) {
    const draw = new Draw(seed);
    this.#fleet = new Fleet(seed, partitions);
    this.#partitions = partitions;
    this.#startsMs = Array.from(
      { length: Math.ceil(spans / spansPerRun) },
      () => startMs + draw.between(0, lengthMs - quietMs),
    ).toSorted((a, b) => b - a);
  }

  /** Spans that arrived. */
  get sent(): number {
    return this.#sent;
  }

  /** Gives `engine` what has arrived by its clock, one request a partition. */
  deliver(engine: KpiEngine): void {
    for (
      let last = this.#startsMs.at(-1);
      last !== undefined && last <= engine.nowMs;
      last = this.#startsMs.at(-1)
    ) {
      this.#underway.push(...this.#fleet.run(last));
      this.#startsMs.pop();
    }
    const hasArrived = ({ arrivesMs }: Delivery): boolean => arrivesMs <= engine.nowMs;
    const arrived = this.#underway.filter(hasArrived).toSorted((a, b) => a.arrivesMs - b.arrivesMs);
    this.#underway = this.#underway.filter((delivery) => !hasArrived(delivery));
    this.#sent += arrived.length;
    const batches = Array.from({ length: this.#partitions }, (): OracleResourceSpans[] => []);
    for (const { partition, spans } of arrived) batches[partition]!.push(spans);
    for (const [partition, resourceSpans] of batches.entries())
      if (resourceSpans.length > 0) engine.append(partition, encodeRequest({ resourceSpans }));
  }
}
