import { labelValue, overflow } from '../semconv/label-value.ts';

/** One set of label values and what is kept of it. */
export interface Series<T> {
  readonly values: readonly string[];
  readonly state: T;
  /** It is an overflow entry. */
  readonly isRest: boolean;
  newestMs: number;
  /** When it began, by the clock; Infinity until the first `expire` after that. */
  bornMs: number;
  /** Its place in the latest state that was saved; -1 before, and once it is forgotten. */
  index: number;
  /** False once it is forgotten. */
  kept: boolean;
}

/** The series of a table as plain data. */
export interface SeriesState {
  /** All values of the first series, then those of the next. */
  readonly values: readonly string[];
  readonly newestMs: Float64Array;
  readonly bornMs: Float64Array;
  readonly overflowed: number;
}

/** What is kept below the first few label values, by the next one; below the last one, the series. */
class Branch<T> {
  readonly below = new Map<string, Branch<T>>();
  series: Series<T> | undefined;
  /** Series at and below it. */
  count = 0;
}

/** An agent may have so many times as many series as there are free ones. */
const shareOfFree = 3;

/**
 * State by label values, of which the first is the agent, for at most `limit` sets of them: what comes beyond goes to
 * overflow entries, so that totals stay right and memory stays bounded. Values come from outside and are cleaned.
 *
 * Room is shared fairly, as switches share their buffers (Choudhury and Hahne: "Dynamic queue length thresholds", 1998):
 * an agent gets a new series while it has less than three times as many as are free. One agent alone can take three
 * quarters of the room, two can take three sevenths each, and there is always some left for the next. What an agent has
 * beyond that shares an entry under its own name, with `overflow` for its other labels; agents for which there is no
 * room at all share one with `overflow` for all labels. Series that are there stay, whoever comes; room is given back as
 * series expire.
 */
export class SeriesTable<T> {
  readonly #limit: number;
  readonly #depth: 3 | 4;
  readonly #create: () => T;
  readonly #root = new Branch<T>();
  readonly #all = new Set<Series<T>>();
  #overflowed = 0;

  /** `depth` is the number of labels. */
  constructor(limit: number, depth: 3 | 4, create: () => T) {
    this.#limit = limit;
    this.#depth = depth;
    this.#create = create;
  }

  /** How many events went to the overflow entry. */
  get overflowed(): number {
    return this.#overflowed;
  }

  /** Series there are. */
  get size(): number {
    return this.#all.size;
  }

  /** The series of these label values (`d` is the fourth), which has an event at `timeMs`; Infinity stands for the time of the next `expire`. */
  at(timeMs: number, a: string, b: string, c: string, d = ''): Series<T> {
    let series = this.#get(a, b, c, d);
    if (!series || series.isRest) series = this.#find(a, b, c, d);
    if (timeMs > series.newestMs) series.newestMs = timeMs;
    return series;
  }

  /** Notes that `series` has an event at `timeMs`. */
  touch(series: Series<T>, timeMs: number): void {
    if (timeMs > series.newestMs) series.newestMs = timeMs;
  }

  /** The series of these very values. Not by one joined key: making and hashing that costs more than a look-up for each. */
  #get(a: string, b: string, c: string, d: string): Series<T> | undefined {
    const branch = this.#root.below.get(a)?.below.get(b)?.below.get(c);
    return this.#depth === 3 ? branch?.series : branch?.below.get(d)?.series;
  }

  /** Values that are not clean never match directly, for what is kept is cleaned. */
  #find(a: string, b: string, c: string, d: string): Series<T> {
    const clean = [labelValue(a), labelValue(b), labelValue(c), labelValue(d)] as const;
    const known = this.#get(...clean);
    if (known) return known;
    const own = this.#root.below.get(clean[0])?.count ?? 0;
    const rest = this.#get(overflow, overflow, overflow, overflow);
    const free = this.#limit - this.#all.size - Number(!rest);
    if (own < shareOfFree * free) return this.#insert(clean.slice(0, this.#depth));
    this.#overflowed++;
    const ofAgent = this.#get(clean[0], overflow, overflow, overflow);
    if (ofAgent) return ofAgent;
    const others = Array<string>(this.#depth - 1).fill(overflow);
    if (own > 0 && free > 0) return this.#insert([clean[0], ...others]);
    return rest ?? this.#insert([overflow, ...others]);
  }

  #insert(values: readonly string[]): Series<T> {
    const newestMs = Number.NEGATIVE_INFINITY;
    const bornMs = Number.POSITIVE_INFINITY;
    const isRest = values.at(-1) === overflow;
    const series = { values, state: this.#create(), isRest, newestMs, bornMs, index: -1, kept: true };
    let branch = this.#root;
    for (const value of values) {
      const below = branch.below.get(value) ?? new Branch<T>();
      below.count++;
      branch.below.set(value, below);
      branch = below;
    }
    branch.series = series;
    this.#all.add(series);
    return series;
  }

  /**
   * Forgets, as of `nowMs`, what has had no event for longer than `keepMs`; what is new was born at `clockMs`. Returns when
   * the youngest was; -Infinity when there is none.
   */
  expire(nowMs: number, keepMs: number, clockMs = nowMs): number {
    let youngestMs = Number.NEGATIVE_INFINITY;
    for (const series of this.#all) {
      if (series.bornMs === Number.POSITIVE_INFINITY) series.bornMs = clockMs;
      if (series.bornMs > youngestMs) youngestMs = series.bornMs;
      if (series.newestMs === Number.POSITIVE_INFINITY) series.newestMs = nowMs;
      else if (series.newestMs < nowMs - keepMs) this.#remove(series);
    }
    return youngestMs;
  }

  #remove(series: Series<T>): void {
    series.kept = false;
    series.index = -1;
    this.#all.delete(series);
    const { values } = series;
    const path = [this.#root];
    for (const value of values) {
      const below = path.at(-1)!.below.get(value)!;
      below.count--;
      path.push(below);
    }
    for (let i = values.length; i > 0 && path[i]!.count === 0; i--) path[i - 1]!.below.delete(values[i - 1]!);
  }

  /** All series in a fixed order, each of which gets its place in it as `index`. */
  save(): SeriesState {
    const values: string[] = [];
    const newestMs = new Float64Array(this.#all.size);
    const bornMs = new Float64Array(this.#all.size);
    let index = 0;
    for (const series of this.#all) {
      for (const value of series.values) values.push(value);
      newestMs[index] = series.newestMs;
      bornMs[index] = series.bornMs;
      series.index = index++;
    }
    return { values, newestMs, bornMs, overflowed: this.#overflowed };
  }

  /** The series of `state` in their order. Only for a table that is empty. */
  restore(state: SeriesState): readonly Series<T>[] {
    this.#overflowed = state.overflowed;
    return Array.from(state.newestMs, (newestMs, index) => {
      const series = this.#insert(state.values.slice(index * this.#depth, (index + 1) * this.#depth));
      series.newestMs = newestMs;
      series.bornMs = state.bornMs[index]!;
      series.index = index;
      return series;
    });
  }

  [Symbol.iterator](): IterableIterator<Series<T>> {
    return this.#all.values();
  }
}
