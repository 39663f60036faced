import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { none } from '../../src/runs/rows.ts';
import { RunTable } from '../../src/runs/run-table.ts';
import { SpanTable } from '../../src/runs/span-table.ts';
import { SpanIds } from '../../src/semconv/span-facts.ts';
import { runs } from '../property-runs.ts';

function tables(runCount: number): { spans: SpanTable; begun: number[] } {
  const table = new RunTable(1000);
  const begun = Array.from({ length: runCount }, (_, i) => {
    const ids = new SpanIds();
    ids.trace0 = i + 1;
    return table.begin(ids);
  });
  return { spans: new SpanTable(table), begun };
}

/** The spans of `run`, in order. */
function chain(spans: SpanTable, run: number): number[] {
  const found: number[] = [];
  for (let span = spans.first(run); span !== none; span = spans.after(span)) found.push(span);
  return found;
}

test('property: each run finds its own spans, in the order in which they came, until it is forgotten', () => {
  const step = fc.record({
    run: fc.integer({ min: 0, max: 2 }),
    id: fc.integer({ min: 0, max: 60 }),
    forget: fc.integer({ min: 0, max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { spans, begun } = tables(3);
      const known = begun.map(() => new Map<number, number>());
      for (const { run, id, forget } of steps) {
        const mine = known[run]!;
        // Ids that differ in one of their two words only.
        const [id0, id1] = id % 2 === 0 ? [id, 7] : [7, id];
        expect(spans.find(begun[run]!, id0, id1)).toBe(mine.get(id) ?? none);
        mine.set(id, spans.obtain(begun[run]!, id0, id1));
        if (forget > 0) continue;
        spans.forget(begun[run]!);
        mine.clear();
      }
      known.forEach((mine, i) => expect(chain(spans, begun[i]!)).toEqual([...mine.values()]));
      expect(spans.count).toBe(known.reduce((sum, mine) => sum + mine.size, 0));
    }),
    { numRuns: runs },
  );
});

test('spans of a run of thousands are found, and leave nothing behind', () => {
  const { spans, begun } = tables(2);
  const [large, small] = [begun[0]!, begun[1]!];
  const count = 5000;
  for (let i = 0; i < count; i++) spans.obtain(large, i, ~i);
  spans.obtain(small, 1, ~1);
  for (let i = 0; i < count; i++) expect(spans.find(large, i, ~i)).not.toBe(none);
  expect(spans.find(large, 1, 1)).toBe(none);
  expect(spans.count).toBe(count + 1);
  spans.forget(large);
  expect(spans.count).toBe(1);
  expect(spans.find(large, 1, ~1)).toBe(none);
  expect(spans.find(small, 1, ~1)).not.toBe(none);
  for (let i = 1; i <= 20; i++) spans.obtain(large, i, i);
  for (let i = 1; i <= 20; i++) expect(spans.find(large, i, i)).not.toBe(none);
  for (let i = 0; i < count; i++) expect(spans.find(large, i, ~i)).toBe(none);
  expect(spans.count).toBe(21);
});
