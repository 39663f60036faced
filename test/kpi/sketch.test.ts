import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Sketch } from '../../src/kpi/sketch.ts';
import { runs } from '../property-runs.ts';

const levels = [0, 0.5, 0.95, 0.99, 1];

test('property: merged sketches give every quantile within 1 %', () => {
  const value = fc.oneof(fc.constant(0), fc.constant(1), fc.double({ min: 1e-6, max: 1e9, noNaN: true }));
  fc.assert(
    fc.property(fc.array(fc.array(value), { minLength: 1, maxLength: 6 }), (panes) => {
      const merged = new Sketch();
      for (const pane of panes) {
        const sketch = new Sketch();
        for (const one of pane) sketch.add(one);
        merged.merge(sketch);
      }
      const sorted = panes.flat().toSorted((a, b) => a - b);
      expect(merged.count).toBe(sorted.length);
      if (sorted.length === 0) return;
      const found = merged.quantiles(levels);
      levels.forEach((level, i) => {
        const exact = sorted[Math.floor(level * (sorted.length - 1))] ?? Number.NaN;
        expect(Math.abs((found[i] ?? Number.NaN) - exact)).toBeLessThanOrEqual(0.01 * exact * (1 + 1e-9));
      });
    }),
    { numRuns: runs },
  );
});

test('an empty sketch has no quantile', () => {
  expect(new Sketch().quantiles([0.5])).toEqual([Number.NaN]);
});
