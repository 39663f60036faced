import { expect, test } from 'vitest';
import type { CanaryRules, KpiRules } from '../../src/judge/canary-rules.ts';
import { Judge } from '../../src/judge/judge.ts';
import {
  agent,
  environment,
  flow,
  good,
  minuteMs,
  noonMs,
  randomOf,
  Releases,
  releasesWith,
  rulesWith,
  runSuccess,
  type Told,
} from './releases.ts';

/** A pair, at once: the incumbent has been there for a minute. */
function pairWith(changes: Partial<CanaryRules> = {}): Releases {
  const releases = releasesWith(changes);
  for (let i = 0; i < 10; i++) releases.add({ at: -1 + i / 100 });
  return releases;
}

/** Evidence after these runs, when all is settled. */
function evidenceOf(runs: readonly Told[], changes: Partial<CanaryRules> = {}, kpi = 'run_success'): number {
  const releases = pairWith(changes);
  releases.add(...runs);
  return releases.until(200).test('worse', { kpi }).logEvidence;
}

const bads = (release: string, count: number, bad: number, said: Partial<Told> = {}): Told[] =>
  Array.from({ length: count }, (_, i) => ({ at: 0.1, release, isBad: i < bad, ...said }));

const inSession = (sessionId: string, ats: readonly number[], bad: number, release = '2'): Told[] =>
  ats.map((at, i) => ({ at, release, isBad: i < bad, sessionId }));
const scored = (score: number, evaluator = 'judge-1'): Partial<Told> => ({
  scores: new Map([[evaluator, score]]),
});
const usd = (llm: number): Partial<Told> => ({ costUsd: { llm, tool: 0, review: 0 } });
const calls = (ok: number, error: number, attempts: number): Partial<Told> => ({
  toolCalls: { ok, error, rejected: 1, cancelled: 0, attempts },
});
const isSeen = (kpi: KpiRules['kpi'], bad: Partial<Told>, fine: Partial<Told>): boolean => {
  const rules = [{ kpi, weight: 1, reference: 0.1, floor: undefined }];
  const others = bads('1', 9, 0, fine);
  const worse = evidenceOf([...bads('2', 3, 0, bad), ...others], { kpis: rules }, kpi);
  return worse > evidenceOf([...bads('2', 3, 0, fine), ...others], { kpis: rules }, kpi);
};

test('runs join when they are first seen, and count when they end', () => {
  const releases = pairWith();
  releases.add({ at: 0.2, release: '2', takes: 5 }, { at: 0.3, takes: 8 });
  releases.until(1.4);
  expect(() => releases.standing()).toThrow('nothing is said of 2');
  expect(releases.until(1.5).standing().units).toEqual({
    candidate: { open: 1, settled: 0 },
    baseline: { open: 1, settled: 0 },
  });
  expect(releases.until(6).standing().units.candidate).toEqual({ open: 0, settled: 1 });
  expect(releases.until(9).standing().units.baseline).toEqual({ open: 0, settled: 1 });
});

test('a run that has not ended by its deadline failed, and what comes of it later changes nothing', () => {
  const hung = [...bads('2', 2, 0, { takes: Infinity }), ...bads('1', 18, 1)];
  const late = [...bads('2', 2, 0, { takes: 16 }), ...bads('1', 18, 1)];
  const failed = [...bads('2', 2, 2), ...bads('1', 18, 1)];
  expect(evidenceOf(hung)).toBe(evidenceOf(failed));
  expect(evidenceOf(late)).toBe(evidenceOf(failed));
  const releases = pairWith();
  releases.add(...late);
  expect(releases.until(200).judge.ignored).toMatchObject({ late: 2 });
});

test('a run that ends exactly at its deadline ended in time, also when its tick closes at that instant', () => {
  const releases = pairWith({ deadlineMs: 3 * minuteMs });
  // Ticks close half a minute after they end.
  releases.add({ at: 0.5, release: '2', takes: 3 }, { at: 0.6, release: '2' }, { at: 0.6 });
  releases.until(10);
  expect(releases.judge.ignored).toMatchObject({ late: 0 });
  expect(releases.standing().units.candidate).toEqual({ open: 0, settled: 2 });
});

