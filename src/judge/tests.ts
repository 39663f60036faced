import { clip, shifted } from './log-odds.ts';
import { shifts } from './mixture.ts';
import { pooled, project, type Bet, type Means } from './projection.ts';
import { logRatio, type Scores } from './tally.ts';

/** A block of evidence: units of both releases, with their scores. */
export interface Evidence {
  readonly candidates: number;
  readonly baselines: number;
  readonly candidate: Scores;
  readonly baseline: Scores;
}

/** Where the test that a candidate is not worse looks, in margins from the baseline, and how it weighs them. */
const nearness = [-0.5, 0, 0.5] as const;
export const nearnessWeights: readonly number[] = [0.25, 0.5, 0.25];

/**
 * Logarithms of the factors by which the alternatives of "it is worse than its baseline, by more than `tolerance`" grow;
 * `base` is the mean of the baseline as known before the block.
 */
export function worseFactors(block: Evidence, base: number, tolerance: number): readonly number[] {
  return shifts.map((shift) => {
    const candidate = shifted(tolerance > 0 ? clip(base + tolerance) : base, shift);
    if (candidate <= base + tolerance) return 0;
    const bet = betOf(block, candidate, base);
    return gain(block, bet, tolerance > 0 ? project(bet, tolerance) : pooled(bet));
  });
}

/** The same of "it is not worse by `margin`". */
export function notWorseFactors(block: Evidence, base: number, margin: number): readonly number[] {
  return nearness.map((share) => {
    const bet = betOf(block, clip(base + margin * share), base);
    return gain(block, bet, project(bet, margin));
  });
}

/** The same of "its mean is above `level`", of one release alone. */
export function levelFactors(scores: Scores, level: number): readonly number[] {
  return shifts.map((shift) => {
    const worse = shifted(level, shift);
    return worse > level ? logRatio(scores, worse, level) : 0;
  });
}

function betOf({ candidates, baselines }: Evidence, candidate: number, baseline: number): Bet {
  return { candidates, baselines, candidate, baseline };
}

function gain(block: Evidence, bet: Means, nothing: Means): number {
  return (
    logRatio(block.candidate, bet.candidate, nothing.candidate) +
    logRatio(block.baseline, bet.baseline, nothing.baseline)
  );
}
