import { expect, test } from 'vitest';
import type { KpiRules } from '../../src/judge/canary-rules.ts';
import {
  minuteMs,
  noonMs,
  randomOf,
  releasesWith,
  runSuccess,
  type Releases,
  type Told,
} from './releases.ts';

const duration: KpiRules = {
  kpi: 'run_duration',
  weight: 0.5,
  reference: undefined,
  floor: undefined,
  limit: 120,
};
const rules = { kpis: [{ ...runSuccess, weight: 0.5 }, duration] };

/** A run that begins at minute `at` and takes `seconds`, by the clocks of its sender and in the stream. */
const lasting = (at: number, release: string, seconds: number): Told => {
  const startMs = noonMs + at * minuteMs;
  return { at, release, takes: seconds / 60, startMs, endMs: startMs + 1000 * seconds };
};

/** Seconds that runs take: half a minute is usual, and some take several. */
function someSeconds(random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return 30 * Math.exp(0.7 * normal);
}

/** Four hours of two runs of the canary and 18 of its baseline a minute, as noisy, of which 8 % fail; the canary takes `factor` times as long. */
function canaryThatTakes(factor: number, seed: number): Releases {
  const releases = releasesWith(rules);
  const random = randomOf(seed);
  const add = (minute: number, release: string, count: number): void => {
    for (let i = 0; i < count; i++) {
      const seconds = someSeconds(random) * (release === '2' ? factor : 1);
      releases.add({ ...lasting(minute + random() * 0.9, release, seconds), isBad: random() < 0.08 });
    }
  };
  for (let minute = -30; minute < 240; minute++) add(minute, '1', 18);
  for (let minute = 0; minute < 240; minute++) add(minute, '2', 2);
  return releases.until(260);
}

test('a canary that is only slower fails and is to be rolled back; one with the same noise is not', () => {
  for (const seed of [1, 2, 3]) {
    const { verdict, action, reason } = canaryThatTakes(1.7, seed).standing();
    expect({ verdict, action }).toEqual({ verdict: 'fail', action: 'rollback' });
    expect(reason).toMatch(/^run_duration is worse than that of 1: /);
  }
  const healthy = [1, 2, 3, 4, 5, 6].map((seed) => canaryThatTakes(1, seed).standing());
  expect(healthy.map(({ action }) => action)).not.toContain('rollback');
  expect(healthy.map(({ verdict }) => verdict)).not.toContain('fail');
  expect(healthy.map(({ verdict }) => verdict)).toContain('pass');
});

/** Evidence that a release is slower whose two runs, of twenty, are `slow`. */
function evidenceOf(slow: readonly Told[], changes: Partial<typeof duration> = {}): number {
  const releases = releasesWith({ kpis: [{ ...duration, weight: 1, ...changes }] });
  for (let i = 0; i < 10; i++) releases.add(lasting(-1 + i / 100, '1', 30));
  releases.add(...slow, ...Array.from({ length: 18 }, () => lasting(0.1, '1', 30)));
  return releases.until(60).test('worse', { kpi: 'run_duration' }).logEvidence;
}

const two = (seconds: number): readonly Told[] => [lasting(0.1, '2', seconds), lasting(0.1, '2', seconds)];

test('a run that takes very long is one run: durations count up to twice what is usual, or the objective asks', () => {
  expect(evidenceOf(two(240))).toBeGreaterThan(evidenceOf(two(90)));
  expect(evidenceOf(two(800))).toBe(evidenceOf(two(240)));
  expect(evidenceOf(two(800), { limit: 600 })).toBeGreaterThan(evidenceOf(two(240), { limit: 600 }));
});

test('what an objective asks of a quantile says how much counts, and nothing of the mean; of the mean it says that', () => {
  const evidence = [undefined, 24, 120].map((reference) => evidenceOf(two(90), { reference }));
  expect(evidence[0]).toBe(evidence[1]); // a tenth of twice 120 s, as of all of which nothing is said
  expect(evidence[2]).toBeLessThan(evidence[0]!);
});

test('a run that has not ended by its deadline took as long as that', () => {
  const hung = two(60).map((run) => ({ ...run, takes: Infinity }));
  expect(evidenceOf(hung, { limit: 600 })).toBe(evidenceOf(two(15 * 60), { limit: 600 }));
});

test('a run that ended before it began, by clocks that disagree, took no time', () => {
  const back = two(60).map((run) => ({ ...run, endMs: run.startMs! - 5000 }));
  expect(evidenceOf(back)).toBe(evidenceOf(two(0)));
});
