import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kpiReference } from '../../src/kpi/kpi-sql.ts';
import type { Report } from '../../src/report/report.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { runSql } from '../../src/store/sql-client.ts';
import { SqlPort } from '../../src/store/sql-port.ts';
import { insertMonth } from '../month/month.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';
import { startServer } from '../store/engines.ts';

const document = readFileSync(new URL('../../deploy/sql/cookbook.md', import.meta.url), 'utf8');

/** A query of the document, and the answer below it. */
const asked = /```sql\n([^]*?)\n```\n(?:\n```text\n[^]*?\n```\n)?/g;
/** Stands above a query whose answer differs from machine to machine. */
const ofTheMachine = '_The answer is of the machine._';

interface Question {
  readonly title: string;
  readonly sql: string;
  readonly isOfTheMachine: boolean;
}

const questions: readonly Question[] = document
  .split(/^### /m)
  .slice(1)
  .flatMap((section) =>
    [...section.matchAll(asked)].map(([, sql = '']) => ({
      title: section.split('\n', 1)[0] ?? '',
      sql,
      isOfTheMachine: section.includes(ofTheMachine),
    })),
  );
const settled = questions.filter(({ isOfTheMachine }) => !isOfTheMachine);

let clickhouse: ClickHouse;
let remove: () => Promise<void>;
let port: SqlPort;

const fill = async (empty: ClickHouse): Promise<void> => {
  await migrate(empty, await readMigrations(), aloneDialect, silentLog);
  await insertMonth(empty);
};

beforeAll(async () => {
  const started = await startClickHouse();
  ({ clickhouse, remove } = started);
  await fill(clickhouse);
  port = new SqlPort({
    directory: started.directory,
    host: '127.0.0.1',
    configPath: 'extensions::sql::endpoint',
    port: 0,
    token: undefined,
    hosts: [],
    concurrentQueries: 1,
    waitMs: 60_000,
    readMs: 60_000,
    limits: { memoryBytes: 2 ** 30, timeMs: 30_000, resultRows: 1e6, resultBytes: 2 ** 26, threads: 2 },
    log: silentLog,
  });
  await port.start();
});
afterAll(async () => {
  await port.stop(AbortSignal.timeout(10_000));
  await remove();
});

/** What `plimsoll sql` shows. */
const shown = async (query: string): Promise<string> =>
  runSql({ url: port.url, token: undefined, query, format: 'PrettyCompactMonoBlock' });

/** What ClickHouse answers to the question. */
const rowsOf = async (title: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
  clickhouse.query(questions.find((one) => one.title === title)?.sql ?? '');

test('incidents are those that the report counts', async () => {
  const file = new URL('../golden/report/2026-10.json', import.meta.url);
  const { incidents }: Pick<Report, 'incidents'> = JSON.parse(readFileSync(file, 'utf8'));
  const months = await rowsOf('Do incidents become fewer?');
  expect(months.map(({ Month, Incidents }) => [String(Month).slice(0, 7), Number(Incidents)])).toEqual(
    incidents.months.map(({ month, all }) => [month, all]),
  );
  const severities = await rowsOf('How long does it take to find an incident, and to end it?');
  expect(Object.fromEntries(severities.map((row) => [row['Severity'], Number(row['Incidents'])]))).toEqual(
    incidents.months.at(-1)?.bySeverity,
  );
});

test('deploy/sql/cookbook.md has the answers of the generated month (else: run this with -u)', async () => {
  expect(questions.length).toBeGreaterThanOrEqual(20);
  const answers = new Map<string, string>();
  for (const { sql, isOfTheMachine } of questions) {
    const answer = await shown(sql);
    expect([sql, answer]).toEqual([sql, expect.stringContaining('1. │')]);
    if (!isOfTheMachine) answers.set(sql, answer.trimEnd());
  }
  const answered = document.replaceAll(asked, (_, sql: string) => {
    const answer = answers.get(sql);
    return `\`\`\`sql\n${sql}\n\`\`\`\n${answer === undefined ? '' : `\n\`\`\`text\n${answer}\n\`\`\`\n`}`;
  });
  await expect(answered).toMatchFileSnapshot('../../deploy/sql/cookbook.md');
});

test('questions about spans read the days that they are about, and no others', async () => {
  const ofSpans = questions.filter(({ sql }) => /FROM (?:otel_traces|tool_calls)\b/.test(sql));
  expect(ofSpans.length).toBeGreaterThan(8);
  const reading = await Promise.all(
    ofSpans.map(async ({ title, sql }) => {
      const plan = await clickhouse.query<{ explain: string }>(`EXPLAIN indexes = 1 ${sql}`);
      const text = plan.map(({ explain }) => explain).join('\n');
      const [first] = text.matchAll(/ReadFromMergeTree \(\S*otel_traces\)[^]*?Parts: (\d+)\/(\d+)/g);
      return { title, isPruned: Number(first?.[1]) < Number(first?.[2]) };
    }),
  );
  expect(reading.filter(({ isPruned }) => !isPruned).map(({ title }) => title)).toEqual([
    'Is every span there, once?', // that is asked of all
  ]);
});

test('every question has the same answer on a server', async () => {
  const server = await startServer();
  try {
    await fill(server.clickhouse);
    for (const { title, sql } of settled) {
      const rows = await clickhouse.query(sql);
      expect([title, await server.clickhouse.query(sql)]).toEqual([title, rows]);
    }
  } finally {
    await server.remove();
  }
});

test('what is there twice is counted once', async () => {
  const answers = new Map<string, string>();
  for (const { title, sql } of settled) answers.set(title, await shown(sql));
  // Since the first of October: an insert may be of 100 days.
  await clickhouse.command(
    'INSERT INTO otel_traces SELECT * REPLACE (StreamOffset + 1000000 AS StreamOffset) FROM otel_traces WHERE Timestamp >= 1790812800',
  );
  for (const table of ['agent_runs', 'incidents', 'rollbacks', 'policies'])
    await clickhouse.command(`INSERT INTO ${table} SELECT * FROM ${table}`);
  const changed: string[] = [];
  for (const { title, sql } of settled) if ((await shown(sql)) !== answers.get(title)) changed.push(title);
  expect(changed).toEqual(['Did spans come late?', 'Is every span there, once?']); // of places on the stream
});

test('a call counts for the release of its run, as in the gauge, whatever its span says', async () => {
  // One more failed call of each run of the first of October, which knows neither the agent nor the release.
  await clickhouse.command(
    `INSERT INTO otel_traces
    SELECT * REPLACE (
      concat('f', substring(SpanId, 2)) AS SpanId, 'payments' AS AgentName, 'unknown' AS Release, 'lookup_order' AS ToolName,
      'error' AS Result, '' AS ToolCallId, StreamOffset + 2000000 AS StreamOffset)
    FROM otel_traces WHERE Step = 'tool' AND Timestamp >= 1790812800 AND Timestamp < 1790899200 LIMIT 1 BY RunId`,
  );
  const { sql = '' } = kpiReference.find(({ kpi }) => kpi.stem === 'plimsoll_kpi_tool_call_success') ?? {};
  const counted = await clickhouse.query<Record<string, unknown>>(
    sql
      .replaceAll("{from:DateTime64(3, 'UTC')}", "toDateTime64('2026-10-01 00:00:00', 3, 'UTC')")
      .replaceAll("{to:DateTime64(3, 'UTC')}", "toDateTime64('2026-10-08 00:00:00', 3, 'UTC')"),
  );
  const failing = counted
    .filter((row) => row['environment'] === 'production' && row['numerator'] !== row['denominator'])
    .map((row) => [
      row['agent'],
      row['release'],
      row['tool'],
      Number(row['numerator']),
      Number(row['denominator']),
    ]);
  const failingTools = await rowsOf('Which tools fail in which release, as the gauges count?');
  const answered = failingTools.map((row) => {
    const calls = Number(row['Calls']);
    return [row['Agent'], row['OfRelease'], row['ToolName'], calls - Number(row['Failed']), calls];
  });
  expect(new Set(answered)).toEqual(new Set(failing));
  expect(answered.length).toBeGreaterThan(4);
});