test('a run that hangs shows nothing else that is bad', () => {
  const kpis = [
    { ...runSuccess, weight: 0.5 },
    { ...runSuccess, kpi: 'run_escalation', weight: 0.5 },
  ] as const;
  const others = bads('1', 18, 0);
  expect(evidenceOf([...bads('2', 2, 0, { takes: Infinity }), ...others], { kpis }, 'run_escalation')).toBe(
    evidenceOf([...bads('2', 2, 0), ...others], { kpis }, 'run_escalation'),
  );
});

test('evidence waits for the oldest runs, so that fast failures do not speak before slow successes', () => {
  const releases = pairWith();
  releases.add(...bads('2', 2, 2), ...bads('1', 6, 0), ...bads('1', 6, 0, { takes: 10 }));
  releases.until(9);
  expect(releases.standing().units).toEqual({
    candidate: { open: 0, settled: 2 },
    baseline: { open: 6, settled: 6 },
  });
  expect(releases.test('worse').logEvidence).toBe(0);
  expect(releases.until(12).test('worse').logEvidence).toBeGreaterThan(1);
});

test('a release that has failed whatever becomes of its open runs is rolled back before they end', () => {
  const releases = pairWith();
  for (let minute = 0; minute < 20; minute++) {
    releases.add(...bads('2', 3, 3).map((run) => ({ ...run, at: minute + 0.1 })));
    releases.add(...bads('1', 27, 2).map((run) => ({ ...run, at: minute + 0.1 })));
    // One of each minute hangs, so nothing settles in the first quarter of an hour.
    releases.add({ at: minute + 0.2, takes: Infinity });
  }
  releases.until(10);
  expect(releases.test('worse').logEvidence).toBe(0);
  expect(releases.standing()).toMatchObject({ verdict: 'fail', action: 'rollback' });
});

test('runs told again, in any order within their tick, change nothing', () => {
  const runs = [...bads('2', 5, 2), ...bads('1', 30, 3)];
  const twice = pairWith();
  for (const [i, { release = '', isBad }] of runs.toReversed().entries()) {
    const slot = 1000 + i;
    const labels = { slot, agent, environment, release, sessionId: '', userId: '' };
    for (const at of [0.1, 0.2]) twice.at(at, (judge) => judge.seen(labels, judge.save().streamMs));
    for (const at of [0.3, 0.4])
      twice.at(at, (judge) =>
        judge.finished({ ...good, slot, outcome: isBad ? 'failure' : 'completed' }, judge.save().streamMs),
      );
  }
  expect(twice.until(200, { advances: 'before' }).test('worse').logEvidence).toBe(evidenceOf(runs));
});

test('a run has the release that it is known to have when its tick closes', () => {
  const releases = pairWith();
  const slot = releases.add({ at: 0.1, release: 'unknown', takes: 5 });
  const labels = { slot, agent, environment, sessionId: '', userId: '' };
  const tell = (minutes: number, release: string): void =>
    releases.at(minutes, (judge) =>
      judge.seen({ ...labels, release }, Date.UTC(2026, 10, 23, 12) + minutes * 60_000),
    );
  tell(1.2, '2');
  tell(2, '3');
  releases.until(20);
  expect(releases.judge.standings().map(({ release }) => release)).toEqual(['2']);
  expect(releases.judge.ignored).toMatchObject({ relabelled: 1 });
});

