/** The label value that stands for every series beyond the limit. */
const overflow = 'overflow';

const maxValueLength = 128;
// oxlint-disable-next-line no-control-regex -- control characters are what it removes
const unprintable = /[\u0000-\u001F\u007F]/g;

function labelValue(text: string): string {
  const short = text.length > maxValueLength ? text.slice(0, maxValueLength) : text;
  return short.replaceAll(unprintable, ' ').toWellFormed();
}

interface Entry<T> {
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
  readonly #entries = new Map<string, Entry<T>>();
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

  /** The state for `values`, which last had an event at `timeMs`. */
  at(values: readonly string[], timeMs: number): T {
    const entry = this.#entries.get(values.join('\n')) ?? this.#find(values);
    if (timeMs > entry.newestMs) entry.newestMs = timeMs;
    return entry.state;
  }

  /** Values with control characters never match a stored key directly: keys are cleaned and joined by one. */
  #find(values: readonly string[]): Entry<T> {
    const clean = values.map(labelValue);
    const known = this.#entries.get(clean.join('\n'));
    if (known) return known;
    if (this.#entries.size < this.#limit - 1) return this.#insert(clean);
    this.#overflowed++;
    const rest = values.map(() => overflow);
    return this.#entries.get(rest.join('\n')) ?? this.#insert(rest);
  }

  #insert(values: readonly string[]): Entry<T> {
    const entry = { values, state: this.#create(), newestMs: Number.NEGATIVE_INFINITY };
    this.#entries.set(values.join('\n'), entry);
    return entry;
  }

  /** Forgets what has had no event since `beforeMs`. */
  expire(beforeMs: number): void {
    for (const [key, entry] of this.#entries) {
      if (entry.newestMs < beforeMs) this.#entries.delete(key);
    }
  }

  *[Symbol.iterator](): Generator<readonly [values: readonly string[], state: T]> {
    for (const { values, state } of this.#entries.values()) yield [values, state];
  }
}
