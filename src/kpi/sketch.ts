const relativeError = 0.01;
const gamma = (1 + relativeError) / (1 - relativeError);
const logGamma = Math.log(gamma);
/** Smaller values count as 0. */
const smallest = 1e-9;
/** The bucket that holds 1; bucket 0 holds 0. */
const bucketOfOne = 1 - Math.ceil(Math.log(smallest) / logGamma);

/** Buckets there are; each is a number from 0 on. */
export const bucketLimit = 4096;

/**
 * The bucket of a value of 0 or more, in a sketch with a relative error of 1 % (Masson, Rim, Lee: "DDSketch", VLDB
 * 2019): buckets grow by `gamma`, so that sketches merge by adding counts, and a value is taken back by taking one away.
 * Not @datadog/sketches-js: merging there can lose the counts of the bucket with key 0, which holds values of about 1.
 */
export function logBucket(value: number): number {
  if (!(value >= smallest)) return 0;
  return Math.min(bucketLimit - 1, Math.max(1, Math.ceil(Math.log(value) / logGamma) + bucketOfOne));
}

/** The bucket of a share, 0 to 1: a thousandth wide, whatever the last digit of the double says. */
export function shareBucket(share: number): number {
  return Math.min(1000, Math.max(0, Math.floor(share * 1000 + 1e-9)));
}

/** The first bucket of which no share is below `limit`. */
export function shareBucketFrom(limit: number): number {
  return Math.ceil(limit * 1000 - 1e-9);
}

function valueOf(bucket: number): number {
  return bucket === 0 ? 0 : (2 * gamma ** (bucket - bucketOfOne)) / (gamma + 1);
}

/** Counts by bucket, into which sketches of several panes are merged. One is used again and again. */
export class Merged {
  readonly #counts = new Float64Array(bucketLimit);
  #least = bucketLimit;
  #greatest = -1;
  #total = 0;

  clear(): void {
    if (this.#greatest >= 0) this.#counts.fill(0, this.#least, this.#greatest + 1);
    this.#least = bucketLimit;
    this.#greatest = -1;
    this.#total = 0;
  }

  add(bucket: number, count: number): void {
    this.#counts[bucket]! += count;
    this.#total += count;
    if (bucket < this.#least) this.#least = bucket;
    if (bucket > this.#greatest) this.#greatest = bucket;
  }

  /** How many there are in buckets before `bucket`. */
  below(bucket: number): number {
    let count = 0;
    for (let i = this.#least; i < bucket && i <= this.#greatest; i++) count += this.#counts[i]!;
    return count;
  }

  /** The values of `logBucket` at `levels`, each in [0, 1] and none smaller than the one before; NaN when there is none. */
  quantiles(levels: readonly number[]): readonly number[] {
    let bucket = this.#least - 1;
    let below = 0;
    return levels.map((level) => {
      if (this.#total <= 0) return Number.NaN;
      const rank = Math.floor(level * (this.#total - 1));
      while (below <= rank && bucket < this.#greatest) below += this.#counts[++bucket]!;
      return valueOf(bucket);
    });
  }
}
