import type { Standing, TestStanding } from '../judge/standing.ts';
import { labelValue } from '../semconv/label-value.ts';
import type { WindowFigures } from './figures.ts';
import { amounts } from './tile-table.ts';

/** The key of all places together. */
export const everywhere = '';

/** The amounts of each of `windows`, by place, one window after the other, and of all places together. */
export function amountSeries(
  figures: ReadonlyMap<string, WindowFigures>,
  windows: readonly string[],
): ReadonlyMap<string, Float64Array> {
  const series = new Map<string, Float64Array>();
  const into = (key: string, index: number, sums: Float64Array): void => {
    let values = series.get(key);
    if (!values) series.set(key, (values = new Float64Array(windows.length * amounts.length)));
    values.set(sums, index * amounts.length);
  };
  for (const [index, window] of windows.entries()) {
    const shown = figures.get(window);
    if (!shown) continue;
    into(everywhere, index, shown.sums);
    for (const [key, { sums }] of shown.places) into(key, index, sums);
  }
  return series;
}

/** The key of the evidence of a test. */
export function testKey(
  { agent, environment, release, baseline }: Standing,
  { kpi, test }: TestStanding,
): string {
  return JSON.stringify([...[agent, environment, release, baseline ?? ''].map(labelValue), kpi, test]);
}

/** The evidence of each test of each release that runs, by key. */
export function evidenceSeries(standings: readonly Standing[]): ReadonlyMap<string, readonly number[]> {
  return new Map(
    standings
      .filter(({ isRunning }) => isRunning)
      .flatMap((standing) =>
        standing.tests.map((test) => [testKey(standing, test), [test.logEvidence]] as const),
      ),
  );
}
