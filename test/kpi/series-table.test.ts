import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeriesTable } from '../../src/kpi/series-table.ts';
import { runs } from '../property-runs.ts';

test('property: a series is the same until it is forgotten, and forgetting it leaves the others', () => {
  const value = fc.constantFrom('a', 'b', 'c');
  const event = fc.record({
    values: fc.tuple(value, value, value),
    afterMs: fc.integer({ min: 0, max: 40 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const keepMs = 60;
      const table = new SeriesTable(100, 3, () => ({}));
      const known = new Map<string, { series: unknown; newestMs: number }>();
      let nowMs = 0;
      for (const { values, afterMs } of events) {
        nowMs += afterMs;
        table.expire(nowMs, keepMs);
        for (const [key, { newestMs }] of known) if (newestMs < nowMs - keepMs) known.delete(key);
        const key = values.join('');
        const series = table.at(nowMs, ...values);
        expect(series.values).toEqual(values);
        if (known.has(key)) expect(series).toBe(known.get(key)?.series);
        else expect([...known.values()].map((one) => one.series)).not.toContain(series);
        known.set(key, { series, newestMs: nowMs });
        expect([...table]).toHaveLength(known.size);
      }
    }),
    { numRuns: runs },
  );
});
