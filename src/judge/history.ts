import type { Figures } from './figures.ts';

/** What the latest settled units of a release showed, for each KPI of the rules. */
export type History = readonly number[][];

const limit = 500;

export function historyOf(kpis: number): History {
  return Array.from({ length: kpis }, () => []);
}

/** Adds what a unit showed; the oldest makes room. */
export function remember(history: History, figures: Figures): void {
  for (const [kpi, figure] of figures.entries()) {
    const kept = history[kpi]!;
    if (Number.isNaN(figure)) continue;
    kept.push(figure);
    if (kept.length > limit) kept.shift();
  }
}

/** The `share`-quantile of `values`, which are not empty. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1]!;
}

export function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** The upper end of Wilson's interval (95 %, two-sided) around the mean of `count` values in [0, 1]: it is hardly ever above. */
export function upperBound(average: number, count: number): number {
  const z2 = 1.96 ** 2;
  const spread = 1.96 * Math.sqrt((average * (1 - average)) / count + z2 / (4 * count ** 2));
  return (average + z2 / (2 * count) + spread) / (1 + z2 / count);
}
