import { randomOf } from '../../src/rehearsal/random.ts';

/** Milliseconds since the epoch of a time such as '10-06 09:40' of 2026, in UTC. */
export function at(time: string): number {
  return Date.parse(`2026-${time.replace(' ', 'T')}:00Z`);
}

/** Draws that are the same for the same seed. */
export class Draw {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomOf(seed);
  }

  /** Whether something happens that does in `share` of all cases. */
  happens(share: number): boolean {
    return this.#next() < share;
  }

  between(low: number, high: number): number {
    return low + this.#next() * (high - low);
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }

  /** One of `choices`, each as likely as the number beside it says. */
  oneOf<T>(choices: readonly (readonly [T, number])[]): T {
    let rest = this.between(
      0,
      choices.reduce((sum, [, weight]) => sum + weight, 0),
    );
    for (const [choice, weight] of choices) if ((rest -= weight) < 0) return choice;
    return choices.at(-1)![0];
  }

  /** So many hexadecimal digits. */
  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.whole(0, 15).toString(16)).join('');
  }
}
