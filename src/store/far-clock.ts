/**
 * The clock of another machine as it was read once, moved on by the time that has passed here since. It may fall behind
 * that clock, when this machine sleeps, but never runs ahead of it; only a clock that is put back is behind it until it
 * is read again.
 */
export class FarClock {
  readonly #passedMs: () => number;
  #readMs = NaN;
  #atMs = NaN;

  /** `passedMs` never goes back and stands still at most, as `performance.now` does. */
  constructor(passedMs: () => number) {
    this.#passedMs = passedMs;
  }

  /** Says what the clock showed at some moment before now, in Unix milliseconds. */
  set(readMs: number): void {
    this.#readMs = readMs;
    this.#atMs = this.#passedMs();
  }

  /** How long ago it was read; NaN when it never was. */
  get ageMs(): number {
    return this.#passedMs() - this.#atMs;
  }

  /** What it shows now, or a while ago, in Unix milliseconds; NaN when it was never read. */
  get nowMs(): number {
    return this.#readMs + this.ageMs;
  }
}
