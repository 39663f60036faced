import { deserialize, serialize } from 'node:v8';
import { expect, test } from 'vitest';
import type { CanaryRules, KpiRules } from '../../src/judge/canary-rules.ts';
import { Judge, type JudgeState } from '../../src/judge/judge.ts';
import {
  agent,
  environment,
  flow,
  noonMs,
  minuteMs,
  Releases,
  releasesWith,
  rulesWith,
  runSuccess,
} from './releases.ts';

const healthy = [
  ['1', 18, 0.08],
  ['2', 2, 0.08],
] as const;
const worse = [
  ['1', 18, 0.08],
  ['2', 2, 0.5],
] as const;

function copyOf(judge: Judge): JudgeState {
  return deserialize(serialize(judge.save()));
}

test('a release that fails more runs than its baseline pauses, then is rolled back, and stays so', () => {
  const releases = releasesWith();
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(
    releases,
    [5, 120],
    [
      ['1', 18, 0.08],
      ['2', 2, 0.22],
    ],
  );
  flow(
    releases,
    [120, 600],
    [
      ['1', 18, 0.08],
      ['2', 2, 0],
    ],
  );
  const said: string[] = [];
  for (let minute = 6; minute <= 600; minute++) {
    const { verdict, action } = releases.until(minute + 0.5).standing();
    if (said.at(-1) !== `${verdict} ${action}`) said.push(`${verdict} ${action}`);
  }
  expect(said).toEqual(['inconclusive none', 'inconclusive pause', 'fail rollback']);
  const { baseline, policy, revision, startedMs, decidedMs, starts, reason, units } = releases.standing();
  expect({ baseline, policy, revision, starts }).toEqual({
    baseline: '1',
    policy: 'refunds',
    revision: 'r1',
    starts: 1,
  });
  expect(startedMs).toBe(noonMs + 5 * minuteMs);
  expect(decidedMs! - startedMs).toBeLessThan(60 * minuteMs);
  expect(reason).toMatch(
    /^run_success is worse than that of 1: evidence .* is enough to roll back; \d+ runs against \d+$/,
  );
  expect(units.candidate.open + units.candidate.settled).toBe(2 * 595);
  expect(units.baseline.open + units.baseline.settled).toBe(18 * 595);
  expect(releases.test('worse').logEvidence).toBeLessThan(releases.test('worse').rollbackAt!);
  expect(releases.judge.destinations(agent, environment, '2')).toEqual([
    { release: '1', why: 'established' },
  ]);
  expect(releases.judge.destinations(agent, environment, '1')).toEqual([]);
});

test('a release that is no worse passes once it has enough runs, and may be gone back to', () => {
  const releases = releasesWith({ minRuns: 300 });
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(releases, [5, 305], healthy);
  releases.until(145);
  expect(releases.test('not_worse').logEvidence).toBeGreaterThan(releases.test('not_worse').passAt!);
  expect(releases.standing()).toMatchObject({
    verdict: 'inconclusive',
    action: 'none',
    decidedMs: undefined,
  });
  releases.until(300);
  expect(releases.standing()).toMatchObject({ verdict: 'pass', action: 'promote' });
  expect(releases.judge.destinations(agent, environment, '3')).toEqual([
    { release: '1', why: 'established' },
    { release: '2', why: 'passed' },
  ]);
});

test('every KPI must pass, and the one that fails is named', () => {
  const kpis = [
    { kpi: 'run_success', weight: 0.5, reference: 0.08, floor: undefined },
    { kpi: 'run_escalation', weight: 0.5, reference: 0.02, floor: undefined },
  ] as const;
  const releases = releasesWith({ kpis });
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(releases, [5, 305], [['1', 18, 0.08]]);
  flow(releases, [5, 305], [['2', 2, 0]], { escalationReason: 'approval' });
  releases.until(300);
  expect(releases.test('not_worse').logEvidence).toBeGreaterThan(releases.test('not_worse').passAt!);
  expect(releases.standing()).toMatchObject({ verdict: 'fail', action: 'rollback' });
  expect(releases.standing().reason).toMatch(/^run_escalation is worse/);
});