/** Runs of 1 and 2 that say their release when they end only: failures soon, successes later; and before, `before` of it. */
function lateTold(before: string, share = 1): Releases {
  const releases = releasesWith({ kpis: [{ ...runSuccess, floor: 0.3 }] });
  const random = randomOf(5);
  for (let minute = 0; minute < 240; minute++)
    for (let i = 0; i < 20; i++) {
      const [release, isBad, isLate] = [i < 18 ? '1' : '2', random() < 0.08, random() < share];
      const [at, takes] = [minute + i / 21, isBad ? 0.2 : 3];
      const slot = releases.add({ at, takes, isBad, release: isLate ? before : release });
      const labels = { slot, agent, environment, release, sessionId: '', userId: '' };
      releases.at(at + takes - 1e-6, (judge) => judge.seen(labels, noonMs + (at + takes) * minuteMs));
    }
  return releases.until(240);
}

test('what is no name of a release is none', () => {
  for (const name of ['unknown', '', 'overflow']) {
    const { judge } = lateTold(name);
    expect(judge.standings().map(({ release }) => release)).not.toContain(name);
    expect(judge.destinations(agent, environment, '9').map(({ release }) => release)).not.toContain(name);
  }
});

test('while more than a few runs say their release late, nothing is rolled back and nothing passes', () => {
  for (const before of ['unknown', '9.9']) {
    const { judge } = lateTold(before);
    const said = judge.standings();
    expect(said.length).toBeGreaterThan(0);
    for (const { verdict, action, reason } of said) {
      expect(verdict).toBe('inconclusive');
      expect(['none', 'pause']).toContain(action);
      expect(reason).toMatch(/say their release too late or never: set service\.version/);
    }
  }
  expect(lateTold('unknown', 0.02).standing().verdict).toBe('pass');
});

/** Runs that are told when they end only, each in one record; `fails` says how many minutes one takes that fails. */
function toldAtEnd(fails: (release: string) => number, bad: Readonly<Record<string, number>>): Releases {
  const releases = releasesWith();
  const random = randomOf(9);
  for (let minute = -120; minute < 180; minute++)
    for (let i = 0; i < 24; i++) {
      const release = minute >= 0 && random() < 0.1 ? '2' : '1';
      const isBad = random() < bad[release]!;
      const takes = isBad ? fails(release) : 3;
      const [at, startMs] = [minute + i / 25 + takes, noonMs + (minute + i / 25) * minuteMs];
      releases.add({ at, release, isBad, takes: 0, startMs, endMs: startMs + takes * minuteMs });
    }
  return releases.until(180);
}

test('where runs are first seen when they end, releases in which they take unlike times are not told apart', () => {
  const { verdict, action, reason } = toldAtEnd((release) => (release === '2' ? 1 : 30), {
    1: 0.3,
    2: 0.6,
  }).standing();
  expect([verdict, action === 'rollback']).toEqual(['inconclusive', false]);
  expect(reason).toMatch(
    /^100 % of the runs are first seen when they end, and they do not take equally long/,
  );
  const alike = toldAtEnd(() => 1, { 1: 0.3, 2: 0.6 }).standing();
  expect(alike).toMatchObject({ verdict: 'fail', action: 'rollback' });
  expect(alike.reason).toMatch(/runs against \d+$/);
});

test('what turns out to be part of another run is no run; once counted, it ends as that one', () => {
  const soon = pairWith();
  const [a, b] = [
    soon.add({ at: 0.1, release: '2', takes: 3 }),
    soon.add({ at: 0.1, release: '2', takes: Infinity }),
  ];
  soon.at(1, (judge) => judge.absorbed(b, a, Date.UTC(2026, 10, 23, 12, 1)));
  expect(soon.until(5).standing().units.candidate).toEqual({ open: 0, settled: 1 });
  const late = pairWith();
  const [c, d] = [
    late.add({ at: 0.1, release: '2', takes: 3 }),
    late.add({ at: 0.1, release: '2', takes: Infinity }),
  ];
  late.at(2, (judge) => judge.absorbed(d, c, Date.UTC(2026, 10, 23, 12, 2)));
  expect(late.until(3).standing().units.candidate).toEqual({ open: 2, settled: 0 });
  expect(late.until(5).standing().units.candidate).toEqual({ open: 0, settled: 2 });
});

