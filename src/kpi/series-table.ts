/** The label value that stands for every series beyond the limit. */
const overflow = 'overflow';

const maxValueLength = 128;
// oxlint-disable-next-line no-control-regex -- control characters are what it removes
const unprintable = /[\u0000-\u001F\u007F]/g;

function labelValue(text: string): string {
  const short = text.length > maxValueLength ? text.slice(0, maxValueLength) : text;
  return short.replaceAll(unprintable, ' ').toWellFormed();
}

/** One set of label values and what is kept of it. */
export interface Series<T> {
  readonly values: readonly string[];
  readonly state: T;
  newestMs: number;
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
  readonly overflowed: number;
}

/** What is kept below the first few label values, by the next one; below the last one, the series. */
class Branch<T> {
  readonly below = new Map<string, Branch<T>>();
  series: Series<T> | undefined;
}

/**
 * State by label values, for at most `limit` sets of them: what comes beyond shares one overflow entry, so that
 * totals stay right and memory stays bounded. Values come from outside: they are cut to 128 characters and cleaned.
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
    const series = this.#get(a, b, c, d) ?? this.#find(a, b, c, d);
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
    if (this.#all.size < this.#limit - 1) return this.#insert(clean.slice(0, this.#depth));
    this.#overflowed++;
    return (
      this.#get(overflow, overflow, overflow, overflow) ??
      this.#insert(Array<string>(this.#depth).fill(overflow))
    );
  }

  #insert(values: readonly string[]): Series<T> {
    const newestMs = Number.NEGATIVE_INFINITY;
    const series = { values, state: this.#create(), newestMs, index: -1, kept: true };
    let branch = this.#root;
    for (const value of values) {
      const below = branch.below.get(value) ?? new Branch<T>();
      branch.below.set(value, below);
      branch = below;
    }
    branch.series = series;
    this.#all.add(series);
    return series;
  }

  /** Forgets, as of `nowMs`, what has had no event for longer than `keepMs`. */
  expire(nowMs: number, keepMs: number): void {
    for (const series of this.#all) {
      if (series.newestMs === Number.POSITIVE_INFINITY) series.newestMs = nowMs;
      else if (series.newestMs < nowMs - keepMs) this.#remove(series);
    }
  }

  #remove(series: Series<T>): void {
    series.kept = false;
    series.index = -1;
    this.#all.delete(series);
    const { values } = series;
    const path = [this.#root];
    for (const value of values) path.push(path.at(-1)!.below.get(value)!);
    for (let i = values.length; i > 0 && path[i]!.below.size === 0; i--)
      path[i - 1]!.below.delete(values[i - 1]!);
  }

  /** All series in a fixed order, each of which gets its place in it as `index`. */
  save(): SeriesState {
    const values: string[] = [];
    const newestMs = new Float64Array(this.#all.size);
    let index = 0;
    for (const series of this.#all) {
      for (const value of series.values) values.push(value);
      newestMs[index] = series.newestMs;
      series.index = index++;
    }
    return { values, newestMs, overflowed: this.#overflowed };
  }

  /** The series of `state` in their order. Only for a table that is empty. */
  restore(state: SeriesState): readonly Series<T>[] {
    this.#overflowed = state.overflowed;
    return Array.from(state.newestMs, (newestMs, index) => {
      const series = this.#insert(state.values.slice(index * this.#depth, (index + 1) * this.#depth));
      series.newestMs = newestMs;
      series.index = index;
      return series;
    });
  }

  [Symbol.iterator](): IterableIterator<Series<T>> {
    return this.#all.values();
  }
}
