import { assert, integer, property, tuple, array, boolean } from 'fast-check';
import { expect, test } from 'vitest';
import { FarClock } from '../../src/store/far-clock.ts';
import { runs } from '../property-runs.ts';

test('a clock elsewhere is never said to be later than it is, however long an answer takes or this machine sleeps', () => {
  const step = tuple(integer({ min: 0, max: 10_000 }), boolean(), boolean());
  assert(
    property(integer({ min: -(10 ** 9), max: 10 ** 9 }), array(step), (skewMs, steps) => {
      let [trueMs, passedMs] = [1_764_000_000_000, 0];
      const clock = new FarClock(() => passedMs);
      for (const [ms, isRead, sleeps] of steps) {
        const readMs = trueMs + skewMs;
        trueMs += ms;
        if (!sleeps) passedMs += ms;
        if (isRead) clock.set(readMs); // the answer took as long as the step
        if (!Number.isNaN(clock.nowMs)) expect(clock.nowMs).toBeLessThanOrEqual(trueMs + skewMs);
      }
    }),
    { numRuns: runs },
  );
});

test('it moves on between two readings', () => {
  let passedMs = 5;
  const clock = new FarClock(() => passedMs);
  expect(clock.nowMs).toBeNaN();
  clock.set(1_764_000_000_000);
  passedMs += 1234;
  expect(clock.nowMs).toBe(1_764_000_001_234);
  expect(clock.ageMs).toBe(1234);
});
