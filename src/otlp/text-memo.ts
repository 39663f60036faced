/** Texts that are found by comparing one string, before a hash table is asked. A power of two. */
const recentCount = 64;

/** Longer texts are seldom met again, and a sender could fill the memory with them. */
const limitCharacters = 128;

/**
 * Remembers what was computed of a text. Texts are the sender's, so long ones are not remembered, and all is forgotten
 * when there are `limit` of them: right answers never depend on what is remembered.
 */
export class TextMemo<T> {
  readonly #compute: (text: string) => T;
  readonly #limit: number;
  readonly #known = new Map<string, Known<T>>();
  readonly #recent: (Known<T> | undefined)[] = Array.from({ length: recentCount }, () => undefined);

  constructor(compute: (text: string) => T, limit = 4096) {
    this.#compute = compute;
    this.#limit = limit;
  }

  /** What is computed of `text`. */
  get(text: string): T {
    const { length } = text;
    if (length > limitCharacters) return this.#compute(text);
    const place = length === 0 ? 0 : (length + (text.charCodeAt(length - 1) << 2)) & (recentCount - 1);
    const recent = this.#recent[place];
    if (recent !== undefined && recent.text === text) return recent.answer;
    const known = this.#get(text);
    this.#recent[place] = known;
    return known.answer;
  }

  #get(text: string): Known<T> {
    const known = this.#known.get(text);
    if (known) return known;
    if (this.#known.size >= this.#limit) this.#known.clear();
    const computed = { text, answer: this.#compute(text) };
    this.#known.set(text, computed);
    return computed;
  }
}

interface Known<T> {
  readonly text: string;
  readonly answer: T;
}
