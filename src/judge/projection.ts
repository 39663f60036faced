/** Units of the two releases in a block, and the means that are bet on. */
export interface Bet {
  readonly candidates: number;
  readonly baselines: number;
  /** Mean of the candidate, of the baseline. */
  readonly candidate: number;
  readonly baseline: number;
}

/** The two means of a null hypothesis that a bet is measured against. */
export type Means = Pick<Bet, 'candidate' | 'baseline'>;

const steps = 100;

/** Of the means whose difference is `margin`, those nearest to the bet (by Kullback-Leibler divergence): with them no mean of the null gains. */
export function project(bet: Bet, margin: number): Means {
  let low = Math.max(0, -margin);
  let high = Math.min(1, 1 - margin);
  for (let i = 0; i < steps; i++) {
    const x = (low + high) / 2;
    const y = x + margin;
    const slope =
      (bet.candidates * (y - bet.candidate)) / (y * (1 - y)) +
      (bet.baselines * (x - bet.baseline)) / (x * (1 - x));
    if (slope > 0) high = x;
    else low = x;
  }
  const baseline = (low + high) / 2;
  return { candidate: baseline + margin, baseline };
}

/** The same for a margin of 0: the mean of both. */
export function pooled({ candidates, baselines, candidate, baseline }: Bet): Means {
  const both = (candidates * candidate + baselines * baseline) / (candidates + baselines);
  return { candidate: both, baseline: both };
}
