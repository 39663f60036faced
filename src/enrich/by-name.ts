/** What is wrong with `pattern` as a name of a `ByName`, as a sentence's end; undefined when nothing is. */
export function nameFault(pattern: string): string | undefined {
  return pattern.slice(0, -1).includes('*')
    ? 'has a * before its end: only the last character may be one'
    : undefined;
}

/** Entries by name, or by what names begin with when it ends with `*`: an exact one comes first, then the longest beginning. */
export class ByName<T> {
  readonly #exact = new Map<string, T>();
  /** The longest first. */
  readonly #beginnings: readonly (readonly [string, T])[];

  constructor(entries: Readonly<Record<string, T>>) {
    const beginnings: [string, T][] = [];
    for (const [pattern, value] of Object.entries(entries)) {
      if (pattern.endsWith('*')) beginnings.push([pattern.slice(0, -1), value]);
      else this.#exact.set(pattern, value);
    }
    this.#beginnings = beginnings.toSorted(([a], [b]) => b.length - a.length);
  }

  get(name: string): T | undefined {
    return this.#exact.get(name) ?? this.#beginnings.find(([beginning]) => name.startsWith(beginning))?.[1];
  }

  /** Every entry that fits, in the order in which they come. */
  all(name: string): readonly T[] {
    const exact = this.#exact.get(name);
    const others = this.#beginnings.filter(([beginning]) => name.startsWith(beginning));
    return [...(exact === undefined ? [] : [exact]), ...others.map(([, value]) => value)];
  }
}
