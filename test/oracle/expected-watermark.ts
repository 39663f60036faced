import type { Arrival } from './fleet-feed.ts';

const latenessMs = 120_000;
/** Event times may be this far ahead of the record that holds them. */
const maxAheadMs = 5000;
/** A partition where nothing came for so long holds nobody back. */
const idleAfterMs = 1000;

/** One partition: all times are milliseconds since the epoch. */
interface Progress {
  /** How far event time has come on it. */
  timeMs: number;
  /** When a record of it was read last. */
  readMs: number;
  /** Whether something was read that no snapshot has. */
  isUncommitted: boolean;
  /** What waits while nothing is handed out; undefined while all is. */
  waiting: { readonly recordMs: number; readonly newestMs: number }[] | undefined;
}

/**
 * Where the watermark must be by what arrived, and when: the smallest of the partitions' newest event times, each no more
 * than the lateness behind its newest record, over the partitions where anything comes; the clock where nothing comes.
 */
export class ExpectedWatermark {
  readonly #partitions: readonly Progress[];
  #lastMs = Number.NEGATIVE_INFINITY;
  #committedMs = Number.NEGATIVE_INFINITY;

  constructor(partitions: number) {
    const never = Number.NEGATIVE_INFINITY;
    this.#partitions = Array.from({ length: partitions }, () => ({
      timeMs: never,
      readMs: never,
      isUncommitted: false,
      waiting: undefined,
    }));
  }

  arrived({ partition, newestMs }: Arrival, nowMs: number): void {
    const progress = this.#partitions[partition]!;
    if (progress.waiting) progress.waiting.push({ recordMs: nowMs, newestMs });
    else this.#read(progress, { recordMs: nowMs, newestMs }, nowMs);
  }

  /** From now on nothing of `partition` is handed out. */
  pause(partition: number): void {
    this.#partitions[partition]!.waiting = [];
  }

  /** All that waited of `partition` is handed out at `nowMs`. */
  resume(partition: number, nowMs: number): void {
    const progress = this.#partitions[partition]!;
    for (const record of progress.waiting ?? []) this.#read(progress, record, nowMs);
    progress.waiting = undefined;
  }

  #read(
    progress: Progress,
    record: { readonly recordMs: number; readonly newestMs: number },
    nowMs: number,
  ): void {
    const { recordMs, newestMs } = record;
    const eventMs = Math.max(Math.min(newestMs, recordMs + maxAheadMs), recordMs - latenessMs);
    progress.timeMs = Math.max(progress.timeMs, eventMs);
    progress.readMs = nowMs;
    progress.isUncommitted = true;
  }

  /** A snapshot has all that was read. */
  committed(): void {
    this.#committedMs = this.#lastMs;
    for (const progress of this.#partitions) progress.isUncommitted = false;
  }

  /** The process died at `nowMs`: what no snapshot has is read again. */
  killed(nowMs: number): void {
    this.#lastMs = this.#committedMs;
    for (const progress of this.#partitions) if (progress.isUncommitted) progress.readMs = nowMs;
  }

  /** Where it is at `nowMs`, when all is read that is handed out. To be asked whenever the clock has moved: it never goes back. */
  at(nowMs: number): number {
    const busy = this.#partitions.filter(
      ({ readMs, waiting }) => waiting !== undefined || nowMs - readMs < idleAfterMs,
    );
    const smallestMs = busy.length === 0 ? nowMs : Math.min(...busy.map(({ timeMs }) => timeMs));
    this.#lastMs = Math.max(this.#lastMs, smallestMs);
    return this.#lastMs;
  }
}
