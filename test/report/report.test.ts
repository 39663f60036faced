import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { htmlOf } from '../../src/report/html.ts';
import { markdownOf } from '../../src/report/markdown.ts';
import { documentOf } from '../../src/report/report-document.ts';
import type { Report } from '../../src/report/report.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { insertRows, tablesOfMonth } from '../month/month.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';
import { reportFrom } from './answered.ts';

const october = { month: '2026-10', environment: 'production' };
const golden = (name: string): string => `../golden/report/${name}`;
const tables = tablesOfMonth();
const runsOf: readonly Readonly<Record<string, unknown>>[] = tables
  .find(({ table }) => table === 'agent_runs')!
  .rows.map((row) => JSON.parse(row));

let clickhouse: ClickHouse;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ clickhouse, remove } = await startClickHouse());
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
});
afterAll(async () => remove());

/** The sum of the columns `names`, which are US dollars. */
function usd(row: Readonly<Record<string, unknown>>, ...names: readonly string[]): number {
  return names.reduce((sum, name) => sum + Number(row[name] ?? 0), 0);
}

/** Replaces all runs by those that ended from `from` to before `to`. */
async function onlyRuns(from: string, to: string): Promise<void> {
  await clickhouse.command('TRUNCATE TABLE agent_runs');
  const rows = runsOf.filter(({ ClosedTime }) => String(ClosedTime) >= from && String(ClosedTime) < to);
  await insertRows(clickhouse, [{ table: 'agent_runs', rows: rows.map((row) => JSON.stringify(row)) }]);
}

test('where nothing was ever stored it says so, and makes no figure up', async () => {
  const report = await reportFrom(clickhouse, october);
  const html = htmlOf(documentOf(report));
  expect(html).toContain('There are no runs in production in this month.');
  expect(html).not.toMatch(/\d\s%|NaN|Infinity|undefined|null/);
  expect(markdownOf(documentOf(report))).toContain('Policies in use: none');
});

