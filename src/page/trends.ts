const minuteMs = 60_000;
/** So long every point is kept, and after that one a minute. */
const denseMs = 10 * minuteMs;
/** So long a point is kept at all. */
const lookBackMs = 60 * minuteMs;

/** Values of one moment, of each series that there was. */
interface Point {
  readonly timeMs: number;
  /** `width` of each slot; NaN where there was no such series. */
  readonly values: Float32Array;
}

/** Where the values of a series stand in the points. */
interface Slot {
  readonly index: number;
  lastMs: number;
}

/**
 * How values went over the last hour, for charts: all points of the last ten minutes, and one a minute before. Bounded:
 * of `limit` series, those that came first; with a point every 10 s, 4 bytes for each value of about 110 points.
 */
export class Trends {
  readonly #width: number;
  readonly #limit: number;
  readonly #slots = new Map<string, Slot>();
  #free: number[] = [];
  #points: readonly Point[] = [];

  /** `width` is how many values a series has. */
  constructor({ width, limit }: { readonly width: number; readonly limit: number }) {
    this.#width = width;
    this.#limit = limit;
  }

  /** When the points were, ascending. */
  get timesMs(): readonly number[] {
    return this.#points.map(({ timeMs }) => timeMs);
  }

  /** Bytes that the points fill. */
  get bytes(): number {
    return this.#points.reduce((sum, { values }) => sum + values.byteLength, 0);
  }

  /** Adds a point at `timeMs`; those that a clock which was set back makes later ones are forgotten. */
  add(timeMs: number, series: ReadonlyMap<string, ArrayLike<number>>): void {
    const found: (readonly [Slot, ArrayLike<number>])[] = [];
    for (const [key, values] of series) {
      const slot = this.#slotOf(key);
      if (!slot) continue;
      slot.lastMs = timeMs;
      found.push([slot, values]);
    }
    const size = Math.max(0, ...found.map(([{ index }]) => index + 1));
    const point = new Float32Array(size * this.#width).fill(Number.NaN);
    for (const [{ index }, values] of found) point.set(values, index * this.#width);
    this.#points = thinned([
      ...this.#points.filter((each) => each.timeMs < timeMs),
      { timeMs, values: point },
    ]);
    this.#release();
  }

  /** Of each point what `value` makes of the values of the series `key`; null where there was no such series. */
  of(key: string, value: (values: Float32Array) => number | null): readonly (number | null)[] {
    const slot = this.#slots.get(key);
    return this.#points.map(({ values }) => {
      if (!slot) return null;
      const own = values.subarray(slot.index * this.#width, (slot.index + 1) * this.#width);
      return own.length === 0 || Number.isNaN(own[0]) ? null : value(own);
    });
  }

  clear(): void {
    this.#points = [];
    this.#slots.clear();
    this.#free = [];
  }

  #slotOf(key: string): Slot | undefined {
    const known = this.#slots.get(key);
    if (known || this.#slots.size >= this.#limit) return known;
    const slot = { index: this.#free.pop() ?? this.#slots.size, lastMs: 0 };
    this.#slots.set(key, slot);
    return slot;
  }

  /** Forgets series that are in no point any more. */
  #release(): void {
    const firstMs = this.#points[0]?.timeMs ?? 0;
    for (const [key, { index, lastMs }] of this.#slots)
      if (lastMs < firstMs) {
        this.#slots.delete(key);
        this.#free.push(index);
      }
  }
}

function thinned(points: readonly Point[]): readonly Point[] {
  const nowMs = points.at(-1)?.timeMs ?? 0;
  let lastMinute = Number.NaN;
  return points.filter(({ timeMs }) => {
    const ageMs = nowMs - timeMs;
    if (ageMs <= denseMs) return true;
    const minute = Math.floor(timeMs / minuteMs);
    const isFirst = minute !== lastMinute;
    lastMinute = minute;
    return isFirst && ageMs <= lookBackMs;
  });
}