test('evidence must be the greater the less a KPI weighs, and shared between its tests', () => {
  const releases = releasesWith({
    kpis: [
      { ...runSuccess, weight: 0.6, floor: 0.4 },
      { ...runSuccess, kpi: 'run_escalation', weight: 0.4 },
    ],
  });
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(releases, [5, 10], healthy);
  releases.until(10);
  const thresholds = (name: 'worse' | 'floor', kpi: string) => {
    const { pauseAt, rollbackAt } = releases.test(name, { kpi });
    return [Math.exp(pauseAt!), Math.exp(rollbackAt!)].map(Math.round);
  };
  expect(thresholds('worse', 'run_success')).toEqual([67, 333]);
  expect(thresholds('floor', 'run_success')).toEqual([67, 333]);
  expect(thresholds('worse', 'run_escalation')).toEqual([50, 250]);
  expect(Math.exp(releases.test('not_worse').passAt!)).toBeCloseTo(20);
});

test('how much evidence is enough is said with what the policy says, and why it is another figure', () => {
  const canary = [
    ['1', 18, 0.08],
    ['2', 2, 0.6],
  ] as const;
  const reasonWith = (...kpis: readonly KpiRules[]): string => {
    const releases = releasesWith({ kpis });
    flow(releases, [0, 5], [['1', 20, 0.08]]);
    flow(releases, [5, 125], canary);
    return releases.until(120).standing().reason;
  };
  const other = { ...runSuccess, kpi: 'run_escalation' } as const;
  expect(reasonWith(runSuccess)).toMatch(/ 100 is enough to roll back; \d+ runs against \d+$/);
  expect(reasonWith({ ...runSuccess, weight: 0.3 }, { ...other, weight: 0.7 })).toMatch(
    / 333 is enough to roll back \(100 by the weight 0\.3 of this KPI\); /,
  );
  expect(reasonWith({ ...runSuccess, weight: 0.6, floor: 0.9 }, { ...other, weight: 0.4 })).toMatch(
    / 333 is enough to roll back \(100 by half of the weight 0\.6 of this KPI, which has a floor\); /,
  );
  const anew = releasesWith();
  flow(anew, [0, 5], [['1', 20, 0.08]]);
  flow(anew, [5, 400], canary);
  anew.until(150).judge.restart(anew.judge.save());
  expect(anew.until(399).standing().reason).toMatch(
    / 600 is enough to roll back \(100, 6 times as evidence began anew\); /,
  );
});

test('worse by no more than the tolerance is not worse', () => {
  const evidence = [0, 0.2].map((tolerance) => {
    const releases = releasesWith({ tolerance, margin: 0.3 });
    flow(releases, [0, 5], [['1', 20, 0.08]]);
    flow(
      releases,
      [5, 245],
      [
        ['1', 18, 0.08],
        ['2', 2, 0.24],
      ],
    );
    return releases.until(240).test('worse').logEvidence;
  });
  expect(evidence[0]).toBeGreaterThan(Math.log(100));
  expect(evidence[1]).toBeLessThan(0);
});

test('when there is no more time, it pauses or is rolled back as the policy says', () => {
  for (const onTimeout of ['pause', 'rollback'] as const) {
    const releases = releasesWith({ maxMs: 60 * minuteMs, onTimeout });
    flow(releases, [0, 5], [['1', 20, 0.08]]);
    flow(
      releases,
      [5, 80],
      [
        ['1', 9, 0.08],
        ['2', 1, 0.1],
      ],
    );
    expect(releases.until(64).standing()).toMatchObject({ verdict: 'inconclusive', action: 'none' });
    expect(releases.until(66).standing()).toMatchObject({ verdict: 'inconclusive', action: onTimeout });
    expect(releases.standing().reason).toMatch(/^the time to decide is over/);
  }
});

test('a canary that was away for days has the time that was left', () => {
  const releases = releasesWith({ maxMs: 24 * 60 * minuteMs, onTimeout: 'rollback' });
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(releases, [5, 20], healthy);
  flow(releases, [2900, 2930], healthy);
  for (const minute of [2902, 2930])
    expect(releases.until(minute).standing()).toMatchObject({
      verdict: 'inconclusive',
      action: 'none',
      starts: 1,
    });
});