describe('of a generated month', () => {
  let report: Report;
  beforeAll(async () => {
    await insertRows(clickhouse, tables);
    report = await reportFrom(clickhouse, october);
  });

  test('it is what it was, as HTML, as Markdown and as JSON', async () => {
    await expect(htmlOf(documentOf(report))).toMatchFileSnapshot(golden('2026-10.html'));
    await expect(markdownOf(documentOf(report))).toMatchFileSnapshot(golden('2026-10.md'));
    await expect(`${JSON.stringify(report, null, 2)}\n`).toMatchFileSnapshot(golden('2026-10.json'));
  });

  test('asked again it is the same, to the byte, also where rows came twice', async () => {
    const before = htmlOf(documentOf(report));
    expect(htmlOf(documentOf(await reportFrom(clickhouse, october)))).toBe(before);
    await insertRows(
      clickhouse,
      tables.filter(({ table }) => table !== 'otel_traces'),
    );
    expect(htmlOf(documentOf(await reportFrom(clickhouse, october)))).toBe(before);
  });

  test('runs, escalations and costs are what the rows add up to', () => {
    const own = runsOf.filter(
      ({ ClosedTime, Environment }) =>
        String(ClosedTime).startsWith('2026-10') && Environment === 'production',
    );
    const { now } = report.total;
    expect(now.runs).toBe(own.length);
    expect(now.escalation.count).toBe(own.filter(({ Escalated }) => Escalated === true).length);
    expect(now.unpriced.count).toBe(own.filter(({ Priced }) => Priced !== true).length);
    const priced = own.filter(({ Priced }) => Priced === true);
    const total = priced.reduce(
      (sum, row) => sum + usd(row, 'LlmCostUsd', 'ToolCostUsd', 'ReviewCostUsd'),
      0,
    );
    expect(now.cost.totalUsd).toBeCloseTo(total, 6);
    expect(now.cost.parts.review).toBeCloseTo(
      priced.reduce((sum, row) => sum + usd(row, 'ReviewCostUsd'), 0),
      6,
    );
  });

  test('all agents together are the sum of each, and the parts of a cost that of all of it', () => {
    const { agents, total } = report;
    const sum = (of: (agent: (typeof agents)[number]) => number): number =>
      agents.reduce((all, agent) => all + of(agent), 0);
    expect(sum(({ now }) => now.runs)).toBe(total.now.runs);
    expect(sum(({ now }) => now.success.count)).toBe(total.now.success.count);
    expect(sum(({ now }) => now.cost.totalUsd)).toBeCloseTo(total.now.cost.totalUsd, 6);
    for (const { cost } of [total.now, total.before, ...agents.map(({ now }) => now)])
      expect(Object.values(cost.parts).reduce((all, part) => all + part, 0)).toBeCloseTo(cost.totalUsd, 6);
    expect(report.escalations.reduce((all, { now }) => all + now, 0)).toBe(total.now.escalation.count);
  });

  test('drills and other environments are in no figure', async () => {
    const { releases, incidents, data } = report;
    expect(JSON.stringify([releases, incidents, report.agents])).not.toContain('drill-bad');
    expect(data.elsewhere).toEqual([{ environment: 'staging', runs: 40 }]);
    const staging = await reportFrom(clickhouse, { month: '2026-10', environment: 'staging' });
    expect(staging.total.now.runs).toBe(40);
  });

  test('what people found of rollbacks decides what became of a release, the last word first', () => {
    const { rollbacks, shipped, changeFail } = report.releases;
    expect(shipped.map(({ agent, release, fate }) => [agent, release, fate])).toEqual([
      ['research-agent', '2026.10', 'not_judged'],
      ['refund-agent', '1.5.0', 'rolled_back'],
      ['refund-agent', '1.5.1', 'kept'],
      ['support-agent', '9', 'would_have_been_right'],
      ['support-agent', '10', 'would_have_been_wrong'],
    ]);
    expect(rollbacks).toMatchObject({
      asked: 5,
      automatic: 1,
      approved: 0,
      manual: 0,
      failed: 0,
      notDone: 2,
    });
    expect(rollbacks.done).toEqual({ times: 1, right: 1, wrong: 0, notReviewed: 0 });
    expect(rollbacks.dryRun).toEqual({ times: 2, right: 1, wrong: 1, notReviewed: 0 });
    expect([changeFail.count, changeFail.of, changeFail.isEnough]).toEqual([2, 5, false]);
  });

  test('a request for approval is no incident, and what people are told of a rollback decides no fate', async () => {
    const told = await clickhouse.query(
      "SELECT Title, count() AS n FROM incidents_now WHERE AgentName = 'refund-agent' AND Release = '1.5.1' AND Severity = 'sev2' GROUP BY Title ORDER BY Title",
    );
    expect(told).toMatchObject([{ Title: 'RollbackExpired' }, { Title: 'RollbackNeedsApproval' }]);
    const { months, all } = report.incidents;
    expect(JSON.stringify(report)).not.toContain('RollbackNeedsApproval');
    expect(months.at(-1)).toEqual({
      month: '2026-10',
      all,
      bySeverity: { sev1: 1, sev2: 2, sev3: 2, sev4: 2 },
    });
    expect(report.releases.shipped.find(({ release }) => release === '1.5.1')?.fate).toBe('kept');
  });

  test('the column of what the dearest runs cost says that it is about a cost', () => {
    const [header = ''] = /^\| Agent \| Runs .*$/m.exec(markdownOf(documentOf(report))) ?? [];
    expect(header).toContain('| Cost per success | Before | p95 cost of a run |');
  });

  test('a rate of few runs is not stated, but its interval is', () => {
    const [audit = ''] = /^\| audit.*$/m.exec(markdownOf(documentOf(report))) ?? [];
    expect(audit).toMatch(
      /^\| audit-agent \| 12 \(26 before\) \| not enough data \(9 of 12, 46\.8–91\.1 %\) \|/,
    );
  });

  test('a changed definition is told, and nobody is said to be worse for it', () => {
    const refunds = report.agents.find(({ agent }) => agent === 'refund-agent');
    expect([refunds?.isRedefined, refunds?.successChange]).toEqual([true, 'redefined']);
    expect(documentOf(report).notes[0]).toMatch(
      /^refund-agent has version 4 \(\w{12}\) since 14 Oct: good outcomes: success, completed \(before: success, completed, escalated\)\.$/,
    );
  });

  test('risks and drills that are overdue at the end of the month are', () => {
    const { risks, drills } = report.policy;
    expect(risks.filter(({ isOverdue }) => isOverdue).map(({ id }) => id)).toEqual(['R-2']);
    expect(risks.filter(({ isNew }) => isNew).map(({ id }) => id)).toEqual(['R-3']);
    expect(drills.map(({ policy, isOverdue, ageDays }) => [policy, isOverdue, ageDays])).toEqual([
      ['refund-agent', false, 16],
      ['support-agent', true, 182],
    ]);
  });

  test('a drill counts for its policy in whatever environment it was, as for the alert', async () => {
    const staging = await reportFrom(clickhouse, { month: '2026-10', environment: 'staging' });
    expect(staging.policy.drills).toMatchObject([
      { policy: 'refund-agent', run: 1, passed: 1, isOverdue: false, ageDays: 16 },
    ]);
  });

  test('a month of which some is missing says from when to when there is data', async () => {
    await onlyRuns('2026-10-12', '2026-10-17');
    const { warnings } = documentOf(await reportFrom(clickhouse, october));
    expect(warnings).toEqual([
      expect.stringMatching(
        /^The month is not whole: data begins on 1[12] Oct and ends on 16 Oct 2026, \d\d:\d\d UTC\.$/,
      ),
    ]);
  });

  test.each([
    ['2026-10-12', '2026-12', /^The month is not whole: data begins on 1[12] Oct\.$/],
    ['2026-06', '2026-10-17', /^The month is not whole: data ends on 16 Oct 2026, \d\d:\d\d UTC\.$/],
  ])('of runs from %s to before %s it says only that', async (from, to, sentence) => {
    await onlyRuns(from, to);
    const { warnings } = documentOf(await reportFrom(clickhouse, october));
    expect(warnings.filter((warning) => warning.startsWith('The month is'))).toEqual([
      expect.stringMatching(sentence),
    ]);
  });

  test('months before of which some is missing are told of, too', async () => {
    await onlyRuns('2026-08-15', '2026-12');
    const { warnings } = documentOf(await reportFrom(clickhouse, october));
    expect(warnings).toEqual([
      expect.stringMatching(/^The three months before are not whole: data begins on 1[45] Aug\.$/),
    ]);
  });

  test('a month of few runs says that they are too few', async () => {
    await onlyRuns('2026-10-12', '2026-10-12 12');
    const document = documentOf(await reportFrom(clickhouse, october));
    expect(document.warnings).toContainEqual(
      expect.stringMatching(/^Not enough data: \d+ runs in the month/),
    );
    expect(document.tiles.map(({ value }) => value)).toEqual(
      expect.arrayContaining(['not enough data', 'not enough data']),
    );
  });

  test('a month before all runs says when they begin', async () => {
    await onlyRuns('2026-10-07', '2026-11-01');
    const { warnings } = documentOf(await reportFrom(clickhouse, { ...october, month: '2026-09' }));
    expect(warnings[0]).toBe(
      'There are no runs in production in this month. Runs begin on 7 Oct 2026: --month 2026-10.',
    );
  });

  test('where there are runs, but not in this environment, it says where', async () => {
    await onlyRuns('2026-10-01', '2026-11-01');
    const { warnings } = documentOf(await reportFrom(clickhouse, { month: '2026-10', environment: 'prod' }));
    expect(warnings[0]).toMatch(
      /^There are no runs in prod in this month\. There are runs in production \(\d+\), staging \(40\): choose one with --environment\.$/,
    );
  });
});
