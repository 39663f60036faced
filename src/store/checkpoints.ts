import type { Position } from '../core/stream.ts';

const spacingMs = 60_000;

/** The positions of one partition that were committed in the last while, to a minute. */
export class Checkpoints {
  readonly #ageMs: number;
  #noted: readonly { readonly timeMs: number; readonly position: Position }[] = [];

  /** Positions older than `ageMs` are forgotten, but for the newest of them. */
  constructor(ageMs: number) {
    this.#ageMs = ageMs;
  }

  /** Notes that `position` is committed at `nowMs`. Returns the newest position of `ageMs` ago; undefined when none is so old. */
  note(position: Position, nowMs: number): Position | undefined {
    const newest = this.#noted.at(-1);
    if (newest === undefined || nowMs - newest.timeMs >= Math.min(spacingMs, this.#ageMs))
      this.#noted = [...this.#noted, { timeMs: nowMs, position }];
    const old = this.#noted.findLastIndex(({ timeMs }) => nowMs - timeMs >= this.#ageMs);
    if (old < 0) return undefined;
    this.#noted = this.#noted.slice(old);
    return this.#noted[0]?.position;
  }
}
