/** How often each score was given. Scores are in [0, 1]; 1 is bad. */
export type Scores = ReadonlyMap<number, number>;

/** The units of one release that joined in one tick: how many, and the scores of those that settled. */
export interface Tally {
  units: number;
  /** Those without scores yet. */
  open: number;
  /** For each KPI of the group, in its order. */
  readonly scores: Map<number, number>[];
}

export function tallyOf(kpis: number): Tally {
  return { units: 0, open: 0, scores: Array.from({ length: kpis }, () => new Map<number, number>()) };
}

/** Notes one more `score`. */
export function note(scores: Map<number, number>, score: number, times = 1): void {
  scores.set(score, (scores.get(score) ?? 0) + times);
}

/** The scores of `kpi` in all of `tallies` together, with `open` as the score of units that have none. */
export function scoresOf(tallies: readonly Tally[], kpi: number, open: number): Scores {
  const all = new Map<number, number>();
  for (const tally of tallies) {
    for (const [score, times] of tally.scores[kpi]!) note(all, score, times);
    if (tally.open > 0) note(all, open, tally.open);
  }
  return all;
}

/** The sum of all scores. */
export function sumOf(scores: Scores): number {
  let sum = 0;
  for (const [score, times] of ascending(scores)) sum += score * times;
  return sum;
}

/** Logarithm of the likelihood ratio of `scores`: mean `t` against mean `q`. */
export function logRatio(scores: Scores, t: number, q: number): number {
  let sum = 0;
  for (const [score, times] of ascending(scores))
    sum += times * Math.log((score * t) / q + ((1 - score) * (1 - t)) / (1 - q));
  return sum;
}

/** So that sums do not depend on the order in which units came. */
function ascending(scores: Scores): readonly (readonly [score: number, times: number])[] {
  return [...scores].toSorted(([a], [b]) => a - b);
}