test('when there is no more time, also a paused canary and one whose split is at fault are rolled back if the policy says so', () => {
  for (const [perMinute, bad, reason] of [
    [2, 0.3, /^the time to decide is over, and run_success is worse/],
    [10, 0, /^the time to decide is over, and the policy says that the candidate gets 10 %/],
  ] as const) {
    const releases = releasesWith({ maxMs: 60 * minuteMs, onTimeout: 'rollback', rollbackAt: 1e12 });
    flow(releases, [0, 5], [['1', 20, 0.08]]);
    flow(
      releases,
      [5, 70],
      [
        ['1', 18, 0.08],
        ['2', perMinute, bad],
      ],
    );
    expect(releases.until(60).standing().action).not.toBe('rollback');
    expect(releases.until(68).standing()).toMatchObject({ verdict: 'inconclusive', action: 'rollback' });
    expect(releases.standing().reason).toMatch(reason);
  }
});

test('a release that passed is not rolled back when it gets more than its share for longer than there is time', () => {
  const releases = releasesWith({ maxMs: 240 * minuteMs, onTimeout: 'rollback', margin: 0.1 });
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(releases, [5, 205], healthy);
  expect(releases.until(205).standing()).toMatchObject({ verdict: 'pass' });
  flow(
    releases,
    [205, 300],
    [
      ['1', 10, 0.08],
      ['2', 10, 0.08],
    ],
  );
  expect(releases.until(300).standing()).toMatchObject({ verdict: 'inconclusive', action: 'none' });
});

test('of several releases that appear together, most units make the incumbent', () => {
  const releases = releasesWith();
  flow(
    releases,
    [0, 10],
    [
      ['2', 2, 0],
      ['1', 18, 0],
    ],
  );
  expect(releases.until(5).judge.standings()).toMatchObject([{ release: '2', baseline: '1' }]);
});

test('a candidate that happens to be seen first is no incumbent, also where little happens', () => {
  const releases = releasesWith();
  releases.add({ at: 0.1, release: '2', isBad: true });
  for (let i = 1; i < 60; i++) releases.add({ at: 10 * i, release: i % 10 === 5 ? '2' : '1' });
  expect(releases.until(85).judge.standings()).toEqual([]);
  expect(releases.until(600).judge.standings()).toMatchObject([{ release: '2', baseline: '1', starts: 1 }]);
});

const withFloor: Partial<CanaryRules> = { kpis: [{ ...runSuccess, floor: 0.3 }] };

test('a release that replaced the other at once may pause for what that one was before, and is not rolled back for it', () => {
  const releases = releasesWith();
  flow(releases, [0, 60], [['1', 10, 0.08]]);
  flow(releases, [60, 240], [['2', 10, 0.3]]);
  releases.until(85);
  expect(releases.standing()).toMatchObject({ verdict: 'inconclusive', action: 'none', baseline: '1' });
  releases.until(240);
  expect(releases.standing()).toMatchObject({
    verdict: 'inconclusive',
    action: 'pause',
    baseline: undefined,
  });
  expect(releases.standing().reason).toMatch(/^run_success is worse than that of 1 was before/);
  expect(releases.test('before').logEvidence).toBeGreaterThan(Math.log(100));
  expect(releases.judge.destinations(agent, environment, '2')).toMatchObject([{ release: '1' }]);
});

test('a release that replaced the other at once and is as good goes on, also when there is no more time', () => {
  const releases = releasesWith({ maxMs: 120 * minuteMs, onTimeout: 'rollback' });
  flow(releases, [0, 60], [['1', 10, 0.08]]);
  flow(releases, [60, 400], [['2', 10, 0.08]]);
  expect(releases.until(400).standing()).toMatchObject({ verdict: 'inconclusive', action: 'none' });
});

test('a release that replaced the other while the split was at fault is not rolled back for it once that is gone', () => {
  const releases = releasesWith();
  flow(releases, [0, 60], [['1', 20, 0.08]]);
  flow(
    releases,
    [60, 64],
    [
      ['1', 10, 0.08],
      ['2', 10, 0.08],
    ],
  );
  flow(
    releases,
    [64, 80],
    [
      ['1', 10, 0.08],
      ['2', 10, 0.4],
    ],
  );
  flow(releases, [80, 300], [['2', 20, 0.08]]);
  // While runs are open, what is certain of all blocks so far is looked at again each minute.
  for (let minute = 80; minute < 300; minute++) releases.add({ at: minute + 0.1, release: '2', takes: 8 });
  for (let minute = 80; minute < 300; minute += 10)
    expect(releases.until(minute).standing()).toMatchObject({ decidedMs: undefined });
  expect(releases.standing()).toMatchObject({ verdict: 'inconclusive', baseline: undefined });
});

