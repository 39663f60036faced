/** A seeded source of numbers in [0, 1): Mulberry32. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Action {
  readonly fromMs: number;
  readonly run: () => void;
}

/**
 * Virtual time and all concurrency of a model run: whatever happens is an action that waits here until a seeded choice
 * runs it, in any order, so one seed is one history.
 */
export class World {
  readonly random: () => number;
  nowMs = 1_000_000;
  /** Faults left to happen; when they are used up, the world is kind, and work must end. */
  faults: number;
  #actions: Action[] = [];

  constructor(seed: number, maxFaults: number) {
    this.random = mulberry32(seed);
    this.faults = this.below(maxFaults + 1);
  }

  /** A whole number from 0 and below `limit`. */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick');
    return item;
  }

  /** Whether a fault of this probability happens now. */
  fault(probability: number): boolean {
    if (this.faults === 0 || this.random() >= probability) return false;
    this.faults--;
    return true;
  }

  /** Resolves after `delayMs` of virtual time, and then whenever the seed has it. */
  turn(delayMs = 0): Promise<void> {
    return new Promise((resolve) => this.later(resolve, delayMs));
  }

  later(run: () => void, delayMs = 0): void {
    this.#actions.push({ fromMs: this.nowMs + delayMs, run });
  }

  /** Runs one action; moves time on to the next when none is due. Returns whether there was one. */
  async step(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#actions.length === 0) return false;
    const nextMs = Math.min(...this.#actions.map(({ fromMs }) => fromMs));
    this.nowMs = Math.max(this.nowMs + this.below(10), nextMs);
    const due = this.#actions.filter(({ fromMs }) => fromMs <= this.nowMs);
    const chosen = this.pick(due);
    this.#actions.splice(this.#actions.indexOf(chosen), 1);
    chosen.run();
    return true;
  }
}
