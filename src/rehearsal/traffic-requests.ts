import { crc32 } from 'node:zlib';
import { encodeSpans, type MadeSpan, type Values } from './encode-spans.ts';
import { makeBelieveRun } from './make-believe-run.ts';
import { randomOf } from './random.ts';
import { behaviourAt, changesOf, type ReleaseTraffic, type Traffic } from './traffic.ts';

/** What one process of a release sends at once. */
export interface TrafficRequest {
  /** When it is sent, in milliseconds since the epoch. */
  readonly timeMs: number;
  readonly release: string;
  /** An ExportTraceServiceRequest in protobuf. */
  readonly payload: Uint8Array;
  readonly spans: number;
}

const minuteMs = 60_000;

/**
 * The requests that `traffic` describes when it begins at `startMs`, in the order in which they are sent: the same for
 * the same two, whatever else there is. Each release is a process that sends what ended since it sent last, so that the
 * model and tool calls of a long run arrive before its end, as those of real exporters do.
 */
export function* trafficRequests(traffic: Traffic, startMs: number): Generator<TrafficRequest> {
  const everyMs = traffic.export_seconds * 1000;
  const processes = traffic.releases.map((release, i) => new ReleaseProcess(traffic, release, i, startMs));
  for (let round = 1; processes.some(({ isOver }) => !isOver); round++)
    for (const [i, process] of processes.entries()) {
      const request = process.exported(
        startMs + Math.round((round - 1 + (i + 1) / processes.length) * everyMs),
      );
      if (request) yield request;
    }
}

/** When the last run of `traffic` that begins at `startMs` has begun, in milliseconds since the epoch. */
export function trafficEndMs(traffic: Traffic, startMs: number): number {
  return startMs + traffic.minutes * minuteMs;
}

/** The process of one release: begins runs, and exports what ended. */
class ReleaseProcess {
  readonly #traffic: Traffic;
  readonly #release: ReleaseTraffic;
  readonly #startMs: number;
  readonly #random: () => number;
  readonly #resource: Values;
  /** Names its runs. */
  readonly #name: string;
  readonly #beginnings: Iterator<number>;
  /** When its next run begins, in minutes; undefined when it begins no more. */
  #nextMinute: number | undefined;
  #runs = 0;
  /** Spans that are still to end. */
  #pending: MadeSpan[] = [];

  /** `place` is that of the release in the traffic: with the seed it decides how its runs go. */
  constructor(traffic: Traffic, release: ReleaseTraffic, place: number, startMs: number) {
    const { agent, environment, seed } = traffic;
    this.#traffic = traffic;
    this.#release = release;
    this.#startMs = startMs;
    this.#name = JSON.stringify([agent, environment, release.release, seed, startMs]);
    this.#random = randomOf(crc32(`${seed} ${place}`));
    this.#resource = {
      'service.name': agent,
      'service.version': release.release,
      'deployment.environment.name': environment,
    };
    this.#beginnings = beginningsOf(traffic, release, randomOf(crc32(`${seed} ${place} begins`)));
    this.#nextMinute = this.#beginning();
  }

  get isOver(): boolean {
    return this.#nextMinute === undefined && this.#pending.length === 0;
  }

  /** What ended by `nowMs` and was not exported; undefined when that is nothing. */
  exported(nowMs: number): TrafficRequest | undefined {
    while (this.#nextMinute !== undefined && this.#startMs + this.#nextMinute * minuteMs < nowMs) {
      this.#begin(this.#nextMinute);
      this.#nextMinute = this.#beginning();
    }
    const ended = this.#pending.filter(({ endMs }) => endMs <= nowMs);
    if (ended.length === 0) return undefined;
    this.#pending = this.#pending.filter(({ endMs }) => endMs > nowMs);
    const payload = encodeSpans(
      this.#resource,
      ended.toSorted((a, b) => a.endMs - b.endMs),
    );
    return { timeMs: nowMs, release: this.#release.release, payload, spans: ended.length };
  }

  #beginning(): number | undefined {
    const next = this.#beginnings.next();
    return next.done ? undefined : next.value;
  }

  #begin(atMinute: number): void {
    const run = this.#runs++;
    const session = Math.floor(run / this.#traffic.runs_per_session);
    const place = {
      traffic: this.#traffic,
      name: `${this.#name} ${run}`,
      sessionId: `${this.#traffic.seed}-${this.#release.release}-${session}`,
      startMs: this.#startMs + atMinute * minuteMs,
    };
    const behaviour = behaviourAt(this.#traffic, this.#release, atMinute);
    this.#pending.push(...makeBelieveRun(place, behaviour, this.#random));
  }
}

/** The minutes at which runs of `release` begin: a Poisson process whose rate changes as `traffic` says. */
function* beginningsOf(
  traffic: Traffic,
  release: ReleaseTraffic,
  random: () => number,
): Generator<number, void> {
  const { from = 0, until = traffic.minutes } = release;
  let at = from;
  for (const end of [...changesOf(traffic, release), Math.min(until, traffic.minutes)]) {
    const { runs_per_minute: rate } = behaviourAt(traffic, release, at);
    for (let next = at; ;) {
      next -= Math.log1p(-random()) / rate;
      if (next >= end) break;
      yield next;
    }
    at = end; // a Poisson process has no memory: it is begun anew with another rate
  }
}