test('the incumbent is not judged beside the release that it replaced when that comes back', () => {
  const releases = releasesWith();
  flow(releases, [0, 60], [['1', 20, 0.08]]);
  flow(releases, [60, 180], [['2', 20, 0.15]]);
  flow(
    releases,
    [180, 500],
    [
      ['2', 18, 0.15],
      ['1', 2, 0.02],
    ],
  );
  expect(releases.until(500).standing('1')).toMatchObject({ baseline: '2', verdict: 'pass' });
  expect(releases.standing('2')).toMatchObject({ baseline: undefined, decidedMs: undefined });
  expect(releases.standing('2').units.baseline).toEqual({ open: 0, settled: 0 });
});

test('a release that was there first is rolled back below the floor, and only then', () => {
  for (const [bad, verdict] of [
    [0.2, 'inconclusive'],
    [0.6, 'fail'],
  ] as const) {
    const releases = releasesWith(withFloor);
    flow(releases, [0, 120], [['1', 5, bad]]);
    expect(releases.until(120).standing('1')).toMatchObject({ verdict, baseline: undefined });
  }
});

function floorOf({ judge }: Releases) {
  const [deployment] = judge.save().deployments.values();
  return deployment!.releases.get('2')!.pair!.ended.kpis[0]!.floor!.candidate;
}

test('a canary that was withdrawn does not keep the other from being rolled back below the floor', () => {
  const releases = releasesWith(withFloor);
  flow(releases, [0, 30], [['1', 20, 0.08]]);
  flow(releases, [30, 60], healthy);
  flow(releases, [60, 80], [['1', 18, 0.08]]);
  flow(releases, [80, 140], [['1', 18, 0.9]]);
  expect(releases.until(88).standing('1')).toMatchObject({ verdict: 'inconclusive', action: 'pause' });
  expect(releases.until(140).standing('1')).toMatchObject({ verdict: 'fail', action: 'rollback' });
});

test('when all releases fall together it is the environment, and nothing is rolled back until they differ', () => {
  const releases = releasesWith(withFloor);
  flow(releases, [0, 30], [['1', 20, 0.08]]);
  flow(releases, [30, 60], healthy);
  flow(
    releases,
    [60, 120],
    [
      ['1', 18, 0.7],
      ['2', 2, 0.7],
    ],
  );
  releases.until(120);
  expect(releases.standing()).toMatchObject({
    verdict: 'environment',
    action: 'pause',
    decidedMs: undefined,
  });
  expect(releases.test('floor').logEvidence).toBeGreaterThan(releases.test('floor').rollbackAt!);
  expect(releases.standing().reason).toBe('2 and 1 do badly at the same time: look for what they share');
  flow(
    releases,
    [120, 420],
    [
      ['1', 18, 0.05],
      ['2', 2, 0.9],
    ],
  );
  expect(releases.until(420).standing()).toMatchObject({ verdict: 'fail', action: 'rollback' });
});

test.for(['1', '2'])(
  'an outage of all releases rolls none back while a single run of release %s is slow',
  (slow) => {
    const releases = releasesWith(withFloor);
    flow(releases, [0, 30], [['1', 20, 0.08]]);
    flow(releases, [30, 60], healthy);
    for (let minute = 59; minute < 90; minute += 5)
      releases.add({ at: minute + 0.9, release: slow, takes: 14 });
    flow(
      releases,
      [60, 90],
      [
        ['1', 18, 0.9],
        ['2', 2, 0.9],
      ],
    );
    for (let minute = 60; minute < 110; minute++)
      expect(releases.until(minute).standing()).toMatchObject({ decidedMs: undefined });
    expect(releases.standing()).toMatchObject({ verdict: 'environment', action: 'pause' });
  },
);

