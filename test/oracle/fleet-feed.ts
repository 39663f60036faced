import { Draw } from '../faults/draw.ts';
import type { KpiEngine } from '../kpi-cases/kpi-engine.ts';
import { encodeRequest } from '../otlp/oracle.ts';
import { Fleet, type Delivery } from './fleet.ts';

/** Spans of a run, about. */
const spansPerRun = 5.2;
/** No run begins so near to the end: what comes late shall still come. */
const quietMs = 15 * 60_000;

/** How much a fleet sends, from when on, for how long, and over how many partitions. */
export interface FeedShape {
  readonly seed: number;
  readonly spans: number;
  readonly startMs: number;
  readonly lengthMs: number;
  /** Of each partition, by how much the clock of its senders is ahead. */
  readonly clocksMs: readonly number[];
}

/** What came on a partition at once: the latest end in it, in milliseconds since the epoch. */
export interface Arrival {
  readonly partition: number;
  readonly newestMs: number;
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

  constructor({ seed, spans, startMs, lengthMs, clocksMs }: FeedShape) {
    const draw = new Draw(seed);
    this.#fleet = new Fleet(seed, clocksMs);
    this.#partitions = clocksMs.length;
    this.#startsMs = Array.from(
      { length: Math.ceil(spans / spansPerRun) },
      () => startMs + draw.between(0, lengthMs - quietMs),
    ).toSorted((a, b) => b - a);
  }

  /** Spans that arrived. */
  get sent(): number {
    return this.#sent;
  }

  /** Gives `engine` what has arrived by its clock, one request a partition, and says what that was. */
  deliver(engine: KpiEngine): readonly Arrival[] {
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
    const batches = Array.from({ length: this.#partitions }, (): Delivery[] => []);
    for (const delivery of arrived) batches[delivery.partition]!.push(delivery);
    return batches.flatMap((batch, partition) => {
      if (batch.length === 0) return [];
      engine.append(partition, encodeRequest({ resourceSpans: batch.map(({ spans }) => spans) }));
      return [{ partition, newestMs: Math.max(...batch.map(({ endMs }) => endMs)) }];
    });
  }
}
