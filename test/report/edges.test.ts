import { afterAll, beforeAll, expect, test } from 'vitest';
import { incidentRow } from '../../src/incidents/incident-row.ts';
import type { Incident } from '../../src/incidents/incident.ts';
import { markdownOf } from '../../src/report/markdown.ts';
import { documentOf } from '../../src/report/report-document.ts';
import type { Report } from '../../src/report/report.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { at } from '../month/days.ts';
import { insertRows } from '../month/month.ts';
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
  tables: Readonly<Record<string, readonly { readonly row: string }[]>>,
): Promise<Report> {
  for (const table of ['agent_runs', 'incidents', 'rollbacks'])
    await clickhouse.command(`TRUNCATE TABLE ${table}`);
  const all = Object.entries(tables).map(([table, rows]) => ({ table, rows: rows.map(({ row }) => row) }));
  await insertRows(clickhouse, all);
  return reportFrom(clickhouse, { month, environment: 'production' });
}

let incidents = 0;

/** An incident that somebody reported of release 2 of the agent a. */
function incident(found: string, said: Partial<Incident>): { readonly row: string } {
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
