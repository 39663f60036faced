import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Log } from '../../src/core/log.ts';
import { aloneDialect, clusterDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { applyTtls, ttlFaults, type TableTtls } from '../../src/store/table-ttl.ts';
import { Tables } from '../../src/store/tables.ts';
import { silentLog } from './embedded.ts';
import { engines, type StartedClickHouse } from './engines.ts';

const dayMs = 86_400_000;

function linesOf(level: string, calls: readonly unknown[][]): string[] {
  return calls.map(([fields, message]) => `${level} ${String(message)} ${JSON.stringify(fields)}`);
}

/** A log whose lines are looked at. */
function watched(): { readonly log: Log; readonly lines: () => readonly string[] } {
  const log = silentLog.child({});
  const info = vi.spyOn(log, 'info').mockReturnValue();
  const warn = vi.spyOn(log, 'warn').mockReturnValue();
  return { log, lines: () => [...linesOf('info', info.mock.calls), ...linesOf('warn', warn.mock.calls)] };
}

describe.each(engines)('with ClickHouse $name', ({ start }) => {
  let started: StartedClickHouse;

  beforeAll(async () => {
    started = await start();
  });
  afterAll(async () => {
    await started.remove();
  });
  beforeEach(async () => {
    const tables = await query<{ name: string }>('SHOW TABLES');
    for (const { name } of tables) await command(`DROP TABLE IF EXISTS \`${name}\` SYNC`);
    await migrate(started.clickhouse, await readMigrations(), aloneDialect, silentLog);
  });

  const query = async <Row>(sql: string): Promise<readonly Row[]> => started.clickhouse.query<Row>(sql);
  const command = async (sql: string): Promise<void> => started.clickhouse.command(sql);

  async function apply(ttls: TableTtls): Promise<{ statements: string[]; lines: readonly string[] }> {
    const statements: string[] = [];
    const { log, lines } = watched();
    const clickhouse = {
      query: started.clickhouse.query.bind(started.clickhouse),
      command: async (sql: string): Promise<void> => {
        statements.push(sql);
        await command(sql);
      },
    };
    await applyTtls(clickhouse, ttls, aloneDialect, log);
    return { statements, lines: lines() };
  }

  /** Days before now that the rows of each table are from. */
  async function ages(): Promise<Record<string, number[]>> {
    const columns = { otel_traces: 'Timestamp', agent_runs: 'ClosedTime', incidents: 'DetectedTime' };
    const found: Record<string, number[]> = {};
    for (const [table, column] of [...Object.entries(columns), ['rollbacks', 'Timestamp']]) {
      await command(`OPTIMIZE TABLE ${table} FINAL`);
      const rows = await query<{ days: number }>(
        `SELECT dateDiff('day', ${column}, now64(3)) AS days FROM ${table} ORDER BY days`,
      );
      found[table!] = rows.map(({ days }) => days);
    }
    return found;
  }

  async function insertDays(...days: number[]): Promise<void> {
    const from = `FROM (SELECT arrayJoin([${days.join()}]) AS d, now64(3) - toIntervalDay(d) - toIntervalMinute(1) AS t)`;
    await command(`INSERT INTO otel_traces (Timestamp, TraceId) SELECT t, toString(d) ${from}`);
    await command(`INSERT INTO agent_runs (RunId, ClosedTime) SELECT toString(d), t ${from}`);
    await command(`INSERT INTO incidents (IncidentId, DetectedTime) SELECT toString(d), t ${from}`);
    await command(`INSERT INTO rollbacks (Seq, Timestamp) SELECT d, t ${from}`);
  }

  test('every table keeps all rows unless the configuration says how long', async () => {
    await insertDays(0, 400, 4000);
    const { statements, lines } = await apply({});
    expect({ statements, lines }).toEqual({ statements: [], lines: [] });
    for (const days of Object.values(await ages())) expect(days).toEqual([0, 400, 4000]);
  });

  test('rows older than a table keeps them are gone, each table by its own', async () => {
    await insertDays(0, 5, 20, 100);
    await apply({
      otel_traces: 10 * dayMs,
      agent_runs: 30 * dayMs,
      incidents: 3650 * dayMs,
      rollbacks: dayMs,
    });
    expect(await ages()).toEqual({
      otel_traces: [0, 5],
      agent_runs: [0, 5, 20],
      incidents: [0, 5, 20, 100],
      rollbacks: [0],
    });
    await command('OPTIMIZE TABLE otel_traces_trace_id_ts FINAL');
    const traces = await query<{ TraceId: string }>(
      'SELECT DISTINCT TraceId FROM otel_traces_trace_id_ts ORDER BY TraceId',
    );
    expect(traces.map(({ TraceId }) => TraceId)).not.toContain('100');
    expect(traces.map(({ TraceId }) => TraceId)).toEqual(expect.arrayContaining(['0', '5']));
  });

  test('a configuration that says the same again alters nothing, and says what is kept', async () => {
    const ttls = { otel_traces: 90 * dayMs, agent_runs: 1.5 * dayMs };
    expect((await apply(ttls)).statements).toHaveLength(3);
    expect(await apply(ttls)).toEqual({
      statements: [],
      lines: [
        'info rows are kept for a limited time {"table":"otel_traces","kept":"90d"}',
        'info rows are kept for a limited time {"table":"otel_traces_trace_id_ts","kept":"90d"}',
        'info rows are kept for a limited time {"table":"agent_runs","kept":"1.5d"}',
      ],
    });
  });

  test('a shorter time is warned of, with the one before; a longer one and the way back to for ever keep rows again', async () => {
    expect((await apply({ rollbacks: 90 * dayMs })).lines).toEqual([
      'warn rows are kept shorter: older ones go now {"table":"rollbacks","kept":"90d","before":"for ever"}',
    ]);
    expect((await apply({ rollbacks: 30 * dayMs })).lines).toEqual([
      'warn rows are kept shorter: older ones go now {"table":"rollbacks","kept":"30d","before":"90d"}',
    ]);
    await insertDays(0, 40);
    expect((await ages())['rollbacks']).toEqual([0]);
    expect((await apply({ rollbacks: 60 * dayMs })).lines).toEqual([
      'info rows are kept longer {"table":"rollbacks","kept":"60d","before":"30d"}',
    ]);
    await insertDays(40, 80);
    expect((await ages())['rollbacks']).toEqual([0, 40]);
    expect((await apply({})).lines).toEqual([
      'info rows are kept longer {"table":"rollbacks","kept":"for ever","before":"60d"}',
    ]);
    await insertDays(80);
    expect((await ages())['rollbacks']).toEqual([0, 40, 80]);
  });

  test('a row of a time that no DateTime holds is not taken for an old one', async () => {
    await apply({ otel_traces: 3650 * dayMs });
    const years = ['2100', '2105', '2150', '2200', '2261'];
    await command(
      `INSERT INTO otel_traces (Timestamp) VALUES ${years.map((year) => `('${year}-03-01 00:00:00')`).join()}`,
    );
    await command('OPTIMIZE TABLE otel_traces FINAL');
    const left = await query<{ year: string }>(
      'SELECT toString(toYear(Timestamp)) AS year FROM otel_traces ORDER BY Timestamp',
    );
    expect(left.map(({ year }) => year)).toEqual(years);
  });

  test('a TTL that somebody else wrote stays, is told of, and is in the way of one of the configuration', async () => {
    await command('ALTER TABLE otel_traces MODIFY TTL toDateTime(Timestamp) + INTERVAL 90 DAY');
    expect(await apply({ rollbacks: 400 * dayMs })).toEqual({
      statements: [expect.stringContaining('ALTER TABLE rollbacks')],
      lines: [
        'info rows are kept for a limited time {"table":"otel_traces","kept":"toDateTime(Timestamp) + toIntervalDay(90)"}',
        expect.stringContaining('rollbacks'),
      ],
    });
    const fault =
      'otel_traces has a TTL that the configuration did not give it, toDateTime(Timestamp) + toIntervalDay(90): ALTER TABLE otel_traces REMOVE TTL, or remove otel_traces from the ttl of the exporter';
    expect(await ttlFaults(started.clickhouse, {})).toEqual([]);
    const ttls = { otel_traces: 90 * dayMs, rollbacks: 30 * dayMs };
    expect(await ttlFaults(started.clickhouse, ttls)).toEqual([fault]);
    await expect(apply(ttls)).rejects.toThrow(fault);
    expect((await apply({ rollbacks: 400 * dayMs })).statements).toEqual([]); // nothing was changed
    await command('ALTER TABLE otel_traces REMOVE TTL');
    expect((await apply(ttls)).statements).toHaveLength(3);
  });

  test('several processes that begin with the same change do no harm', async () => {
    for (const ttls of [{ agent_runs: 30 * dayMs }, { agent_runs: 60 * dayMs }, {}]) {
      await Promise.all([1, 2, 3, 4].map(async () => apply(ttls)));
      expect((await apply(ttls)).statements).toEqual([]);
    }
  });

  test('what a cluster is told is told all its replicas', async () => {
    const statements: string[] = [];
    await applyTtls(
      {
        query: started.clickhouse.query.bind(started.clickhouse),
        command: async (sql) => void statements.push(sql),
      },
      { otel_traces: dayMs },
      clusterDialect('main'),
      silentLog,
    );
    expect(statements).toHaveLength(2);
    for (const sql of statements) {
      const [row] = await started.clickhouse.query<{ f: string }>(
        'SELECT formatQuerySingleLine({sql:String}) AS f',
        { sql },
      );
      expect(row?.f).toMatch(/^ALTER TABLE otel_traces\w* ON CLUSTER main (?:\()?MODIFY TTL /);
    }
  });

  test('the tables of a store are told at its start; those of who only uses them stay as they are', async () => {
    const { clickhouse } = started;
    const begin = async (ttls?: TableTtls): Promise<void> =>
      new Tables({
        clickhouse,
        cluster: undefined,
        isServer: false,
        ...(ttls && { ttls }),
        log: silentLog,
      }).start();
    await begin({ agent_runs: 30 * dayMs });
    await begin();
    expect((await apply({ agent_runs: 30 * dayMs })).statements).toEqual([]);
    await begin({});
    expect((await apply({})).statements).toEqual([]);
    expect((await apply({ agent_runs: 30 * dayMs })).statements).toHaveLength(1);
  });
});
