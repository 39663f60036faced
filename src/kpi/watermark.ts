/** A partition of which nobody has heard for so long is not read: it may be anything but idle. */
const unheardMs = 5000;

/** How far event time has come on one partition. */
interface Progress {
  /** Newest event time, but no more than the lateness behind the newest record. */
  timeMs: number;
  /** Clock time of the last record. */
  arrivedMs: number;
  /** Clock time of the last read, if that found nothing more; else -Infinity. */
  exhaustedMs: number;
  /** Everything that was on the stream when the claim began has been read. */
  caughtUp: boolean;
  /** Events from this time on have all been read; -Infinity when nothing was ever missed. */
  coveredSinceMs: number;
}

/** A watermark as plain data: numbers by partition, in the order in which partitions were claimed. */
export interface WatermarkState {
  readonly partitions: Float64Array;
  readonly timesMs: Float64Array;
  readonly arrivedMs: Float64Array;
  readonly coveredSinceMs: Float64Array;
  readonly exhaustedMs: Float64Array;
  /** 1 where it is so. */
  readonly caughtUp: Uint8Array;
  readonly lastMs: number;
}

/** Durations in milliseconds. */
export interface WatermarkSettings {
  readonly latenessMs: number;
  /** A partition with nothing to read for this long holds nobody back. */
  readonly idleAfterMs: number;
}

/**
 * The event time up to which windows have slid. It is the smallest of the partitions' own newest event times, so
 * that a skewed clock or a replayed partition slides nobody else's window away; idle partitions are left out, and
 * when all are idle the clock moves it. It never goes back.
 */
export class Watermark {
  readonly #settings: WatermarkSettings;
  readonly #partitions = new Map<number, Progress>();
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(settings: WatermarkSettings) {
    this.#settings = settings;
  }

  /**
   * Begins to read `partition`, from its beginning or where a restored state stands; it holds the watermark until it
   * delivers or is found exhausted.
   */
  claim(partition: number): void {
    const restored = this.#partitions.get(partition);
    if (restored) {
      restored.exhaustedMs = Number.NEGATIVE_INFINITY;
      restored.caughtUp = false;
    } else
      this.#partitions.set(partition, {
        timeMs: Number.NEGATIVE_INFINITY,
        arrivedMs: Number.NEGATIVE_INFINITY,
        exhaustedMs: Number.NEGATIVE_INFINITY,
        caughtUp: false,
        coveredSinceMs: Number.POSITIVE_INFINITY,
      });
  }

  /** All events of `partition` since `sinceMs` are being read; -Infinity when none was ever missed. */
  cover(partition: number, sinceMs: number): void {
    const progress = this.#partitions.get(partition);
    if (progress) progress.coveredSinceMs = sinceMs;
  }

  /** Records of `partition` up to the one appended at `recordMs` have been read; the newest event in them is `eventMs`. */
  advance(partition: number, eventMs: number, recordMs: number, nowMs: number): void {
    const progress = this.#partitions.get(partition);
    if (!progress) return;
    progress.timeMs = Math.max(progress.timeMs, eventMs, recordMs - this.#settings.latenessMs);
    progress.arrivedMs = nowMs;
    progress.exhaustedMs = Number.NEGATIVE_INFINITY;
  }

  /** Reading `partition` found nothing more at `nowMs`. To be said again and again: it is idle only as long as that is known. */
  exhaust(partition: number, nowMs: number): void {
    const progress = this.#partitions.get(partition);
    if (progress) progress.exhaustedMs = nowMs;
  }

  /** What was on `partition` when it was claimed has been read. */
  catchUp(partition: number): void {
    const progress = this.#partitions.get(partition);
    if (progress) progress.caughtUp = true;
  }

  /** The watermark when it was last moved on; -Infinity before. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Moves on to where the watermark is at `nowMs`, and returns it as `at` does. */
  moveOn(nowMs: number): number | undefined {
    const timeMs = this.at(nowMs);
    if (timeMs !== undefined) this.#lastMs = timeMs;
    return timeMs;
  }

  /** The watermark as of the clock, in milliseconds since the epoch; undefined until anything is known. */
  at(nowMs: number): number | undefined {
    let smallest = Number.POSITIVE_INFINITY;
    for (const progress of this.#partitions.values()) {
      const isHeard = nowMs - progress.exhaustedMs <= unheardMs;
      const idle = isHeard && nowMs - progress.arrivedMs >= this.#settings.idleAfterMs;
      if (!idle && progress.timeMs < smallest) smallest = progress.timeMs;
    }
    if (smallest === Number.POSITIVE_INFINITY && this.#partitions.size > 0) smallest = nowMs;
    const timeMs = smallest === Number.POSITIVE_INFINITY ? this.#lastMs : Math.max(smallest, this.#lastMs);
    return timeMs === Number.NEGATIVE_INFINITY ? undefined : timeMs;
  }

  /** Newest event time on any partition; -Infinity before any. */
  get newestMs(): number {
    return Math.max(this.#lastMs, ...[...this.#partitions.values()].map(({ timeMs }) => timeMs));
  }

  /** Whether every event since `sinceMs` that has arrived on a claimed partition has been read. */
  covers(sinceMs: number): boolean {
    const partitions = [...this.#partitions.values()];
    return partitions.length > 0 && partitions.every((one) => one.caughtUp && one.coveredSinceMs <= sinceMs);
  }

  /** Since when events of `partition` have all been read. */
  coveredSinceMs(partition: number): number {
    return this.#partitions.get(partition)?.coveredSinceMs ?? Number.POSITIVE_INFINITY;
  }

  save(): WatermarkState {
    const all = [...this.#partitions.values()];
    return {
      partitions: Float64Array.from(this.#partitions.keys()),
      timesMs: Float64Array.from(all, ({ timeMs }) => timeMs),
      arrivedMs: Float64Array.from(all, ({ arrivedMs }) => arrivedMs),
      coveredSinceMs: Float64Array.from(all, ({ coveredSinceMs }) => coveredSinceMs),
      exhaustedMs: Float64Array.from(all, ({ exhaustedMs }) => exhaustedMs),
      caughtUp: Uint8Array.from(all, ({ caughtUp }) => Number(caughtUp)),
      lastMs: this.#lastMs,
    };
  }

  /** Replaces everything by what `save` gave. */
  restore(state: WatermarkState): void {
    this.#partitions.clear();
    state.partitions.forEach((partition, i) =>
      this.#partitions.set(partition, {
        timeMs: state.timesMs[i]!,
        arrivedMs: state.arrivedMs[i]!,
        exhaustedMs: state.exhaustedMs[i]!,
        caughtUp: state.caughtUp[i] === 1,
        coveredSinceMs: state.coveredSinceMs[i]!,
      }),
    );
    this.#lastMs = state.lastMs;
  }
}