test('a session is one unit: the share of its runs that failed, until nothing of it begins for half an hour', () => {
  const session = { unit: 'session' } as const;
  const releases = pairWith(session);
  releases.add(
    ...inSession('s', [0.1, 10, 20, 49], 1),
    ...inSession('s', [80], 1),
    ...inSession('', [0.1, 0.2], 0),
  );
  releases.until(70);
  expect(releases.standing().units.candidate).toEqual({ open: 0, settled: 3 });
  expect(releases.until(200).standing().units.candidate).toEqual({ open: 0, settled: 3 });
  expect(releases.judge.ignored.again).toBe(1);
  expect(releases.until(200).standing('2').units.baseline).toEqual({ open: 0, settled: 0 });
  // Three of four runs of a session and the whole of another are as bad as 1.75 failed runs.
  const told = [
    ...inSession('s', [0.1, 5, 9, 12], 3),
    ...inSession('t', [0.3], 1),
    ...inSession('u', [0.1, 0.2, 0.3], 0, '1'),
    ...inSession('v', [0.1], 0, '1'),
  ];
  const evidence = evidenceOf(told, session);
  expect(evidence).toBeGreaterThan(evidenceOf([...bads('2', 2, 1), ...bads('1', 2, 0)]));
  expect(evidence).toBeLessThan(evidenceOf([...bads('2', 2, 2), ...bads('1', 2, 0)]));
});

test('a session that began before its candidate came is not compared with it', () => {
  const releases = pairWith({ unit: 'session' });
  releases.add({ at: -2, sessionId: 'old' }, { at: 3, sessionId: 'old' }, { at: 3.1, sessionId: 'new' });
  releases.add({ at: 0.1, release: '2', sessionId: 'x' });
  expect(releases.until(100).standing().units.baseline).toEqual({ open: 0, settled: 1 });
});

test('a user is one unit: what happens in the first hour', () => {
  const releases = pairWith({ unit: 'user' });
  for (const at of [0.1, 40, 59, 61, 100]) releases.add({ at, release: '2', userId: 'u' });
  expect(releases.until(59.9).standing().units.candidate).toEqual({ open: 1, settled: 0 });
  expect(releases.until(200).standing().units.candidate).toEqual({ open: 0, settled: 1 });
  expect(releases.judge.ignored.again).toBe(2);
});

const quality: KpiRules = {
  kpi: 'quality_score',
  weight: 1,
  reference: 0.2,
  floor: undefined,
  evaluator: 'judge-1',
};

test('a run joins the test of its quality when an evaluator speaks, also later than its end', () => {
  const releases = pairWith({ kpis: [quality] });
  const slots = [0.1, 0.2, 0.3].map((at) => releases.add({ at, release: '2' }));
  releases.add(...bads('1', 10, 0, scored(0.9)), ...bads('1', 3, 0, scored(0, 'another')));
  expect(releases.until(10).test('worse', { kpi: 'quality_score' }).logEvidence).toBe(0);
  for (const slot of slots)
    for (const score of [0.1, 1])
      releases.at(20 - score / 10, (judge) =>
        judge.revised(
          { ...good, slot, ...scored(1 - score), scores: new Map([['judge-1', 1.1 - score]]) },
          Date.UTC(2026, 10, 23, 12, 20),
        ),
      );
  const evidence = releases.until(30).test('worse', { kpi: 'quality_score' }).logEvidence;
  // The first score is the one that counts: 0.1.
  const soon = evidenceOf(
    [...bads('2', 3, 0, scored(0.1)), ...bads('1', 10, 0, scored(0.9))],
    { kpis: [quality] },
    'quality_score',
  );
  expect(evidence).toBeGreaterThan(0.5);
  expect(Math.abs(evidence - soon)).toBeLessThan(0.2);
});

