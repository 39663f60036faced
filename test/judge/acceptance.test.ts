// What the judge promises, on seeded traffic; `node bench/judge.ts` measures it on more, beside static rules.
import { expect, test } from 'vitest';
import { replayTicks } from '../../src/judge/replay.ts';
import {
  countsOf,
  judgeUnits,
  lateNulls,
  lateUnits,
  sessionUnits,
  shareOf,
  type Traffic,
} from './simulated.ts';

/** Four hours at 4 and 36 runs in 5 minutes, of which 8 % fail. */
const four: Traffic = {
  candidates: 0.8,
  baselines: 7.2,
  candidateFails: 0.08,
  baselineFails: 0.08,
  minutes: 240,
};
const twelve: Traffic = { ...four, candidates: 2.4, baselines: 21.6 };

/** Shares of `seeds` canaries that evidence pauses, and rolls back. */
function decided(seeds: number, traffic: Traffic): { readonly paused: number; readonly rolledBack: number } {
  const most = Array.from({ length: seeds }, (_, seed) =>
    Math.max(...replayTicks(0.08, countsOf(traffic, seed + 1))),
  );
  return {
    paused: shareOf(seeds, (seed) => most[seed - 1]! >= Math.log(20)),
    rolledBack: shareOf(seeds, (seed) => most[seed - 1]! >= Math.log(100)),
  };
}

test('a release that is as good as its baseline is hardly ever paused, and less often rolled back', () => {
  for (const traffic of [four, twelve]) {
    const { paused, rolledBack } = decided(600, traffic);
    expect(paused).toBeLessThanOrEqual(0.026);
    expect(rolledBack).toBeLessThanOrEqual(0.0075);
  }
});

test('a release that fails 12 points more is nearly always found in four hours', () => {
  const { paused, rolledBack } = decided(300, { ...four, candidateFails: 0.2 });
  expect(paused).toBeGreaterThanOrEqual(0.955);
  expect(rolledBack).toBeGreaterThanOrEqual(0.895);
  expect(decided(100, { ...twelve, candidateFails: 0.2 }).rolledBack).toBeGreaterThanOrEqual(0.995);
});

test('runs whose end is known sooner in one release than in the other are no evidence', () => {
  const most = lateNulls.flatMap((lateness) =>
    Array.from({ length: 8 }, (_, i) => judgeUnits(lateUnits(four, lateness, i + 1, 15), 240, {}).most),
  );
  expect(most.filter((one) => one >= 1).length / most.length).toBeLessThanOrEqual(0.035);
  expect(most.filter((one) => one === 2)).toEqual([]);
});

test('sessions whose runs fail together are judged as sessions; as runs, the verdict stays open', () => {
  const canaries = Array.from({ length: 40 }, (_, i) => sessionUnits(four, 0.3, i + 1));
  const bySession = canaries.map((units) => judgeUnits(units, 240, { unit: 'session' }));
  expect(bySession.filter(({ most }) => most >= 1).length / 40).toBeLessThanOrEqual(0.03);
  expect(bySession.every(({ standing }) => standing.splitDispersion! < 2)).toBe(true);
  const byRun = canaries.map((units) => judgeUnits(units, 240, {}).standing);
  expect(byRun.filter(({ reason }) => reason.includes('dispersion')).length).toBeGreaterThanOrEqual(36);
  expect(byRun.filter(({ verdict }) => verdict !== 'inconclusive')).toEqual([]);
});
