import type { Position } from '../core/stream.ts';

const checkpointEveryMs = 60_000;

/** Knows which position was committed so long ago that no power cut can take back what is before it. */
export class Checkpoints {
  readonly #verifyMs: number;
  #checkpoints: { readonly timeMs: number; readonly position: Position }[] = [];

  /** `verifyMs`: for how long a row may still be taken back after its commit. */
  constructor(verifyMs: number) {
    this.#verifyMs = verifyMs;
  }

  /**
   * The newest position that was committed so long before `nowMs`, to a minute; undefined while nothing was. `position` is
   * about to be committed.
   */
  settled(position: Position, nowMs: number): Position | undefined {
    const newest = this.#checkpoints.at(-1);
    if (newest === undefined || nowMs - newest.timeMs >= Math.min(checkpointEveryMs, this.#verifyMs))
      this.#checkpoints.push({ timeMs: nowMs, position });
    const old = this.#checkpoints.findLastIndex(({ timeMs }) => nowMs - timeMs >= this.#verifyMs);
    if (old < 0) return undefined;
    this.#checkpoints = this.#checkpoints.slice(old);
    return this.#checkpoints[0]?.position;
  }
}