test('costs are judged up to twice what 95 of 100 runs of the baseline stay below', () => {
  const cost: KpiRules = { kpi: 'cost_usd_per_run', weight: 1, reference: undefined, floor: undefined };
  const evidence = [1.5, 1000].map((factor) => {
    const releases = releasesWith({ kpis: [cost] });
    for (let i = 0; i < 100; i++) releases.add({ at: -60 + i / 10, ...usd(0.01 + (i % 5) / 1000) });
    flow(releases, [0, 30], [['1', 9, 0]], usd(0.012));
    flow(releases, [0, 30], [['2', 1, 0]], usd(0.012 * factor));
    return releases.until(60).test('worse', { kpi: 'cost_usd_per_run' }).logEvidence;
  });
  expect(evidence[0]).toBeGreaterThan(1);
  expect(evidence[1]).toBeGreaterThan(evidence[0]!);
  // One run, whatever it costs, is one run.
  const releases = releasesWith({ kpis: [cost] });
  for (let i = 0; i < 100; i++) releases.add({ at: -60 + i / 10, ...usd(0.01) });
  releases.add({ at: 0.1, release: '2', ...usd(1e6) }, { at: 0.2, release: '2', ...usd(0.01) });
  releases.add(...bads('1', 18, 0, usd(0.01)));
  expect(releases.until(20).test('worse', { kpi: 'cost_usd_per_run' }).logEvidence).toBeLessThan(1);
});

test('a cost of which nothing says how much it may be is not judged, and such a release does not pass', () => {
  const kpis = [
    { ...runSuccess, weight: 0.5 },
    { kpi: 'cost_usd_per_run', weight: 0.5, reference: undefined, floor: undefined },
  ] as const;
  for (const [limit, verdict] of [
    [undefined, 'inconclusive'],
    [0.01, 'pass'],
  ] as const) {
    const releases = pairWith({
      kpis: [kpis[0], { ...kpis[1], ...(limit !== undefined && { limit }) }],
    });
    flow(
      releases,
      [0, 300],
      [
        ['1', 18, 0.08],
        ['2', 2, 0.08],
      ],
    );
    expect(releases.until(300).standing().verdict).toBe(verdict);
    if (limit === undefined)
      expect(releases.standing().reason).toMatch(
        /nothing says how much cost_usd_per_run may be: state an objective$/,
      );
  }
});

test('what KPIs are read from', () => {
  expect(isSeen('run_success', { outcome: 'escalated' }, { outcome: 'success' })).toBe(true);
  expect(isSeen('run_escalation', { escalationReason: 'approval' }, { outcome: 'failure' })).toBe(true);
  expect(isSeen('run_containment', { outcome: 'abandoned' }, { outcome: 'failure' })).toBe(true);
  expect(isSeen('outcome_evidence', { evidence: 'none' }, { evidence: 'app' })).toBe(true);
  expect(isSeen('tool_call_success', calls(1, 1, 3), calls(2, 0, 9))).toBe(true);
  expect(isSeen('tool_call_attempt_success', calls(2, 0, 9), calls(2, 0, 3))).toBe(true);
  expect(isSeen('tool_call_retry', calls(2, 0, 4), calls(0, 2, 3))).toBe(true);
});

test('a run with a figure that is no number is refused, and counted', () => {
  const releases = pairWith({
    kpis: [{ kpi: 'cost_usd_per_run', weight: 1, reference: undefined, floor: undefined, limit: 1 }],
  });
  releases.add({ at: 0.1, release: '2', costUsd: { llm: Number.NaN, tool: 0, review: 0 } });
  releases.until(30);
  expect(releases.judge.ignored.unsound).toBe(1);
  expect(releases.standing().tests.every(({ logEvidence }) => Number.isFinite(logEvidence))).toBe(true);
});

test('a snapshot holds one by one only what is not settled', () => {
  const releases = new Releases(new Judge(() => rulesWith()));
  flow(
    releases,
    [0, 600],
    [
      ['1', 18, 0.08],
      ['2', 2, 0.08],
    ],
  );
  const { runs, deployments } = releases.until(620).judge.save();
  expect(runs.size).toBe(0);
  expect([...deployments.values()].every(({ units, active }) => units.size + active.size === 0)).toBe(true);
});
