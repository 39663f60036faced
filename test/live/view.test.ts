import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { idleMs } from '../../src/judge/idle.ts';
import type { Standing } from '../../src/judge/standing.ts';
import type { KpiRun, KpiToolCall } from '../../src/kpi/facts.ts';
import type { LiveView } from '../../src/page/live-view.ts';
import type { Choice, ShownRollback } from '../../src/page/moment.ts';
import { viewOf } from '../../src/page/view.ts';
import { call, kpisOf, published, run } from '../kpi/events.ts';
import { runs } from '../property-runs.ts';
import { assessedOf, incident, momentOf, noon, rollback, standing, withTrends } from './moments.ts';

const everything: Choice = { window: '1h', place: null };
const place = (agent: string, environment: string): Choice => ({
  window: '1h',
  place: { agent, environment },
});

function familiesOf(finished: readonly KpiRun[], calls: readonly KpiToolCall[] = []) {
  const kpis = kpisOf();
  for (const each of finished) kpis.finished(each);
  for (const each of calls) kpis.toolCall(each);
  kpis.watermark.advance(0, noon, noon, noon);
  return published(kpis, noon);
}

function tileOf(view: LiveView, kpi: string) {
  const found = view.tiles.find((each) => each.kpi === kpi);
  if (!found) throw new Error(`there is no tile of ${kpi}`);
  return found;
}

const labels = {
  agent: fc.constantFrom('a', 'b', 'c'),
  release: fc.constantFrom('1', '2'),
  environment: fc.constantFrom('production', 'staging', 'drill:production#7'),
};
const someRun = fc
  .record({
    ...labels,
    outcome: fc.constantFrom('success', 'completed', 'failure', 'escalated', 'abandoned', 'unknown'),
    priced: fc.boolean(),
    usd: fc.integer({ min: 0, max: 1000 }),
    agoMs: fc.integer({ min: 0, max: 3_000_000 }),
  } as const)
  .map(({ usd, agoMs, ...rest }) =>
    run(noon - agoMs, { ...rest, costUsd: { llm: usd / 100, tool: 0, review: 0 } }),
  );
const someCall = fc
  .record({
    ...labels,
    tool: fc.constantFrom('get', 'put'),
    result: fc.constantFrom('ok', 'error', 'rejected'),
  } as const)
  .map((given) => call(noon, given));

const isReal = ({ environment }: { environment: string }) => !environment.startsWith('drill:');

/** What tiles must say of events, counted one by one. */
function counted(finished: readonly KpiRun[], calls: readonly KpiToolCall[]) {
  const good = finished.filter(({ outcome }) => outcome === 'success' || outcome === 'completed');
  const priced = finished.filter((each) => each.priced);
  const usd = priced.reduce((sum, each) => sum + each.costUsd.llm, 0);
  const ran = calls.filter(({ result }) => result !== 'rejected');
  return {
    run_success: [good.length, finished.length],
    run_escalation: [finished.filter(({ outcome }) => outcome === 'escalated').length, finished.length],
    cost_usd_per_run: [usd, priced.length],
    cost_usd_per_success: [usd, priced.filter((each) => good.includes(each)).length],
    run_duration: [2 * finished.length, finished.length],
    tool_call_success: [ran.filter(({ result }) => result === 'ok').length, ran.length],
  };
}

function expectTiles(view: LiveView, finished: readonly KpiRun[], calls: readonly KpiToolCall[]): void {
  for (const [kpi, [above = 0, below = 0]] of Object.entries(counted(finished, calls))) {
    const { numerator, denominator, value } = tileOf(view, kpi);
    expect(numerator, kpi).toBeCloseTo(above, 6);
    expect(denominator, kpi).toBe(below);
    if (below === 0) expect(value, kpi).toBeNull();
    else expect(value, kpi).toBeCloseTo(above / below, 6);
  }
}

