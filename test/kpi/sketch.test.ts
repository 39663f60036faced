import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { logBucket, Merged } from '../../src/kpi/sketch.ts';
import { runs } from '../property-runs.ts';

const levels = [0, 0.5, 0.95, 0.99, 1];

test('property: merged sketches give every quantile within 1 %, whatever was merged and taken back before', () => {
  const value = fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 1e-6, max: 1e9, noNaN: true }));
  const merged = new Merged();
  fc.assert(
    fc.property(fc.array(value), fc.array(value), (values, others) => {
      merged.clear();
      for (const one of values) merged.add(logBucket(one), 1);
      for (const one of others) merged.add(logBucket(one), 1);
      for (const one of others) merged.add(logBucket(one), -1);
      const found = merged.quantiles(levels);
      if (values.length === 0) {
        expect(found).toEqual(levels.map(() => Number.NaN));
        return;
      }
      const sorted = values.toSorted((a, b) => a - b);
      levels.forEach((level, i) => {
        const exact = sorted[Math.floor(level * (sorted.length - 1))] ?? Number.NaN;
        expect(Math.abs((found[i] ?? Number.NaN) - exact)).toBeLessThanOrEqual(0.01 * exact * (1 + 1e-9));
      });
    }),
    { numRuns: runs },
  );
});

test('a sketch takes any number that a clock gives, and has no quantile while it is empty', () => {
  for (const value of [-1, Number.NaN, Number.MIN_VALUE, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
    const merged = new Merged();
    expect(merged.quantiles([0.5])).toEqual([Number.NaN]);
    merged.add(logBucket(value), 1);
    expect(merged.quantiles([0.5])[0]).toBeGreaterThanOrEqual(0);
  }
});
