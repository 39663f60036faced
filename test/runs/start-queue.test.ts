import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { StartQueue } from '../../src/runs/start-queue.ts';
import { runs } from '../property-runs.ts';

const change = fc.record({
  run: fc.nat(30),
  start: fc.nat(1000),
  isRemoved: fc.boolean(),
});

test('property: the first run is the one that starts first of those that are there', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 300, size: 'max' }), (changes) => {
      const queue = new StartQueue();
      const starts = new Map<number, number>();
      for (const { run, start, isRemoved } of changes) {
        if (isRemoved) expect(queue.remove(run)).toBe(starts.delete(run));
        else {
          queue.add(run, start);
          starts.set(run, Math.min(start, starts.get(run) ?? start));
        }
        expect(queue.first()?.start).toBe(starts.size === 0 ? undefined : Math.min(...starts.values()));
        expect(new Set(queue.runs())).toEqual(new Set(starts.keys()));
      }
    }),
    { numRuns: runs },
  );
});