test('tiles are sums over what is chosen, and ratios are of sums; rehearsals are only where they are chosen', () => {
  fc.assert(
    fc.property(
      fc.array(someRun, { maxLength: 40 }),
      fc.array(someCall, { maxLength: 40 }),
      (finished, calls) => {
        const moment = momentOf(assessedOf(familiesOf(finished, calls)));
        expectTiles(viewOf(moment, everything), finished.filter(isReal), calls.filter(isReal));
        for (const { agent, environment } of viewOf(moment, everything).agents) {
          const isOf = (each: { agent: string; environment: string }) =>
            each.agent === agent && each.environment === environment;
          const view = viewOf(moment, place(agent, environment));
          expectTiles(view, finished.filter(isOf), calls.filter(isOf));
        }
      },
    ),
    { numRuns: Math.ceil(runs / 5) },
  );
});

test('the lines of agents and of releases add up to the tiles', () => {
  fc.assert(
    fc.property(fc.array(someRun, { minLength: 1, maxLength: 40 }), (finished) => {
      const moment = momentOf(assessedOf(familiesOf(finished)));
      const { agents } = viewOf(moment, everything);
      expect(agents.reduce((sum, line) => sum + line.runs, 0)).toBe(finished.length);
      for (const line of agents) {
        const view = viewOf(moment, place(line.agent, line.environment));
        expect(tileOf(view, 'run_success').denominator).toBe(line.runs);
        expect(view.releases.reduce((sum, each) => sum + each.runs, 0)).toBe(line.runs);
        expect(view.releases.length).toBe(line.releases);
      }
    }),
    { numRuns: Math.ceil(runs / 5) },
  );
});

const bad = (count: number, given: Partial<KpiRun>) =>
  Array.from({ length: count }, () => run(noon - 1000, given));
const some = [
  ...bad(18, { release: '1.4.0' }),
  ...bad(2, { release: '1.4.0', outcome: 'escalated', escalationReason: 'approval' }),
  ...bad(6, { release: '1.5.0', outcome: 'failure' }),
  ...bad(4, { release: '1.5.0', costUsd: { llm: 0.25, tool: 0, review: 0 } }),
  ...bad(3, { agent: 'search', outcome: 'failure' }),
];

