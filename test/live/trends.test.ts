import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Trends } from '../../src/page/trends.ts';
import { runs } from '../property-runs.ts';
import { noon } from './moments.ts';

const first = ([value]: Iterable<number>): number => value ?? Number.NaN;

function filled(points: number, everyMs = 10_000): Trends {
  const trends = new Trends({ width: 1, limit: 10 });
  for (let i = 0; i < points; i++) trends.add(noon + i * everyMs, new Map([['a', [i]]]));
  return trends;
}

test('a trend has all points of ten minutes, one a minute of the hour before, and none that is older', () => {
  const { timesMs } = filled(2000);
  const agesMs = timesMs.map((timeMs) => (timesMs.at(-1) ?? 0) - timeMs);
  expect(agesMs.filter((ageMs) => ageMs <= 600_000)).toHaveLength(61);
  expect(Math.max(...agesMs)).toBeGreaterThan(58 * 60_000);
  expect(Math.max(...agesMs)).toBeLessThanOrEqual(3_600_000);
  const older = timesMs
    .filter((_, i) => (agesMs[i] ?? 0) > 600_000)
    .map((timeMs) => Math.floor(timeMs / 60_000));
  expect(new Set(older).size).toBe(older.length);
  expect(timesMs.length).toBeLessThan(115);
});

test('a trend does not grow for ever', () => {
  const bytes = filled(1000).bytes;
  expect(filled(3000).bytes).toBeLessThanOrEqual(bytes + 4);
});

test('each series keeps its own values, whoever comes and goes beside it', () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 1, max: 900_000 }),
    keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const trends = new Trends({ width: 2, limit: 5 });
      const said = new Map<string, Map<number, number>>();
      let timeMs = noon;
      for (const [i, { afterMs, keys }] of steps.entries()) {
        timeMs += afterMs;
        trends.add(timeMs, new Map(keys.map((key) => [key, [i, key.charCodeAt(0)]])));
        for (const key of keys) said.set(key, (said.get(key) ?? new Map()).set(timeMs, i));
      }
      for (const [key, values] of said) {
        expect(trends.of(key, first)).toEqual(trends.timesMs.map((at) => values.get(at) ?? null));
        const others = trends.of(key, ([, code]) => code ?? null).filter((code) => code !== null);
        expect(others.every((code) => code === key.charCodeAt(0))).toBe(true);
      }
    }),
    { numRuns: runs },
  );
});

test('beyond the limit new series have no trend, until others are forgotten', () => {
  const trends = new Trends({ width: 1, limit: 1 });
  trends.add(noon, new Map([['a', [1]]]));
  trends.add(noon + 10_000, new Map([['b', [2]]]));
  expect(trends.of('b', first)).toEqual([null, null]);
  trends.add(noon + 7_200_000, new Map());
  trends.add(noon + 7_210_000, new Map([['b', [3]]]));
  expect(trends.of('b', first)).toEqual([null, 3]);
  expect(trends.of('a', first)).toEqual([null, null]);
});

test('a clock that is set back leaves no points of the future', () => {
  const trends = filled(10);
  trends.add(noon + 5000, new Map([['a', [42]]]));
  expect(trends.timesMs).toEqual([noon, noon + 5000]);
  expect(trends.of('a', first)).toEqual([0, 42]);
});
