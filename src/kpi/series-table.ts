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
  /** False once it is forgotten. */
  kept: boolean;
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
  readonly #create: () => T;
  readonly #root = new Branch<T>();
  readonly #all = new Set<Series<T>>();
  #overflowed = 0;

  constructor(limit: number, create: () => T) {
    this.#limit = limit;
    this.#create = create;
  }

  /** How many events went to the overflow entry. */
  get overflowed(): number {
    return this.#overflowed;
  }

  /** The series of `values`, which has an event at `timeMs`; Infinity stands for the time of the next `expire`. */
  at(values: readonly string[], timeMs: number): Series<T> {
    const series = this.#get(values) ?? this.#find(values);
    if (timeMs > series.newestMs) series.newestMs = timeMs;
    return series;
  }

  /** The series that counted `values` before, although they may have left the overflow since; as `at` when it is forgotten. */
  again(before: Series<T>, values: readonly string[], timeMs: number): Series<T> {
    if (!before.kept) return this.at(values, timeMs);
    if (timeMs > before.newestMs) before.newestMs = timeMs;
    return before;
  }

  /** The series of these very values. Not by one joined key: making and hashing that costs more than a look-up for each. */
  #get(values: readonly string[]): Series<T> | undefined {
    let branch: Branch<T> | undefined = this.#root;
    for (let i = 0; i < values.length; i++) {
      branch = branch.below.get(values[i]!);
      if (!branch) return undefined;
    }
    return branch.series;
  }

  /** Values that are not clean never match directly, for what is kept is cleaned. */
  #find(values: readonly string[]): Series<T> {
    const clean = values.map(labelValue);
    const known = this.#get(clean);
    if (known) return known;
    if (this.#all.size < this.#limit - 1) return this.#insert(clean);
    this.#overflowed++;
    const rest = values.map(() => overflow);
    return this.#get(rest) ?? this.#insert(rest);
  }

  #insert(values: readonly string[]): Series<T> {
    const series = { values, state: this.#create(), newestMs: Number.NEGATIVE_INFINITY, kept: true };
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
    this.#all.delete(series);
    const { values } = series;
    const path = [this.#root];
    for (const value of values) path.push(path.at(-1)!.below.get(value)!);
    for (let i = values.length; i > 0 && path[i]!.below.size === 0; i--)
      path[i - 1]!.below.delete(values[i - 1]!);
  }

  [Symbol.iterator](): IterableIterator<Series<T>> {
    return this.#all.values();
  }
}