describe('a view', () => {
  const assessed = withTrends(
    assessedOf(familiesOf(some, [call(noon), call(noon, { result: 'error' })]), {
      standings: [standing],
      incidents: [incident],
      rollbacks: { attempts: [rollback], stopReason: 'ada: a holiday', fault: undefined },
      objectiveOf: (kpi) => (kpi === 'run_success' ? 0.95 : null),
    }),
    [noon - 20_000, noon - 10_000],
  );

  test('of one agent is the one on file', async () => {
    const view = viewOf(momentOf(assessed), place('refund', 'production'));
    await expect(`${JSON.stringify(view, null, 2)}\n`).toMatchFileSnapshot('../golden/live-view.txt');
  });

  test('puts the agent first whose release failed, then by success', () => {
    const { agents } = viewOf(momentOf(assessed), everything);
    expect(agents.map(({ agent, verdict, openIncidents }) => [agent, verdict, openIncidents])).toEqual([
      ['refund', 'fail', 1],
      ['search', null, 0],
    ]);
  });

  test('shows the evidence of the test that is nearest to a rollback, and the release that failed first', () => {
    const [first] = viewOf(momentOf(assessed), place('refund', 'production')).releases;
    expect(first?.release).toBe('1.5.0');
    expect(first?.judged?.evidenceTrend).toEqual([4.9877, 4.9877]);
  });

  test('names the test whose evidence it shows, and where that rolls back, though another lacks less in all', () => {
    const tests: Standing['tests'] = [
      { kpi: 'run_success', test: 'worse', logEvidence: 0.5, pauseAt: 3.1, rollbackAt: 4.71 },
      { kpi: 'cost_usd_per_run', test: 'worse', logEvidence: 2, pauseAt: 5.3, rollbackAt: 6.9 },
    ];
    const judged = { ...assessedOf(familiesOf(some)), standings: [{ ...standing, tests }] };
    const [first] = viewOf(
      momentOf(withTrends(judged, [noon - 10_000])),
      place('refund', 'production'),
    ).releases;
    expect(first?.judged).toMatchObject({
      evidenceTest: { kpi: 'cost_usd_per_run', test: 'worse', rollbackAt: 6.9 },
      evidenceTrend: [2],
    });
  });

  test('of a release that no test rolls back names none', () => {
    const tests = standing.tests.filter(({ rollbackAt }) => rollbackAt === undefined);
    const judged = { ...assessed, standings: [{ ...standing, tests }] };
    const [first] = viewOf(momentOf(judged), place('refund', 'production')).releases;
    expect(first?.judged).toMatchObject({ evidenceTest: null, evidenceTrend: [null, null] });
  });

  test('has a release that is judged, or an agent with an open incident, before a run of it ends', () => {
    const at = { agent: 'hung', environment: 'staging' };
    const hung = { ...standing, ...at, release: '2.0.0' };
    const hungBesideOthers = { ...standing, release: '1.6.0' };
    const reported = { ...incident, agent: 'new', release: '1' };
    const resolved = { ...incident, agent: 'old', resolvedMs: noon };
    const gone = { ...standing, agent: 'gone', isRunning: false };
    const moment = momentOf({
      ...assessed,
      standings: [hung, hungBesideOthers, gone],
      incidents: [reported, resolved],
    });
    const { agents } = viewOf(moment, everything);
    expect(
      agents.map(({ agent, runs: ended, verdict, openIncidents }) => [agent, ended, verdict, openIncidents]),
    ).toEqual([
      ['refund', 30, 'fail', 0],
      ['hung', 0, 'fail', 0],
      ['new', 0, null, 1],
      ['search', 3, null, 0],
    ]);
    const releasesAt = (agent: string, environment: string) =>
      viewOf(moment, place(agent, environment)).releases.map(({ release, runs: ended, judged }) => [
        release,
        ended,
        judged?.verdict,
      ]);
    expect(releasesAt('hung', 'staging')).toEqual([['2.0.0', 0, 'fail']]);
    expect(releasesAt('refund', 'production')[0]).toEqual(['1.6.0', 0, 'fail']);
    expect(releasesAt('gone', 'production')).toEqual([]);
  });

  test('of an agent that nobody knows has no figures, and is no error', () => {
    const view = viewOf(momentOf(assessed), place('nobody', 'production'));
    expect(tileOf(view, 'run_success')).toMatchObject({ value: null, denominator: 0, trend: [null, null] });
    expect([view.releases, view.incidents, view.rollbacks]).toEqual([[], [], []]);
  });

  test('says whether any policy is in use', () => {
    expect(viewOf(momentOf(assessed), everything).hasPolicies).toBe(true);
    expect(viewOf(momentOf({ ...assessed, hasPolicies: false }), everything).hasPolicies).toBe(false);
  });

  test('of a process that stands by is its flow alone', () => {
    const view = viewOf(momentOf(undefined), everything);
    expect(view).toMatchObject({ isActive: false, tiles: [], agents: [], trendTimesMs: [] });
  });

  test('has the newest 20 incidents, newest first', () => {
    const incidents = Array.from({ length: 30 }, (_, i) => ({
      ...incident,
      id: String(i),
      startedMs: noon - ((i * 7) % 30),
    }));
    const view = viewOf(momentOf({ ...assessed, incidents }), everything);
    expect(view.incidents.map(({ startedMs }) => noon - startedMs)).toEqual([...Array(20).keys()]);
  });

  test('has what waits for approval, and incidents that are not resolved, before what is newer', () => {
    const ended = Array.from({ length: 25 }, (_, i) => ({
      ...rollback,
      id: `ended-${i}`,
      state: 'dry_run',
      requestedMs: noon + i,
    }));
    const resolved = Array.from({ length: 25 }, (_, i) => ({
      ...incident,
      id: `resolved-${i}`,
      startedMs: noon + i,
      resolvedMs: noon + 30,
    }));
    const attempts = [rollback, ...ended];
    const view = viewOf(
      momentOf({
        ...assessed,
        incidents: [incident, ...resolved],
        rollbacks: { ...assessed.rollbacks, attempts },
      }),
      everything,
    );
    const newest = Array.from({ length: 19 }, (_, i) => 24 - i);
    expect(view.rollbacks.map(({ id }) => id)).toEqual(['rollback-1', ...newest.map((i) => `ended-${i}`)]);
    expect(view.incidents.map(({ id }) => id)).toEqual(['incident-1', ...newest.map((i) => `resolved-${i}`)]);
  });

  test('has what somebody said of a rollback that is over', () => {
    const review = { review: 'wrong', by: 'ada', note: 'the tool was down' } as const;
    const attempts = [
      { ...rollback, id: 'a', state: 'dry_run', isOver: true, review },
      { ...rollback, id: 'b', state: 'dry_run', isOver: true },
      { ...rollback, id: 'c' },
    ];
    const view = viewOf(
      momentOf({ ...assessed, rollbacks: { ...assessed.rollbacks, attempts } }),
      everything,
    );
    expect(view.rollbacks.map(({ id, isOver, review: said }) => [id, isOver, said])).toEqual([
      ['c', false, null],
      ['a', true, review],
      ['b', true, null],
    ]);
  });

  const toldOf = (attempts: readonly ShownRollback[], isRunning = true) => {
    const moment = momentOf({
      ...assessed,
      standings: [{ ...standing, isRunning }],
      rollbacks: { ...assessed.rollbacks, attempts },
    });
    const [agent] = viewOf(moment, everything).agents;
    const [release] = viewOf(moment, place('refund', 'production')).releases;
    return [agent?.verdict, release?.judged?.verdict, release?.judged?.rolledBackMs];
  };

  test('of a release that was rolled back says when, until it runs again', () => {
    const doneMs = noon - 60_000;
    const done = { ...rollback, state: 'done', isOver: true, doneMs };
    expect(toldOf([done])).toEqual(['rolled_back', 'fail', doneMs]);
    expect(toldOf([done, rollback])).toEqual(['fail', 'fail', null]);
    expect(toldOf([{ ...done, from: '1.4.0' }])).toEqual(['fail', 'fail', null]);
    expect(toldOf([{ ...done, environment: 'staging' }])).toEqual(['fail', 'fail', null]);
    const longAgo = { ...done, doneMs: noon - idleMs };
    expect(toldOf([longAgo])).toEqual(['fail', 'fail', null]);
    expect(toldOf([{ ...done, doneMs: noon - idleMs + 1 }])[0]).toBe('rolled_back');
    expect(toldOf([longAgo], false)).toEqual([null, 'fail', longAgo.doneMs]);
  });

  test('has the trends of all agents together, however many there are', () => {
    const many = Array.from({ length: 1001 }, (_, i) => run(noon - 1000, { agent: `a${i}` }));
    const kpis = kpisOf(1, { maxSeries: 1_000_000 });
    for (const each of many) kpis.finished(each);
    kpis.watermark.advance(0, noon, noon, noon);
    const moment = momentOf(withTrends(assessedOf(published(kpis, noon)), [noon - 10_000]));
    expect(tileOf(viewOf(moment, everything), 'run_success').trend).toEqual([1]);
    expect(tileOf(viewOf(moment, place('a0', 'production')), 'run_success').trend).toEqual([1]);
    expect(tileOf(viewOf(moment, place('a1000', 'production')), 'run_success').trend).toEqual([null]);
  });
});