test('a candidate below the floor is rolled back also where runs of its baseline are slow', () => {
  const releases = releasesWith(withFloor);
  flow(releases, [-30, 0], [['1', 20, 0.08]]);
  flow(releases, [0, 60], [['1', 18, 0.08]], { takes: 10 });
  flow(releases, [0, 60], [['2', 2, 0.9]]);
  // Of the same ticks, not of the runs that are open now: those end as the ones before did.
  releases.until(40);
  expect(releases.test('floor').logEvidence).toBeGreaterThan(releases.test('floor').rollbackAt!);
  const { failedMs } = floorOf(releases);
  expect(failedMs).toBeGreaterThan(noonMs);
});

test('the release that took the place of an idle incumbent is what later ones are compared with', () => {
  const releases = releasesWith();
  flow(releases, [0, 30], [['1', 10, 0.08]]);
  flow(releases, [30, 100], [['2', 10, 0.08]]);
  flow(
    releases,
    [100, 140],
    [
      ['2', 18, 0.08],
      ['3', 2, 0.08],
    ],
  );
  releases.until(140);
  expect(releases.standing('3')).toMatchObject({ baseline: '2' });
  expect(releases.judge.destinations(agent, environment, '3').map(({ release }) => release)).toEqual([
    '2',
    '1',
  ]);
});

test('a few runs in a quiet hour do not make a candidate the incumbent', () => {
  const releases = releasesWith();
  flow(releases, [0, 30], [['1', 18, 0.08]]);
  flow(releases, [30, 60], healthy);
  releases.add(...[0, 1, 2, 3, 4].map((i) => ({ at: 100 + i, release: '2' })));
  flow(releases, [120, 130], healthy);
  expect(releases.until(130).standing()).toMatchObject({ baseline: '1', starts: 1 });
});

test('a judge that lost its state begins anew and wants more evidence', () => {
  const releases = releasesWith();
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(releases, [5, 200], worse);
  expect(releases.until(150).standing()).toMatchObject({ verdict: 'fail', starts: 1 });
  releases.judge.restart(releases.judge.save());
  expect(releases.judge.standings()).toEqual([]);
  releases.until(152);
  expect(releases.standing()).toMatchObject({ verdict: 'inconclusive', starts: 2 });
  expect(Math.exp(releases.test('worse').rollbackAt!)).toBeCloseTo(100 * 2 * 3);
  expect(Math.exp(releases.test('worse').pauseAt!)).toBeCloseTo(20 * 2 * 3);
  releases.judge.restart();
  expect(releases.until(155).standing()).toMatchObject({ starts: 1 });
});

test('another baseline is another start', () => {
  const releases = releasesWith();
  flow(releases, [0, 30], [['1', 10, 0.08]]);
  flow(
    releases,
    [30, 40],
    [
      ['1', 18, 0.08],
      ['3', 2, 0.08],
    ],
  );
  flow(releases, [40, 100], [['2', 10, 0.08]]);
  flow(
    releases,
    [100, 110],
    [
      ['2', 18, 0.08],
      ['3', 2, 0.08],
    ],
  );
  expect(releases.until(110).standing('3')).toMatchObject({ baseline: '2', starts: 2 });
});

test('a judge that goes on from a snapshot says the same as one that never stopped, wherever it stopped', () => {
  const unbroken = releasesWith(withFloor);
  flow(unbroken, [0, 5], [['1', 20, 0.08]]);
  flow(unbroken, [5, 60], worse, { takes: 7 });
  unbroken.until(80);
  for (let stop = 1; stop < 60; stop += 7.3) {
    const broken = releasesWith(withFloor);
    flow(broken, [0, 5], [['1', 20, 0.08]]);
    flow(broken, [5, 60], worse, { takes: 7 });
    broken.until(stop);
    const state = copyOf(broken.judge);
    broken.judge = new Judge(() => rulesWith(withFloor));
    broken.judge.restore(state);
    expect(broken.until(80).judge.standings()).toEqual(unbroken.judge.standings());
  }
});

test('runs that wait for an evaluator leave room for new ones, however many they are', () => {
  const quality = {
    kpi: 'quality_score',
    weight: 1,
    reference: 0.2,
    floor: undefined,
    evaluator: 'e',
  } as const;
  const releases = releasesWith({ kpis: [quality] });
  for (let minute = 0; minute < 21; minute++) {
    for (let i = 0; i < 10_000; i++) releases.add({ at: minute + i / 20_000 });
    releases.until(minute + 1);
  }
  expect(releases.judge.ignored.refused).toBe(0);
  expect(releases.judge.save().scorable.size).toBe(100_000);
});

