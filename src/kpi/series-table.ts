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
  readonly key: string;
  readonly values: readonly string[];
  readonly state: T;
  newestMs: number;
}

/**
 * State by label values, for at most `limit` sets of them: what comes beyond shares one overflow entry, so that
 * totals stay right and memory stays bounded. Values come from outside: they are cut to 128 characters and cleaned.
 */
export class SeriesTable<T> {
  readonly #limit: number;
  readonly #create: () => T;
  readonly #entries = new Map<string, Series<T>>();
  #overflowed = 0;

  constructor(limit: number, create: () => T) {
    this.#limit = limit;
    this.#create = create;
  }

  /** How many events went to the overflow entry. */
  get overflowed(): number {
    return this.#overflowed;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The series of `values`, which has an event at `timeMs`; Infinity stands for the time of the next `expire`. */
  at(values: readonly string[], timeMs: number): Series<T> {
    const series = this.#entries.get(values.join('\n')) ?? this.#find(values);
    if (timeMs > series.newestMs) series.newestMs = timeMs;
    return series;
  }

  /** The series that counted `values` before, although they may have left the overflow since; as `at` when it is forgotten. */
  again(before: Series<T>, values: readonly string[], timeMs: number): Series<T> {
    if (this.#entries.get(before.key) !== before) return this.at(values, timeMs);
    if (timeMs > before.newestMs) before.newestMs = timeMs;
    return before;
  }

  /** Values with control characters never match a stored key directly: keys are cleaned and joined by one. */
  #find(values: readonly string[]): Series<T> {
    const clean = values.map(labelValue);
    const known = this.#entries.get(clean.join('\n'));
    if (known) return known;
    if (this.#entries.size < this.#limit - 1) return this.#insert(clean);
    this.#overflowed++;
    const rest = values.map(() => overflow);
    return this.#entries.get(rest.join('\n')) ?? this.#insert(rest);
  }

  #insert(values: readonly string[]): Series<T> {
    const key = values.join('\n');
    const series = { key, values, state: this.#create(), newestMs: Number.NEGATIVE_INFINITY };
    this.#entries.set(key, series);
    return series;
  }

  /** Forgets, as of `nowMs`, what has had no event for longer than `keepMs`. */
  expire(nowMs: number, keepMs: number): void {
    for (const [key, series] of this.#entries) {
      if (series.newestMs === Number.POSITIVE_INFINITY) series.newestMs = nowMs;
      else if (series.newestMs < nowMs - keepMs) this.#entries.delete(key);
    }
  }

  [Symbol.iterator](): IterableIterator<Series<T>> {
    return this.#entries.values();
  }
}
