const relativeError = 0.01;
const gamma = (1 + relativeError) / (1 - relativeError);
const logGamma = Math.log(gamma);
/** Smaller values count as 0. */
const smallest = 1e-9;

/**
 * A quantile sketch with a relative error of 1 % (Masson, Rim, Lee: "DDSketch", VLDB 2019): counts of values in
 * buckets that grow by `gamma`. Sketches merge without loss. Sparse, because most panes hold few values.
 * Not @datadog/sketches-js: merging there can lose the counts of the bucket with key 0, which holds values of about 1.
 */
export class Sketch {
  readonly #counts = new Map<number, number>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Takes a value of 0 or more. */
  add(value: number): void {
    this.#increase(value < smallest ? Number.NEGATIVE_INFINITY : Math.ceil(Math.log(value) / logGamma), 1);
  }

  merge(other: Sketch): void {
    for (const [bucket, count] of other.#counts) this.#increase(bucket, count);
  }

  #increase(bucket: number, count: number): void {
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
    this.#count += count;
  }

  /** The values at `quantiles`, each in [0, 1] and none smaller than the one before; NaN when the sketch is empty. */
  quantiles(quantiles: readonly number[]): readonly number[] {
    const buckets = [...this.#counts].toSorted(([a], [b]) => a - b);
    let next = 0;
    let below = 0;
    let value = Number.NaN;
    return quantiles.map((quantile) => {
      const rank = Math.floor(quantile * (this.#count - 1));
      while (below <= rank && next < buckets.length) {
        const [bucket, count] = buckets[next++]!;
        below += count;
        value = (2 * gamma ** bucket) / (gamma + 1);
      }
      return value;
    });
  }
}