test('time that is told often or seldom changes nothing', () => {
  const [often, after, seldom] = (['before', 'after', undefined] as const).map((advances) => {
    const releases = releasesWith(withFloor);
    flow(releases, [0, 5], [['1', 20, 0.08]]);
    flow(releases, [5, 60], worse, { takes: 7 });
    return releases.until(80, { advances }).judge.standings();
  });
  expect(often).toEqual(seldom);
  expect(after).toEqual(seldom);
});

test('a canary is judged by the rules it began with; the next one by those of now', () => {
  let rules: CanaryRules | undefined = rulesWith();
  const releases = new Releases(new Judge(() => rules));
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(releases, [5, 30], healthy);
  releases.until(10);
  rules = rulesWith({ revision: 'r2', pauseAt: 50 });
  releases.judge.rulesChanged();
  expect(releases.until(30).standing()).toMatchObject({ revision: 'r1' });
  flow(releases, [30, 70], [['1', 20, 0.08]]);
  flow(
    releases,
    [70, 80],
    [
      ['1', 18, 0.08],
      ['3', 2, 0.08],
    ],
  );
  releases.until(80);
  expect(releases.standing('3')).toMatchObject({ revision: 'r2', starts: 1 });
  expect(Math.exp(releases.test('worse', { release: '3' }).pauseAt!)).toBeCloseTo(50);
  rules = undefined;
  releases.judge.rulesChanged();
  expect(releases.judge.standings()).toEqual([]);
});

test('new rules apply to the next canary also while another one is judged', () => {
  for (const [changes, from] of [
    [{ pauseAt: 50 }, 30],
    [{ deadlineMs: 10 * minuteMs }, 90],
  ] as const) {
    let rules: CanaryRules = rulesWith({ maxMs: 60 * minuteMs });
    const releases = new Releases(new Judge(() => rules));
    flow(releases, [0, 5], [['1', 20, 0.08]]);
    flow(releases, [5, 100], healthy);
    flow(releases, [from, 100], [['3', 2, 0.08]]);
    releases.until(10.4);
    rules = rulesWith({ maxMs: 60 * minuteMs, ...changes, revision: 'r2' });
    releases.judge.rulesChanged();
    expect(releases.until(60).standing('2')).toMatchObject({ revision: 'r1' });
    expect(releases.until(100, { advances: 'before' }).standing('3')).toMatchObject({
      baseline: '1',
      revision: 'r2',
    });
  }
});

test('a release that was there first is judged anew by new rules', () => {
  let rules = rulesWith(withFloor);
  const releases = new Releases(new Judge(() => rules));
  flow(releases, [0, 360], [['1', 5, 0.6]]);
  expect(releases.until(120).standing('1')).toMatchObject({ verdict: 'fail', action: 'rollback' });
  rules = rulesWith({ revision: 'r2', kpis: [{ ...runSuccess, floor: 0.9 }] });
  releases.judge.rulesChanged();
  expect(releases.until(360).standing('1')).toMatchObject({ revision: 'r2', action: 'none' });
});

test('rules by which runs mean something else begin without a history', () => {
  let rules: CanaryRules = rulesWith();
  const releases = new Releases(new Judge(() => rules));
  flow(releases, [0, 60], [['1', 20, 0.08]]);
  releases.until(59);
  rules = rulesWith({ revision: 'r2', unit: 'session' });
  releases.judge.rulesChanged();
  releases.until(60);
  flow(releases, [60, 65], [['1', 20, 0.5]], { sessionId: 's' });
  flow(releases, [65, 240], [['2', 10, 0.5]]);
  releases.until(240);
  expect(releases.standing('2')).toMatchObject({ revision: 'r2', action: 'none' });
  expect(releases.standing('2').tests.map(({ test: name }) => name)).not.toContain('before');
});

test('runs that no policy covers are not judged', () => {
  const judge = new Judge((of) => (of === 'other' ? rulesWith() : undefined));
  const releases = new Releases(judge);
  flow(releases, [0, 30], worse);
  releases.until(30);
  expect(judge.standings()).toEqual([]);
  expect(judge.save().runs.size).toBe(0);
});

