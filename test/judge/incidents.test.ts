import { expect, test } from 'vitest';
import type { KpiRules } from '../../src/judge/canary-rules.ts';
import {
  agent,
  environment,
  good,
  minuteMs,
  noonMs,
  randomOf,
  releasesWith,
  runSuccess,
  type Releases,
  type Told,
} from './releases.ts';

const incidents: KpiRules = { kpi: 'incidents_per_run', weight: 1, reference: 0.02, floor: undefined };
const rules = { kpis: [incidents] };

/** Somebody reports, at a minute, an incident of the run in a slot. */
function report(releases: Releases, slot: number, at: number): void {
  releases.at(at, (judge) => judge.incident({ slot, agent, environment }, noonMs + at * minuteMs));
}

/** A canary of two runs a minute beside 18, of which 8 % fail, for four hours; so many of 100 runs have an incident, told of minutes after they ended. */
function canaryWith(percent: number, seed: number): Releases {
  const releases = releasesWith({
    kpis: [
      { ...runSuccess, weight: 0.5 },
      { ...incidents, weight: 0.5 },
    ],
  });
  const random = randomOf(seed);
  const add = (minute: number, release: string, count: number, share: number): void => {
    for (let i = 0; i < count; i++) {
      const at = minute + random() * 0.9;
      const slot = releases.add({ at, release, isBad: random() < 0.08 });
      if (random() < share) report(releases, slot, at + 1 + 10 * random());
    }
  };
  for (let minute = -30; minute < 240; minute++) add(minute, '1', 18, 0.02);
  for (let minute = 0; minute < 240; minute++) add(minute, '2', 2, percent / 100);
  return releases.until(270);
}

test('a canary that only causes incidents fails and is to be rolled back; one with as many as its baseline is not', () => {
  for (const seed of [1, 2, 3]) {
    const { verdict, action, reason } = canaryWith(12, seed).standing();
    expect({ verdict, action }).toEqual({ verdict: 'fail', action: 'rollback' });
    expect(reason).toMatch(/^incidents_per_run is worse than that of 1: /);
  }
  const healthy = [1, 2, 3, 4, 5, 6].map((seed) => canaryWith(2, seed).standing());
  expect(healthy.map(({ action }) => action)).not.toContain('rollback');
  expect(healthy.map(({ verdict }) => verdict)).not.toContain('fail');
  expect(healthy.map(({ verdict }) => verdict)).toContain('pass');
});

/** A canary of two runs, the second of which is `told` of as said, beside 18. */
function pairOf(tell: (releases: Releases, slot: number) => void, said: Partial<Told> = {}): Releases {
  const releases = releasesWith(rules);
  for (let i = 0; i < 10; i++) releases.add({ at: -1 + i / 100 });
  releases.add({ at: 0.1, release: '2' });
  tell(releases, releases.add({ at: 0.1, release: '2', ...said }));
  releases.add(...Array.from({ length: 18 }, () => ({ at: 0.1 })));
  return releases.until(60);
}

const evidenceOf = (releases: Releases): number =>
  releases.test('worse', { kpi: 'incidents_per_run' }).logEvidence;

const unitsOf = (releases: Releases) => releases.standing().units.candidate;
const scored = (score: number): Partial<Told> & Pick<typeof good, 'scores'> => ({
  scores: new Map([['judge-1', score]]),
});

const nothing = evidenceOf(pairOf(() => {}));

test('an incident counts that is reported while the run is open, or after it ended, until its deadline', () => {
  const open = pairOf((releases, slot) => report(releases, slot, 3), { takes: 5 });
  expect(evidenceOf(open)).toBeGreaterThan(nothing);
  for (const at of [0.2, 0.5, 3, 15]) {
    const releases = pairOf((of, slot) => report(of, slot, at));
    expect(evidenceOf(releases)).toBe(evidenceOf(open));
    expect(releases.judge.ignored.incident).toBe(0);
  }
});

test('an incident that is reported after the deadline of its run is counted as ignored', () => {
  const late = pairOf((releases, slot) => report(releases, slot, 15.2));
  expect(evidenceOf(late)).toBe(nothing);
  expect(late.judge.ignored.incident).toBe(1);
});

test('several incidents of a run are one', () => {
  const once = pairOf((releases, slot) => report(releases, slot, 3));
  const twice = pairOf((releases, slot) => [3, 4].forEach((at) => report(releases, slot, at)));
  expect(evidenceOf(twice)).toBe(evidenceOf(once));
});

test('until its deadline a run that ended is open, for incidents may come; by other rules it is not', () => {
  const releases = releasesWith(rules);
  for (let i = 0; i < 10; i++) releases.add({ at: -1 + i / 100 });
  releases.add({ at: 0.1, release: '2' });
  expect(unitsOf(releases.until(15))).toEqual({ open: 1, settled: 0 });
  expect(unitsOf(releases.until(17))).toEqual({ open: 0, settled: 1 });
  const others = releasesWith();
  for (let i = 0; i < 10; i++) others.add({ at: -1 + i / 100 });
  others.add({ at: 0.1, release: '2' });
  report(others, others.add({ at: 0.1, release: '2' }), 1);
  expect(unitsOf(others.until(3))).toEqual({ open: 0, settled: 2 });
  expect(others.judge.ignored.incident).toBe(0);
});

test('an incident of what turns out to be part of another run is one of that run, too', () => {
  const part = (at: number) =>
    pairOf((releases, slot) => {
      const other = releases.add({ at: 0.2, release: '2', takes: Infinity });
      releases.at(5, (judge) => judge.absorbed(other, slot, noonMs + 5 * minuteMs));
      report(releases, at < 5 ? other : slot, at);
    }, { takes: 8 }); // prettier-ignore
  expect(evidenceOf(part(3))).toBe(evidenceOf(part(7)));
  expect(evidenceOf(part(3))).toBeGreaterThan(evidenceOf(pairOf((of, slot) => report(of, slot, 3))));
});

test('an incident is one of the run that has the slot now, not of one that had it and waits for its deadline', () => {
  const releases = pairOf((of, slot) => {
    const labels = { slot, agent, environment, release: '1', sessionId: '', userId: '' };
    of.at(5, (judge) => judge.seen(labels, noonMs + 5 * minuteMs));
    report(of, slot, 6);
  });
  expect(evidenceOf(releases)).toBeLessThanOrEqual(nothing);
});

test('what an evaluator says of a run that waits for its deadline counts once', () => {
  const quality: KpiRules = { kpi: 'quality_score', weight: 0.5, reference: 0.1, floor: undefined };
  const evidence = [rules.kpis, []].map((others) => {
    const releases = releasesWith({
      kpis: [...others, { ...quality, evaluator: 'judge-1' }],
      unit: 'session',
    });
    for (let i = 0; i < 10; i++) releases.add({ at: -1 + i / 100, sessionId: `a${i}`, ...scored(0.9) });
    for (let i = 0; i < 18; i++) releases.add({ at: 0.1, sessionId: `b${i}`, ...scored(0.9) });
    for (const sessionId of ['c', 'd']) {
      releases.add({ at: 0.1, release: '2', sessionId, ...scored(0.2) });
      const slot = releases.add({ at: 0.2, release: '2', sessionId });
      releases.at(3, (judge) => judge.revised({ ...good, slot, ...scored(1) }, noonMs + 3 * minuteMs));
    }
    return releases.until(200, { advances: true }).test('worse', { kpi: 'quality_score' }).logEvidence;
  });
  expect(evidence[0]).toBe(evidence[1]);
});
