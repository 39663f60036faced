import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TableRow } from '../../src/core/table-row.ts';
import { incidentRow } from '../../src/incidents/incident-row.ts';
import type { Incident } from '../../src/incidents/incident.ts';
import { policyRow } from '../../src/policy/policy-row.ts';
import { markdownOf } from '../../src/report/markdown.ts';
import { documentOf } from '../../src/report/report-document.ts';
import type { Report } from '../../src/report/report.ts';
import { eventAfter, genesis, type ChainHead } from '../../src/rollback/chain.ts';
import { breakerPage, truncatedPage } from '../../src/rollback/page.ts';
import { RollbackBook } from '../../src/rollback/rollback-book.ts';
import type { EventBody } from '../../src/rollback/rollback-event.ts';
import { rollbackRow } from '../../src/rollback/rollback-row.ts';
import { tableRowOf } from '../../src/runs/run-row.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { at } from '../month/days.ts';
import { insertRows } from '../month/month.ts';
import { policyFile } from '../policy/policies.ts';
import { finishedRun } from '../runs/finished-runs.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';
import { reportFrom } from './answered.ts';

let clickhouse: ClickHouse;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ clickhouse, remove } = await startClickHouse());
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
});
afterAll(async () => remove());

/** The report of `month` where there are these rows and no others. */
async function reportOn(
  month: string,
  tables: Readonly<Record<string, readonly TableRow[]>>,
): Promise<Report> {
  for (const table of ['agent_runs', 'incidents', 'rollbacks', 'policies'])
    await clickhouse.command(`TRUNCATE TABLE ${table}`);
  const all = Object.entries(tables).map(([table, rows]) => ({ table, rows: rows.map(({ row }) => row) }));
  await insertRows(clickhouse, all);
  return reportFrom(clickhouse, { month, environment: 'production' });
}

let incidents = 0;

/** An incident that somebody reported of release 2 of the agent a. */
function incident(found: string, said: Partial<Incident>): TableRow {
  const id = `i${++incidents}`;
  return incidentRow({
    id,
    key: id,
    source: 'api',
    policy: '',
    revision: '',
    kpi: '',
    agent: 'a',
    release: '2',
    environment: 'production',
    severity: 'sev2',
    owner: '',
    title: 'It is down',
    summary: '',
    startedMs: at(found),
    detectedMs: at(found),
    acknowledgedMs: undefined,
    mitigatedMs: undefined,
    resolvedMs: undefined,
    resolution: undefined,
    repeats: 0,
    version: incidents,
    ...said,
  });
}

test('an incident of which nobody said when it began took no time to detect, not 0 s', async () => {
  const report = await reportOn('2026-10', {
    incidents: [
      incident('10-02 10:00', { title: 'Nobody knows since when' }),
      incident('10-03 10:00', { startedMs: at('10-03 09:00'), severity: 'sev3' }),
    ],
  });
  expect(report.incidents.all).toBe(2);
  expect(report.incidents.detect).toEqual({ of: 1, medianSeconds: 3600, p90Seconds: 3600 });
  expect(report.incidents.gravest.map(({ detectSeconds }) => detectSeconds)).toEqual([null, 3600]);
  expect(markdownOf(documentOf(report))).toContain('| Nobody knows since when | sev2 | a, 2 | 2 Oct | – |');
});

/** Rows of `rollbacks` of what happened in this order. */
function rollbackRows(history: readonly (readonly [time: string, body: EventBody])[]): readonly TableRow[] {
  const book = new RollbackBook();
  let head: ChainHead = genesis;
  return history.map(([time, body]) => {
    const event = eventAfter(head, body, at(time));
    head = event;
    book.apply(event);
    return rollbackRow(event, book);
  });
}

/** What takes release 2 of the agent a back, where two people have to approve it, though its policy says `auto`. */
const rolledBack: readonly (readonly [time: string, body: EventBody])[] = [
  [
    '10-05 11:00',
    {
      event: 'requested',
      id: 'two',
      key: 'two',
      cause: 'judge',
      agent: 'a',
      environment: 'production',
      from: '2',
      by: 'judge',
      reason: 'it fails',
      evidence: {},
      plan: {
        policy: 'p',
        revision: 'r',
        owner: 'o',
        approvers: ['ana', 'bo'],
        mode: 'auto',
        target: 't',
        cooldownMs: 1,
        perDay: 9,
        approvalMs: 3_600_000,
        verify: { kpi: 'run_success', minEvents: 1, withinMs: 1 },
      },
    },
  ],
  [
    '10-05 11:00',
    {
      event: 'approval_asked',
      id: 'two',
      to: '1',
      expiresMs: at('10-05 12:00'),
      approvals: 2,
      reason: 't is acted on when 2 people approved',
    },
  ],
  ['10-05 11:10', { event: 'approval_given', id: 'two', by: 'ana' }],
  ['10-05 11:20', { event: 'approved', id: 'two', by: 'bo' }],
  ['10-05 11:20', { event: 'executing', id: 'two', to: '1', instance: 'i' }],
  ['10-05 11:20', { event: 'acted', id: 'two', isConfirmed: true, reason: '' }],
  ['10-05 11:30', { event: 'done', id: 'two', reason: '', evidence: {} }],
];

