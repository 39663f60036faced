import { labelValue, overflow } from '../semconv/label-value.ts';

/** One set of label values and what is kept of it. */
export interface Series<T> {
  readonly values: readonly string[];
  readonly state: T;
  /** It is an overflow entry. */
  readonly isRest: boolean;
  newestMs: number;
  /** When a saved state first had it, by the clock; Infinity until then. */
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
  /** How many of them are overflow entries. */
  rests = 0;
}

/** An agent may have so many times as many series as there are free ones, and so many times as many agents may there be. */
const shareOfFree = 3;

/** Whether an overflow entry says nothing but, maybe, the agent. */
function saysNothing(values: readonly string[]): boolean {
  return values.every((value, i) => i === 0 || value === overflow);
}

/**
 * State by label values, of which the first is the agent, for at most `limit` sets of them: what comes beyond goes to
 * overflow entries, so that totals stay right and memory stays bounded. Values come from outside and are cleaned.
 *
 * Room is shared fairly, as switches share their buffers (Choudhury and Hahne: "Dynamic queue length thresholds", 1998):
 * an agent gets a new series while it has less than three times as many as are free. All that come anew are as one in
 * this: there is another agent while there are less than three times as many as series are free, so that names without end
 * leave room to agents that are there. An entry with `overflow` for all labels but its name is kept free for each of them,
 * and one for agents that there is no room for. What an agent has beyond its share is under its name and its environment
 * while it has fewer of such entries than are free, and else in the one that is kept for it. Series that are there stay,
 * whoever comes; room is given back as series expire.
 */
export class SeriesTable<T> {
  readonly #limit: number;
  readonly #depth: 3 | 4;
  readonly #create: () => T;
  readonly #environmentAt: 1 | 2;
  readonly #root = new Branch<T>();
  readonly #all = new Set<Series<T>>();
  /** Overflow entries that say nothing but, maybe, the agent. */
  #last = 0;
  #overflowed = 0;

  /** `depth` is the number of labels, of which that at `environmentAt` is the environment. */
  constructor(limit: number, depth: 3 | 4, create: () => T, environmentAt: 1 | 2 = 2) {
    this.#limit = limit;
    this.#depth = depth;
    this.#create = create;
    this.#environmentAt = environmentAt;
  }

  /** How many events went to the overflow entries. */
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
    const values = clean.slice(0, this.#depth);
    if (this.#hasRoomFor(values[0]!)) return this.#insert(values);
    this.#overflowed++;
    return this.#restOf(values);
  }

  /** Series that are neither there nor kept for overflow entries. */
  get #free(): number {
    const { below } = this.#root;
    const names = below.size + Number(!below.has(overflow));
    return this.#limit - this.#all.size - (names - this.#last);
  }

  /** Whether `agent` may have another series. */
  #hasRoomFor(agent: string): boolean {
    const { below } = this.#root;
    const own = below.get(agent);
    const most = shareOfFree * this.#free;
    return own ? own.count < most : this.#free > 1 && below.size - Number(below.has(overflow)) < most;
  }

  /** The overflow entry for `values`. */
  #restOf(values: readonly string[]): Series<T> {
    const own = this.#root.below.get(values[0]!);
    if (own) {
      const apart = values.map((value, i) => (i === 0 || i === this.#environmentAt ? value : overflow));
      const known = this.#known(apart);
      if (known) return known;
      if (own.rests < this.#free) return this.#insert(apart);
    }
    const last = values.map((value, i) => (i === 0 && own ? value : overflow));
    return this.#known(last) ?? this.#insert(last);
  }

  #known([a = '', b = '', c = '', d = '']: readonly string[]): Series<T> | undefined {
    return this.#get(a, b, c, d);
  }

  #insert(values: readonly string[]): Series<T> {
    const newestMs = Number.NEGATIVE_INFINITY;
    const bornMs = Number.POSITIVE_INFINITY;
    const isRest = values.includes(overflow);
    const series = { values, state: this.#create(), isRest, newestMs, bornMs, index: -1, kept: true };
    let branch = this.#root;
    for (const value of values) {
      const below = branch.below.get(value) ?? new Branch<T>();
      below.count++;
      if (isRest) below.rests++;
      branch.below.set(value, below);
      branch = below;
    }
    branch.series = series;
    this.#all.add(series);
    if (saysNothing(values)) this.#last++;
    return series;
  }

  /**
   * Forgets, as of `nowMs`, what has had no event for longer than `keepMs`. Returns when the eldest was born of what is
   * younger than `sinceMs`; Infinity when there is none.
   */
  expire(nowMs: number, keepMs: number, sinceMs = Number.POSITIVE_INFINITY): number {
    let eldestMs = Number.POSITIVE_INFINITY;
    for (const series of this.#all) {
      if (series.bornMs > sinceMs && series.bornMs < eldestMs) eldestMs = series.bornMs;
      if (series.newestMs === Number.POSITIVE_INFINITY) series.newestMs = nowMs;
      else if (series.newestMs < nowMs - keepMs) this.#remove(series);
    }
    return eldestMs;
  }

  /** What was not born by `untilMs` is born at `nowMs`. */
  bear(untilMs: number, nowMs: number): void {
    for (const series of this.#all) if (series.bornMs > untilMs) series.bornMs = nowMs;
  }

  #remove(series: Series<T>): void {
    series.kept = false;
    series.index = -1;
    this.#all.delete(series);
    const { values, isRest } = series;
    if (saysNothing(values)) this.#last--;
    const path = [this.#root];
    for (const value of values) {
      const below = path.at(-1)!.below.get(value)!;
      below.count--;
      if (isRest) below.rests--;
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

  /**
   * The series for those of `state`, in their order. Only for a table that is empty. Where there is not room for all of them,
   * those that came first stay; the others get overflow entries, several of them the same.
   */
  restore(state: SeriesState): readonly Series<T>[] {
    this.#overflowed = state.overflowed;
    const rows = Array.from(state.newestMs, (_, index) =>
      state.values.slice(index * this.#depth, (index + 1) * this.#depth),
    );
    const names = new Set([overflow, ...rows.map(([agent]) => agent)]);
    const isRoomForAll = rows.length + names.size - rows.filter(saysNothing).length <= this.#limit;
    return rows.map((values, index) => {
      const series = isRoomForAll ? this.#insert(values) : this.#roomFor(values);
      series.newestMs = Math.max(series.newestMs, state.newestMs[index]!);
      series.bornMs = Math.min(series.bornMs, state.bornMs[index]!);
      series.index = index;
      return series;
    });
  }

  #roomFor(values: readonly string[]): Series<T> {
    const isNamed = !values.includes(overflow);
    return isNamed && this.#hasRoomFor(values[0]!) ? this.#insert(values) : this.#restOf(values);
  }

  [Symbol.iterator](): IterableIterator<Series<T>> {
    return this.#all.values();
  }
}
