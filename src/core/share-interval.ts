/** So many of so many. */
export interface Share {
  readonly good: number;
  readonly cases: number;
}

/** What was seen, and between what the true value lies: it is below `low` with a chance of 2.5 %, and above `high` with the same. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** Of the normal distribution, 2.5 % lie above. */
export const normalQuantile = 1.959963984540054;

/** Wilson's interval of a share of at least one case (Wilson 1927): it never leaves [0, 1], and serves few cases, too. */
export function shareInterval({ good, cases }: Share): Interval {
  const z = normalQuantile;
  const estimate = good / cases;
  const shrink = 1 + (z * z) / cases;
  const centre = (estimate + (z * z) / (2 * cases)) / shrink;
  const half = (z / shrink) * Math.sqrt((estimate * (1 - estimate)) / cases + (z * z) / (4 * cases * cases));
  // In exact numbers the ends lie around the estimate.
  return {
    estimate,
    low: Math.min(estimate, Math.max(0, centre - half)),
    high: Math.max(estimate, Math.min(1, centre + half)),
  };
}

/**
 * How far apart two shares are, the first less the second: Newcombe's interval from Wilson's of each (Newcombe 1998,
 * method 10). With equal shares a margin is called excluded by error in at most 3 % of trials, from 50 cases on (counted
 * out over all tables).
 */
export function shareDifference(first: Share, second: Share): Interval {
  const [a, b] = [shareInterval(first), shareInterval(second)];
  const estimate = a.estimate - b.estimate;
  return {
    estimate,
    low: estimate - Math.hypot(a.estimate - a.low, b.high - b.estimate),
    high: estimate + Math.hypot(a.high - a.estimate, b.estimate - b.low),
  };
}
