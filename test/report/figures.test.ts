import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Answers } from '../../src/report/answers.ts';
import { policyFigures } from '../../src/report/policy-figures.ts';
import { releaseFigures } from '../../src/report/release-figures.ts';
import { runs } from '../property-runs.ts';

type Attempt = Answers['rollbacks'][number];

const requestedMs = Date.UTC(2026, 9, 6);
const attempt = fc.record<Attempt>({
  id: fc.uuid(),
  agent: fc.constantFrom('a', 'b'),
  release: fc.constantFrom('1', '2'),
  destination: fc.constantFrom('', '0'),
  cause: fc.constantFrom('judge', 'alert', 'human'),
  isApproved: fc.boolean(),
  state: fc.constantFrom(
    'requested',
    'awaiting_approval',
    'approved',
    'executing',
    'verifying',
    'done',
    'failed',
    'refused',
    'expired',
    'dry_run',
    'moved',
  ),
  review: fc.constantFrom('', 'right', 'wrong'),
  requestedMs: fc.constantFrom(requestedMs, Date.UTC(2026, 8, 6)),
  doneMs: fc.constant(requestedMs + 60_000),
});

test('every attempt to take a release back is counted once, in its month', () => {
  fc.assert(
    fc.property(fc.array(attempt), (rollbacks) => {
      const { rollbacks: now, rollbacksBefore: before } = releaseFigures(
        { releases: [], rollbacks, incidents: [], policies: [] },
        '2026-10',
      );
      expect(now.asked + before.asked).toBe(rollbacks.length);
      for (const { asked, automatic, approved, manual, done, dryRun, failed, notDone, underWay } of [
        now,
        before,
      ]) {
        expect(automatic + approved + manual).toBe(done.times);
        expect(done.times + dryRun.times + failed + notDone + underWay).toBe(asked);
        for (const { times, right, wrong, notReviewed } of [done, dryRun])
          expect(right + wrong + notReviewed).toBe(times);
      }
    }),
    { numRuns: runs },
  );
});

test('a rollback that a person asked for is manual, and one that a person let happen approved', () => {
  const [of] = fc.sample(attempt, { numRuns: 1, seed: 1 });
  const done = { ...of!, state: 'done', requestedMs };
  const rollbacks: readonly Attempt[] = [
    { ...done, cause: 'human', isApproved: 1 },
    { ...done, cause: 'judge', isApproved: 1 },
    { ...done, cause: 'alert', isApproved: 0 },
    { ...done, cause: 'judge', isApproved: 0, state: 'dry_run', destination: '' },
  ];
  const { rollbacks: now, recoveryMedianSeconds } = releaseFigures(
    { releases: [], rollbacks, incidents: [], policies: [] },
    '2026-10',
  );
  expect(now).toMatchObject({ asked: 4, manual: 1, approved: 1, automatic: 1, notDone: 1 });
  expect(recoveryMedianSeconds).toBe(60);
});

const policy: Answers['policies'][number] = {
  revision: 'r1',
  policy: 'refund-agent',
  version: 1,
  owner: 'team-payments',
  agents: ['refund-*'],
  environments: ['prod*'],
  goodOutcomes: ['success'],
  document: JSON.stringify({
    objectives: {
      run_success: { at_least: 0.9, period: '30d' },
      cost_usd_per_run: { at_most: 1, window: '1h' },
    },
    risks: [
      { id: 'R-1', statement: 's', likelihood: 1, impact: 1, owner: 'o', review_by: '2026-10-31' },
      { id: 'R-2', statement: 's', likelihood: 5, impact: 5, owner: 'o', review_by: '2026-10-30' },
    ],
    drill: { every: '90d', scenario: 'tools-fail' },
    later: { nobody: 'knows' },
  }),
  sinceMs: Date.UTC(2026, 5),
  drillEverySeconds: 90 * 86_400,
};
const covered: Answers['covered'][number] = {
  revision: 'r1',
  runs: 200,
  bad: 5,
  escalated: 0,
  unconfirmed: 0,
  calls: 0,
  failedCalls: 0,
  lastMs: Date.UTC(2026, 9, 30),
};
const october = {
  startMs: Date.UTC(2026, 6),
  fromMs: Date.UTC(2026, 9),
  asOfMs: Date.UTC(2026, 10) - 1,
  environment: 'production',
};

test('a release is kept only where a policy had it judged', () => {
  const row = { agent: 'a', release: '2', firstMs: Date.UTC(2026, 9, 6), runs: 100, good: 50 };
  const document = JSON.stringify({ gates: { canary: { min_runs: 100 } } });
  const policies = [
    policy,
    { ...policy, revision: 'r2', document },
    { ...policy, revision: 'r3', document: '' },
  ];
  const releases = [[], ['r1'], ['r1', 'r2'], ['r3']].map((revisions) => ({ ...row, revisions }));
  const { shipped } = releaseFigures({ releases, rollbacks: [], incidents: [], policies }, '2026-10');
  expect(shipped.map(({ fate }) => fate)).toEqual(['not_judged', 'not_judged', 'kept', 'kept']);
});

