/** What a test will have at its end, as far as can be said now. */
export interface Prospect {
  /** Units of the candidate, of the baseline. */
  readonly candidates: number;
  readonly baselines: number;
  /** Share of bad of the baseline. */
  readonly base: number;
}

/** A drop is found in 80 of 100 cases when the mean of the evidence exceeds its threshold by so many standard deviations, and a bit for the mixture. */
const deviations = 0.84;
const forMixture = 1;
const steps = 60;

/** The least rise of the share of bad that will bring the evidence to `threshold` in 80 of 100 cases; undefined when none will. */
export function detectableDrop(prospect: Prospect, threshold: number): number | undefined {
  const { base } = prospect;
  let high = 1 - base;
  if (!(high > 0) || !isFound(prospect, high, threshold)) return undefined;
  let low = 0;
  for (let i = 0; i < steps; i++) {
    const drop = (low + high) / 2;
    if (isFound(prospect, drop, threshold)) high = drop;
    else low = drop;
  }
  return high;
}

function isFound({ candidates: n, baselines: m, base }: Prospect, drop: number, threshold: number): boolean {
  const worse = base + drop;
  const both = (n * worse + m * base) / (n + m);
  if (!(both > 0 && both < 1)) return false;
  const gain = n * divergence(worse, both) + m * divergence(base, both);
  const variance = n * spread(worse, both) + m * spread(base, both);
  return gain - deviations * Math.sqrt(variance) >= threshold + forMixture;
}

/** Kullback-Leibler divergence of two shares. */
function divergence(p: number, q: number): number {
  return surprise(p, q) + surprise(1 - p, 1 - q);
}

function surprise(p: number, q: number): number {
  return p === 0 ? 0 : p * Math.log(p / q);
}

/** Variance of the evidence of one unit. */
function spread(p: number, q: number): number {
  if (p <= 0 || p >= 1) return 0;
  const odds = Math.log(p / (1 - p)) - Math.log(q / (1 - q));
  return p * (1 - p) * odds ** 2;
}
