import type { Standing, TestStanding } from '../judge/standing.ts';
import { labelValue } from '../semconv/label-value.ts';
import { noAmounts, type WindowFigures } from './figures.ts';

/** The key of all places together. */
export const everywhere = '';

const nothing = noAmounts();

/** The amounts of each of `windows`, by place, one window after the other, and of all places together. */
export function amountSeries(
  figures: ReadonlyMap<string, WindowFigures>,
  windows: readonly string[],
): ReadonlyMap<string, readonly number[]> {
  const shown = windows.map((window) => figures.get(window));
  const series = new Map<string, readonly number[]>();
  // first, for those that come first have a trend where there are too many
  series.set(
    everywhere,
    shown.flatMap((each) => each?.sums ?? nothing),
  );
  for (const key of new Set(shown.flatMap((each) => [...(each?.places.keys() ?? [])])))
    series.set(
      key,
      shown.flatMap((each) => each?.places.get(key)?.sums ?? nothing),
    );
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