test('an error budget is what may go wrong less what did', () => {
  const figures = policyFigures({ policies: [policy], covered: [covered], drills: [] }, october);
  expect(figures.budgets).toEqual([
    {
      policy: 'refund-agent',
      kpi: 'run_success',
      allowedShare: expect.closeTo(0.1),
      events: 200,
      bad: 5,
      left: expect.closeTo(0.75),
      since: null,
    },
  ]);
  const few = policyFigures({ policies: [policy], covered: [{ ...covered, runs: 19 }], drills: [] }, october);
  expect(few.budgets[0]?.left).toBe(null);
});

test('a review is overdue from the day after, and the gravest risk comes first', () => {
  const { risks } = policyFigures({ policies: [policy], covered: [covered], drills: [] }, october);
  expect(risks.map(({ id, isOverdue, isNew }) => [id, isOverdue, isNew])).toEqual([
    ['R-2', true, false],
    ['R-1', false, false],
  ]);
});

test('a drill that never passed is overdue', () => {
  const drill = { policy: 'refund-agent', scenario: 'tools-fail', endedMs: Date.UTC(2026, 9, 2) };
  const drills = [
    { ...drill, isPassed: 0 },
    { ...drill, isPassed: 0 },
    { ...drill, isPassed: null },
  ];
  const [found] = policyFigures({ policies: [policy], covered: [covered], drills }, october).drills;
  expect(found).toMatchObject({ run: 3, passed: 0, failed: 2, lastPassed: null, isOverdue: true });
});

test('a drill that never passed is not overdue before the policy was in use for as long as it allows', () => {
  const of = (sinceMs: number, drills: Answers['drills'] = []) =>
    policyFigures({ policies: [{ ...policy, sinceMs }], covered: [covered], drills }, october).drills[0];
  const limitMs = 90 * 86_400_000;
  expect(of(october.asOfMs - limitMs)?.isOverdue).toBe(false);
  expect(of(october.asOfMs - limitMs - 1)?.isOverdue).toBe(true);
  const before = { policy: 'refund-agent', scenario: 'tools-fail', isPassed: 1, endedMs: Date.UTC(2026, 4) };
  expect(of(Date.UTC(2026, 9, 2), [before])?.isOverdue).toBe(false);
});

test('an error budget says since when there is one where the policy began within the month', () => {
  const of = (...sinceMs: readonly number[]) =>
    policyFigures(
      { policies: sinceMs.map((one) => ({ ...policy, sinceMs: one })), covered: [covered], drills: [] },
      october,
    ).budgets[0]?.since;
  const within = Date.UTC(2026, 9, 14);
  expect(of(within)).toBe('2026-10-14T00:00:00.000Z');
  expect(of(within, within + 1)).toBe('2026-10-14T00:00:00.000Z');
  expect(of(october.fromMs, within)).toBe(null);
});

test('a drill of another scenario than the demanded one is counted, and nothing is on time for it', () => {
  const drill = { policy: 'refund-agent', endedMs: Date.UTC(2026, 9, 2), isPassed: 1 };
  const of = (scenario: string) =>
    policyFigures({ policies: [policy], covered: [covered], drills: [{ ...drill, scenario }] }, october)
      .drills[0];
  const lastPassed = '2026-10-02T00:00:00.000Z';
  expect(of('tools-fail')).toMatchObject({ passed: 1, lastPassed, isOverdue: false });
  expect(of('outage')).toMatchObject({ passed: 1, lastPassed: null, isOverdue: true });
});

test('a policy that was too long for its row is named, and one of other environments left out', () => {
  const cut = { ...policy, document: '', drillEverySeconds: null };
  const figures = policyFigures({ policies: [cut], covered: [covered], drills: [] }, october);
  expect(figures).toMatchObject({ unread: ['refund-agent'], budgets: [], risks: [], drills: [] });
  const elsewhere = policyFigures(
    { policies: [policy], covered: [covered], drills: [] },
    { ...october, environment: 'staging' },
  );
  expect(elsewhere.policies).toEqual([]);
});

test('the revision in use is that of the last run, also where an older one came back', () => {
  const later = { ...policy, revision: 'r2', version: 2, sinceMs: Date.UTC(2026, 9, 10) };
  const used = (rows: Answers['covered']): readonly string[] =>
    policyFigures({ policies: [policy, later], covered: rows, drills: [] }, october).policies.map(
      ({ revision }) => revision,
    );
  expect(used([])).toEqual(['r2']);
  expect(used([covered, { ...covered, revision: 'r2', lastMs: covered.lastMs - 1 }])).toEqual(['r1']);
});

test('a policy without a run in the four months has gone and is named, but one that is new has not', () => {
  const of = (sinceMs: number, rows: Answers['covered']) =>
    policyFigures({ policies: [{ ...policy, sinceMs }], covered: rows, drills: [] }, october);
  expect(of(october.startMs - 1, [])).toMatchObject({
    policies: [],
    budgets: [],
    risks: [],
    drills: [],
    unread: [],
    unused: ['refund-agent'],
  });
  const none = { runs: 0, bad: 0, unconfirmed: 0, lastMs: Date.UTC(2026, 7) };
  for (const inUse of [of(october.startMs, []), of(october.startMs - 1, [{ ...covered, ...none }])])
    expect(inUse).toMatchObject({ policies: [{ policy: 'refund-agent' }], unused: [] });
});