test('agents and environments are judged apart', () => {
  const releases = releasesWith();
  flow(releases, [0, 5], [['1', 20, 0]]);
  flow(releases, [0, 5], [['2', 20, 0]], { environment: 'drill:production' });
  flow(releases, [0, 5], [['3', 20, 0]], { agent: 'other' });
  expect(releases.until(5).judge.standings()).toEqual([]);
});

test('a release is forgotten a week after it was last seen', () => {
  const releases = releasesWith();
  flow(releases, [0, 5], [['1', 20, 0.08]]);
  flow(releases, [5, 30], worse);
  for (let day = 1; day <= 8; day++) flow(releases, [day * 1440, day * 1440 + 1], [['1', 20, 0.08]]);
  expect(releases.until(6 * 1440).judge.standings()).toHaveLength(1);
  expect(releases.until(8.5 * 1440).judge.standings()).toEqual([]);
});

test('more agents and releases than there is room for are left out', () => {
  const releases = releasesWith();
  for (let i = 0; i < 100; i++) releases.add({ at: i / 1000, release: `r${i}` });
  for (let i = 0; i < 1200; i++) releases.add({ at: 0.5, agent: `a${i}` });
  const { deployments } = releases.until(5).judge.save();
  expect(deployments.size).toBe(1000);
  expect([...deployments.values()][0]!.releases.size).toBe(64);
  expect(releases.judge.ignored.refused).toBe(36 + 201);
});

test('releases that were good may be gone back to however long they were not seen; some of them', () => {
  const releases = releasesWith();
  for (let i = 0; i < 12; i++) flow(releases, [i * 14 * 1440, i * 14 * 1440 + 5], [[`r${i}`, 10, 0.08]]);
  releases.until(12 * 14 * 1440);
  const destinations = (from: string): readonly string[] =>
    releases.judge.destinations(agent, environment, from).map(({ release }) => release);
  expect(destinations('r11')).toEqual(['r10', 'r9', 'r8', 'r7', 'r6', 'r5', 'r4']);
  expect(destinations('r12')).toHaveLength(8);
  flow(releases, [180 * 1440, 180 * 1440 + 60], [['r9', 10, 0.08]]);
  releases.until(180 * 1440 + 60);
  expect(destinations('r12').slice(0, 3)).toEqual(['r9', 'r11', 'r10']);
});

test('an agent that is idle makes room for a new one', () => {
  const releases = releasesWith();
  for (let i = 0; i < 1000; i++) releases.add({ at: i / 1000, agent: `a${i}` });
  releases.until(60);
  flow(releases, [60, 80], healthy);
  releases.until(80);
  expect(releases.standing()).toMatchObject({ agent, baseline: '1' });
  expect(releases.judge.save().deployments.size).toBe(1000);
  expect(releases.judge.ignored.refused).toBe(0);
});

test('what is not seen any more is forgotten, also while nothing else happens', () => {
  const releases = releasesWith();
  flow(releases, [0, 30], worse);
  expect(releases.until(6 * 1440).judge.standings()).toHaveLength(1);
  expect(releases.until(8 * 1440).judge.standings()).toEqual([]);
  expect(releases.judge.destinations(agent, environment, '2')).toEqual([
    { release: '1', why: 'established' },
  ]);
  flow(releases, [9 * 1440, 9 * 1440 + 10], healthy);
  expect(releases.until(9 * 1440 + 10).standing()).toMatchObject({ baseline: '1' });
});

test('of a release whose first runs are in a tick that is open it is known from when it is judged', () => {
  const releases = releasesWith();
  flow(releases, [0, 10], [['1', 18, 0.08]]);
  flow(releases, [5, 10], [['2', 2, 0.08]]);
  const awaited = (release: string): number | undefined =>
    releases.judge.awaitedMs(agent, environment, release);
  releases.until(5.9);
  expect(awaited('2')).toBe(noonMs + 6.5 * minuteMs);
  expect(releases.judge.standings()).toEqual([]);
  releases.until(6.6);
  expect(awaited('2')).toBeUndefined();
  expect(releases.standing().release).toBe('2');
  expect(['1', '3'].map(awaited)).toEqual([undefined, undefined]);
});
