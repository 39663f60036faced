import { randomOf } from '../../src/rehearsal/random.ts';

/** Everything random of a run, from one seed. */
export class Draw {
  /** A number of [0, 1). */
  readonly random: () => number;

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  /** A whole number from `least` and below `limit`. */
  between(least: number, limit: number): number {
    return least + Math.floor(this.random() * (limit - least));
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length)];
    if (item === undefined) throw new Error('there is nothing to choose from');
    return item;
  }

  shuffled<T>(items: readonly T[]): readonly T[] {
    return items
      .map((item) => ({ item, place: this.random() }))
      .toSorted((a, b) => a.place - b.place)
      .map(({ item }) => item);
  }
}
