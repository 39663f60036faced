import { expect, test } from 'vitest';
import { detectableDrop } from '../../src/judge/detectable-drop.ts';
import { bet, lateShare, logEvidence, shiftWeights, stake } from '../../src/judge/mixture.ts';
import { project } from '../../src/judge/projection.ts';
import { replayTicks, type TickCounts } from '../../src/judge/replay.ts';
import { levelFactors, nearnessWeights, notWorseFactors, worseFactors } from '../../src/judge/tests.ts';
import { oracleTrajectory, type Fault, type OracleRun } from './oracle.ts';
import { minuteMs } from './releases.ts';

const prior = 0.08;
const ticks: readonly TickCounts[] = [
  [2, 1, 18, 1],
  [3, 2, 30, 2],
  [1, 1, 9, 0],
  [1, 0, 9, 1],
];
/** Published with the formulas, and computed by two other implementations. */
const golden = [0.5985587512717592, 2.5216997840050785, 2.5216997840050785, 3.4932403220914225];

/** After the same ticks when the failed runs of the baseline in the second one never end: later blocks know less of the baseline. */
const goldenAfterHang = 3.492258377435402;

const binary = (units: number, bad: number) =>
  new Map([
    [0, units - bad],
    [1, bad],
  ]);

function near(actual: number, wanted: number): void {
  expect(Math.abs(actual - wanted), `${actual} is ${wanted}`).toBeLessThan(1e-12);
}

test('evidence that a release is worse, tick by tick', () => {
  for (const [i, evidence] of replayTicks(prior, ticks).entries()) near(evidence, golden[i]!);
});

test('evidence that a release is not worse by a margin', () => {
  const mixture = stake(nearnessWeights, 0);
  const block = { candidates: 40, baselines: 360, candidate: binary(40, 3), baseline: binary(360, 29) };
  bet(mixture, nearnessWeights, notWorseFactors(block, prior, 0.05));
  near(logEvidence(mixture), 0.5079239266177388);
  bet(mixture, nearnessWeights, notWorseFactors(block, (20 * prior + 29) / 380, 0.05));
  near(logEvidence(mixture), 1.0231953090115757);
});

test('evidence that a release is worse than a floor', () => {
  const mixture = stake(shiftWeights, lateShare);
  bet(mixture, shiftWeights, levelFactors(binary(4, 2), 0.15));
  near(logEvidence(mixture), 0.7303298833787659);
  bet(mixture, shiftWeights, levelFactors(binary(4, 3), 0.15));
  near(logEvidence(mixture), 3.231384593637287);
});

test('scores between good and bad', () => {
  const mixture = stake(shiftWeights, lateShare);
  const block = {
    candidates: 3,
    baselines: 13,
    candidate: new Map([
      [1, 1],
      [0, 1],
      [1 / 3, 1],
    ]),
    baseline: new Map([
      [1 / 3, 2],
      [0, 10],
      [1, 1],
    ]),
  };
  bet(mixture, shiftWeights, worseFactors(block, prior, 0));
  near(logEvidence(mixture), 0.49455815546163584);
});

test('the nearest means whose difference is a margin', () => {
  const means = project({ candidates: 4, baselines: 36, candidate: 0.08, baseline: 0.08 }, 0.05);
  near(means.candidate, 0.12668068023615697);
  near(means.baseline, 0.07668068023615696);
});

test('the smallest drop that would be found, in points, at 10 % and 50 % share, after 1, 4 and 24 hours', () => {
  const table: readonly (readonly [candidates: number, baselines: number, points: string])[] = [
    [4, 36, '20.7 9.2 3.4 23.9 10.6 3.9 26.4 11.7 4.3'],
    [12, 108, '10.9 5.0 1.9 12.5 5.7 2.2 13.8 6.3 2.4'],
    [60, 540, '4.4 2.1 0.8 5.1 2.4 1.0 5.5 2.6 1.0'],
    [4, 4, '31.1 13.4 4.8 36.3 15.5 5.5 40.4 17.2 6.1'],
    [12, 12, '15.9 7.1 2.6 18.5 8.1 3.0 20.6 9.0 3.3'],
    [60, 60, '6.2 2.9 1.1 7.2 3.3 1.3 7.9 3.7 1.4'],
  ];
  for (const [candidates, baselines, points] of table) {
    const drops = [20, 100, 400].flatMap((evidence) =>
      [1, 4, 24].map((hours) => {
        const units = { candidates: candidates * 12 * hours, baselines: baselines * 12 * hours };
        return 100 * detectableDrop({ ...units, base: 0.08 }, Math.log(evidence))!;
      }),
    );
    for (const [i, wanted] of points.split(' ').entries())
      expect(Math.abs(drops[i]! - Number(wanted)), `${drops[i]} is ${wanted}`).toBeLessThan(0.055);
  }
});

test('no drop is told where none would be found', () => {
  expect(detectableDrop({ candidates: 1, baselines: 9, base: 0.08 }, Math.log(100))).toBeUndefined();
});

/** The golden ticks as runs; where `hangs` says so, the failed runs of the baseline in the second never end. */
function runsOf(hangs: boolean): readonly OracleRun[] {
  return ticks.flatMap(([candidates, failed, baselines, baselinesFailed], tick) => {
    const one = (isCandidate: boolean, isBad: boolean, isHung = false): OracleRun => ({
      isCandidate,
      seenMs: tick * minuteMs,
      endedMs: isHung ? Infinity : tick * minuteMs + 1000,
      isBad,
    });
    return [
      ...Array.from({ length: candidates }, (_, i) => one(true, i < failed)),
      ...Array.from({ length: baselines }, (_, i) =>
        one(false, i < baselinesFailed, hangs && tick === 1 && i < baselinesFailed),
      ),
    ];
  });
}

const settings = { prior, tickMs: minuteMs, holdMs: 30_000, deadlineMs: 15 * minuteMs };

test('an implementation of its own says the same', () => {
  const other = oracleTrajectory(runsOf(false), 0, ticks.length, settings);
  for (const [i, evidence] of other.entries()) near(evidence, golden[i]!);
  // A failed run that hangs is as bad once its deadline is over, and until then what comes after it waits.
  const hanging = oracleTrajectory(runsOf(true), 0, 20, settings);
  near(hanging[3]!, golden[0]!);
  near(hanging.at(-1)!, goldenAfterHang);
});

test.each<readonly [Fault, number]>([
  ['base includes the block', 0],
  ['alternative is fitted to the block', 0],
  ['best alternative instead of the mean', 0],
  ['measured against the baseline', 0],
  ['measured against the unweighted mean', 0],
  ['base of all blocks is the latest', 0],
  ['fitted anew at each look', 0],
  ['alternatives clamped at 1', 0],
  ['begins anew after the second block', 1],
  ['ticks without both releases are skipped', 2],
])('that %s is caught by golden value %i', (fault, caughtAt) => {
  const trajectory = oracleTrajectory(runsOf(false), 0, ticks.length, { ...settings, fault });
  const isRight = trajectory.map((evidence, i) => Math.abs(evidence - golden[i]!) < 1e-6);
  expect(isRight.indexOf(false)).toBe(caughtAt);
});

test.each<Fault>(['hanging runs are left out', 'blocks settle as they come'])(
  'that %s is caught by the golden values of a run that hangs',
  (fault) => {
    const right = oracleTrajectory(runsOf(true), 0, 20, settings);
    const wrong = oracleTrajectory(runsOf(true), 0, 20, { ...settings, fault });
    expect(wrong.some((evidence, i) => Math.abs(evidence - right[i]!) > 1e-6)).toBe(true);
  },
);
