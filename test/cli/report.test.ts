import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { monthAfter, monthAt } from '../../src/report/month.ts';
import { openClickHouseServer } from '../../src/store/clickhouse-server.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { ClickHouseServer } from '../clickhouse/server.ts';
import { Place, Program } from '../e2e/program.ts';
import { insertMonth } from '../month/month.ts';
import { silentLog } from '../store/embedded.ts';
import { called } from './called.ts';

const golden = (name: string): string =>
  readFileSync(new URL(`../golden/report/${name}`, import.meta.url), 'utf8');

test.each([
  [['--month', '2026-13'], '--month 2026-13: must be a month such as 2026-10'],
  [['--month', '9999-01'], '--month 9999-01: has not begun; it is '],
  [['--format', 'pdf'], '--format pdf: must be one of html, md, json'],
  [['--environment', 'drill:production#1'], 'is one of drills, which are in no report'],
])('report %j says what is wrong', async (words, sentence) => {
  const { code, stdout, stderr } = await called('report', ...words);
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(sentence)]);
});

describe('beside a ClickHouse server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-report-'));
  let server: ClickHouseServer;
  let place: Place;
  const reader = { name: 'reader', password: 'of the tables', isReader: true };
  beforeAll(async () => {
    server = await ClickHouseServer.start({ users: [{ name: 'default', password: '' }, reader] });
    const { url } = server;
    const writing = openClickHouseServer({
      url,
      username: 'default',
      password: undefined,
      database: 'default',
      tls: undefined,
      compression: 'none',
      answerMs: 60_000,
    });
    await writing.start();
    await migrate(writing, await readMigrations(), aloneDialect, silentLog);
    await insertMonth(writing);
    await writing.stop(AbortSignal.timeout(1000));
    place = new Place(
      `exporters: { clickhouse: { url: "${url}" } }\nservice: { extensions: [health_check] }`,
    );
  });
  afterAll(async () => {
    await server.stop();
    place.remove();
    rmSync(folder, { recursive: true });
  });

  test('the report is in the file that is named, and the same as of tables that are embedded', async () => {
    const out = join(folder, 'october.html');
    const result = await called('report', ...place.words, '--month', '2026-10', '--out', out);
    expect(result).toEqual({ code: 0, stdout: `${out}: the report of 2026-10 on production\n`, stderr: '' });
    expect(readFileSync(out, 'utf8')).toBe(golden('2026-10.html'));
    const json = await called('report', ...place.words, '--month', '2026-10', '--format', 'json');
    expect(json.stdout).toBe(golden('2026-10.json'));
  });

  test('a user that may only read, and send no settings, is enough', async () => {
    const { name: username, password } = reader;
    const clickhouse = { url: server.url, username, password };
    const reading = new Place(
      JSON.stringify({ exporters: { clickhouse }, service: { extensions: ['health_check'] } }),
    );
    const words = ['--month', '2026-10', '--format', 'json'];
    const { code, stdout, stderr } = await called('report', ...reading.words, ...words);
    reading.remove();
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(golden('2026-10.json'));
  });
});

test('beside a pipeline that runs it asks the SQL port, by default for the last whole month', async () => {
  const place = new Place();
  const program = await Program.start(place);
  try {
    place.configure(`extensions: { sql: { endpoint: "${new URL(program.url('SQL')).host}" } }`);
    const month = monthAfter(monthAt(Date.now()), -1);
    const { code, stdout, stderr } = await called(
      'report',
      ...place.words,
      '--format',
      'json',
      '--environment',
      "it's\\\t",
    );
    expect([code, stderr]).toEqual([0, `the report of ${month} on it's\\\t\n`]);
    expect(JSON.parse(stdout)).toMatchObject({
      month,
      environment: "it's\\\t",
      total: { now: { runs: 0 } },
    });
  } finally {
    await program.kill('SIGTERM');
    place.remove();
  }
});

test('where no pipeline runs it says so', async () => {
  const place = new Place('extensions: { sql: { endpoint: "127.0.0.1:1" } }');
  expect(await called('report', ...place.words)).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('nothing answers at http://127.0.0.1:1'),
  });
  place.remove();
});