test('a rollback that people let happen is none that was automatic, whatever the mode of the policy', async () => {
  const { releases } = await reportOn('2026-10', { rollbacks: rollbackRows(rolledBack) });
  expect(releases.rollbacks).toMatchObject({ asked: 1, automatic: 0, approved: 1, manual: 0 });
});

test('what the executor tells people of itself is an incident that names no environment', async () => {
  const pages = [
    truncatedPage(3),
    breakerPage({ scope: 'global', reason: 'it failed twice', sinceMs: 1, isPaged: false }),
  ];
  const report = await reportOn('2026-10', { incidents: pages.map((page) => incident('10-12 10:00', page)) });
  expect(report.incidents).toMatchObject({ all: 2, withoutEnvironment: 2, detect: { of: 0 } });
  expect(markdownOf(documentOf(report))).toContain('| AlertsTruncated | sev2 | – | 12 Oct |');
});

let runs = 0;

/** A run of the agent a that was good. */
function run(release: string, start: string, closed: string, revision = ''): TableRow {
  const [startMs, closedMs] = [at(start), at(closed)];
  const given = { agent: 'a', environment: 'production', endMs: closedMs, outcome: 'success' } as const;
  return tableRowOf(
    finishedRun({ runId: `r${++runs}`, release, startMs, closedMs, version: runs, ...given }),
    revision,
  );
}

test('a release, and an agent, whose first run goes over the end of a month is in the next one', async () => {
  const agentRuns = [
    run('1', '09-30 23:58', '10-01 00:02'),
    run('2', '10-31 23:58', '11-01 00:02'),
    run('2', '11-02 00:00', '11-02 00:02'),
  ];
  const october = await reportOn('2026-10', { agent_runs: agentRuns });
  expect(october.releases.shipped).toEqual([]);
  expect(october.agents.map(({ since }) => since)).toEqual(['2026-10-01T00:02:00.000Z']);
  const november = await reportOn('2026-11', { agent_runs: agentRuns });
  expect(november.releases.shipped).toMatchObject([
    { release: '2', runs: 2, first: '2026-11-01T00:02:00.000Z' },
  ]);
});

test('a rollback that people found wrong took a good release back: no change that failed', async () => {
  const reviewed = (review: 'right' | 'wrong'): readonly (readonly [string, EventBody])[] => [
    ...rolledBack,
    ['10-06 09:00', { event: 'reviewed', id: 'two', by: 'ana', review, note: '' }],
  ];
  const agentRuns = [run('1', '09-02 10:00', '09-02 10:01'), run('2', '10-05 10:00', '10-05 10:01')];
  const of = async (history: readonly (readonly [string, EventBody])[], more: readonly TableRow[] = []) => {
    const tables = { agent_runs: agentRuns, rollbacks: rollbackRows(history), incidents: more };
    const { releases } = await reportOn('2026-10', tables);
    return [releases.shipped[0]?.fate, releases.changeFail.count, releases.rollbacks.done.wrong];
  };
  expect(await of(rolledBack)).toEqual(['rolled_back', 1, 0]);
  expect(await of(reviewed('right'))).toEqual(['rolled_back', 1, 0]);
  expect(await of(reviewed('wrong'))).toEqual(['rolled_back_wrongly', 0, 1]);
  expect(await of(reviewed('wrong'), [incident('10-05 10:30', {})])).toEqual(['incident', 1, 1]);
});

test('a policy that was removed leaves the report when none of the four months has a run of it', async () => {
  const file = policyFile({ metadata: { name: 'p', version: 1, owner: 'o', on_call: 'c' } });
  const tables = {
    policies: [policyRow(file, at('07-01 00:00'))],
    agent_runs: [run('1', '08-31 10:00', '08-31 10:01', file.revision)],
  };
  const november = await reportOn('2026-11', tables);
  expect(november.policy).toMatchObject({ policies: [{ policy: 'p' }], unused: [] });
  expect(november.policy.budgets).not.toEqual([]);
  for (const { events, bad } of november.policy.budgets) expect([events, bad]).toEqual([0, 0]);
  const december = await reportOn('2026-12', tables);
  expect(december.policy).toMatchObject({ policies: [], budgets: [], risks: [], unused: ['p'] });
  expect(markdownOf(documentOf(december))).toContain(
    'No run of the four months is covered by p: what covers none counts as removed, and its objectives, risks and drills are left out.',
  );
});

test('the budget of a policy that began within the month says since when', async () => {
  const file = policyFile({ metadata: { name: 'p', version: 1, owner: 'o', on_call: 'c' } });
  const report = await reportOn('2026-10', {
    policies: [policyRow(file, at('10-14 08:00'))],
    agent_runs: [run('1', '10-15 10:00', '10-15 10:01', file.revision)],
  });
  expect(markdownOf(documentOf(report))).toMatch(
    /^\| p \(since the policy began, 14 Oct\) \| run success \|/m,
  );
});
