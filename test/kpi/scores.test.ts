import { expect, test } from 'vitest';
import type { Kpis } from '../../src/kpi/kpis.ts';
import { flat, kpisOf, published, run, value } from './events.ts';

const noon = Date.UTC(2026, 10, 23, 12);
const name = 'plimsoll_kpi_quality_score';
const scored = (scores: Record<string, number>, given = {}) =>
  run(noon, { scores: new Map(Object.entries(scores)), ...given });

/** Value, numerator and denominator of the 5 m window of an evaluator. */
function quality(kpis: Kpis, evaluator: string, release = '1.4.0'): (number | undefined)[] {
  kpis.watermark.advance(0, noon, noon, noon);
  const families = published(kpis, noon);
  const labels = { evaluator, release, window: '5m' };
  return ['_ratio', '_numerator', '_denominator'].map((suffix) => value(families, name + suffix, labels));
}

test('the quality score is the mean over the runs of which an evaluator said something', () => {
  const kpis = kpisOf();
  kpis.finished(scored({ helpful: 1, safe: 0.5 }));
  kpis.finished(scored({ helpful: 0.5 }));
  kpis.finished(run(noon));
  expect(quality(kpis, 'helpful')).toEqual([0.75, 1.5, 2]);
  expect(quality(kpis, 'safe')).toEqual([0.5, 0.5, 1]);
  expect(quality(kpis, 'nobody')).toEqual([undefined, undefined, undefined]);
});

test('what is found of a run later takes the place of what was found before, also in another release', () => {
  const kpis = kpisOf();
  const before = scored({ helpful: 1, safe: 1 });
  kpis.finished(before);
  const after = scored({ helpful: 0.25 });
  kpis.revised(before, after);
  expect(quality(kpis, 'helpful')).toEqual([0.25, 0.25, 1]);
  expect(quality(kpis, 'safe')).toEqual([undefined, 0, 0]);
  kpis.revised(after, scored({ helpful: 0.25 }, { release: '1.5.0' }));
  expect(quality(kpis, 'helpful')).toEqual([undefined, 0, 0]);
  expect(quality(kpis, 'helpful', '1.5.0')).toEqual([0.25, 0.25, 1]);
});

test('a run without scores takes what is found of it after its end, and runs beside it keep theirs', () => {
  const kpis = kpisOf();
  const [first, second] = [run(noon), run(noon)];
  kpis.finished(first);
  kpis.finished(second);
  const judged = scored({ helpful: 0.5 });
  kpis.revised(first, judged);
  kpis.revised(second, run(noon));
  expect(quality(kpis, 'helpful')).toEqual([0.5, 0.5, 1]);
  kpis.revised(judged, run(noon));
  expect(quality(kpis, 'helpful')).toEqual([undefined, 0, 0]);
});

test('evaluators beyond the limit on series share one, and are counted', () => {
  const kpis = kpisOf(1, { maxSeries: 48 });
  for (let k = 0; k < 100; k++) kpis.finished(scored({ [`e${k}`]: 1 }));
  kpis.watermark.advance(0, noon, noon, noon);
  const families = published(kpis, noon);
  const series = [...flat(families).keys()].filter((key) => key.startsWith(`${name}_denominator`));
  expect(series.length).toBeLessThanOrEqual(48);
  expect(value(families, 'plimsoll_kpi_overflow_events_total', { unit: 'score' })).toBeGreaterThan(0);
});

test('scores below the target of their evaluator are a share, by the target of now; without one there is no gauge', () => {
  let target: number | undefined;
  const kpis = kpisOf(1, {
    qualityTarget: (_, __, evaluator) => (evaluator === 'helpful' ? target : undefined),
  });
  const below = (): number | undefined => {
    kpis.watermark.advance(0, noon, noon, noon);
    const labels = { evaluator: 'helpful', window: '5m' };
    return value(published(kpis, noon), 'plimsoll_kpi_quality_below_target_ratio', labels);
  };
  for (const score of [0, 0.57, 0.799, 0.8, 1]) kpis.finished(scored({ helpful: score, safe: 0 }));
  expect(below()).toBeUndefined();
  target = 0.8;
  expect(below()).toBe(3 / 5);
  target = 0.57;
  expect(below()).toBe(1 / 5);
  target = 0;
  expect(below()).toBe(0);
  const families = published(kpis, noon).filter(({ name: family }) => family.includes('below_target'));
  expect([...flat(families).keys()].filter((key) => key.includes('safe'))).toEqual([]);
});
