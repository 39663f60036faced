import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import {
  aloneDialect,
  clusterDialect,
  migrate,
  readMigrations,
  recordTable,
  statementsOf,
  type Migration,
} from '../../src/store/migrations.ts';
import { fields } from '../../src/semconv/fields.ts';
import { keyTableSpec } from '../../src/semconv/tables.ts';
import { traceColumns } from '../../src/store/trace-columns.ts';
import { silentLog } from './embedded.ts';
import { engines } from './engines.ts';

const first: Migration = {
  number: 1,
  name: 'first',
  text: 'CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = {engine:MergeTree} ORDER BY x;\n-- and one more;\nCREATE TABLE IF NOT EXISTS b (x UInt8) ENGINE = {engine:MergeTree} ORDER BY x;\n',
};
const second: Migration = {
  number: 2,
  name: 'second',
  text: 'ALTER TABLE a ADD COLUMN IF NOT EXISTS y UInt8;\n',
};

describe.each([
  { name: 'one ClickHouse', file: 'tables-alone.sql', dialect: aloneDialect },
  { name: 'the replicas of a cluster', file: 'tables-cluster.sql', dialect: clusterDialect("it's `main`") },
])('the tables of $name', ({ file, dialect }) => {
  test('are these', async () => {
    const migrations = await readMigrations();
    const statements = [recordTable(dialect), ...migrations.flatMap((each) => statementsOf(each, dialect))];
    await expect(`${statements.join(';\n\n')};\n`).toMatchFileSnapshot(`../golden/${file}`);
  });
});

describe.each(engines)('with ClickHouse $name', ({ start }) => {
  let clickhouse: ClickHouse;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    ({ clickhouse, remove } = await start());
  });
  afterAll(async () => {
    await remove();
  });
  beforeEach(async () => {
    const tables = await clickhouse.query<{ name: string }>('SHOW TABLES');
    for (const { name } of tables) await clickhouse.command(`DROP TABLE IF EXISTS \`${name}\` SYNC`);
  });

  const run = (migrations: readonly Migration[]): Promise<void> =>
    migrate(clickhouse, migrations, aloneDialect, silentLog);

  describe('migrating', () => {
    test('applies each migration once, in order, and says when', async () => {
      await run([first]);
      await run([first, second]);
      await run([first, second]);
      expect(
        await clickhouse.query(
          'SELECT Number, Name, AppliedAt > now() - 60 AS isRecent FROM plimsoll_migrations ORDER BY Number',
        ),
      ).toEqual([
        { Number: 1, Name: 'first', isRecent: 1 },
        { Number: 2, Name: 'second', isRecent: 1 },
      ]);
      expect(await clickhouse.query('DESCRIBE TABLE a')).toHaveLength(2);
    });

    test('does no harm when several processes begin at once', async () => {
      const migrations = await readMigrations();
      await Promise.all([1, 2, 3, 4].map(async () => run(migrations)));
      await run(migrations);
      expect(await clickhouse.query('SELECT Number FROM plimsoll_migrations FINAL')).toHaveLength(
        migrations.length,
      );
    });

    test('goes on where a migration was cut short', async () => {
      const broken = { ...first, text: first.text.replace('IF NOT EXISTS b', 'nonsense b') };
      await expect(run([broken])).rejects.toThrow(/^cannot apply migration 1 \(first\): Syntax error/);
      await run([first]);
      expect(await clickhouse.query('SELECT Number FROM plimsoll_migrations')).toEqual([{ Number: 1 }]);
    });

    test('stops when an applied migration has another text', async () => {
      await run([first]);
      await expect(run([{ ...first, text: `${first.text}\n` }])).rejects.toThrow(
        /^the tables have had migration 1 \(first\) with another text.*run the version that applied it/,
      );
    });

    test('stops when a newer program has been here', async () => {
      await run([first, second]);
      await expect(run([first])).rejects.toThrow(
        /migration 2 \(second\), which this program does not know: run the newer version/,
      );
    });
  });

  const insertSpans = (token?: string): Promise<void> =>
    clickhouse.command(`
    INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, ServiceName, SpanAttributes, Duration, Step, ToolName, Result, StreamOffset)
    ${token === undefined ? '' : `SETTINGS insert_deduplication_token = '${token}'`}
    SELECT toDateTime64('2026-03-01 00:00:00', 9, 'UTC') + number, 'trace', toString(number), 'execute_tool', 'shop',
      map('k', 'v'), 1500000000, if(number < 3, 'tool', 'llm'), 'search', 'ok', number FROM numbers(5)`);

  test('parses what makes the tables on a cluster, too', async () => {
    const dialect = clusterDialect('main');
    for (const migration of await readMigrations())
      for (const sql of [recordTable(dialect), ...statementsOf(migration, dialect)]) {
        const [row] = await clickhouse.query<{ f: string }>(
          'SELECT formatQuerySingleLine({sql:String}) AS f',
          { sql },
        );
        expect(row?.f).toContain('ON CLUSTER main');
      }
  });

  describe("the program's tables", () => {
    beforeEach(async () => {
      await run(await readMigrations());
    });

    test('are numbered without gaps, and nothing is left to fill in', async () => {
      const migrations = await readMigrations();
      expect(migrations.map(({ number }) => number)).toEqual(migrations.map((_, index) => index + 1));
      for (const dialect of [aloneDialect, clusterDialect('main')])
        for (const migration of migrations)
          expect(statementsOf(migration, dialect).join()).not.toMatch(
            /\{(?:on_cluster|engine|deduplication|durability)/,
          );
    });

    test('have exactly the columns that rows are written for', async () => {
      const described = await clickhouse.query<{ name: string; type: string; default_type: string }>(
        'DESCRIBE TABLE otel_traces',
      );
      const columns = described
        .filter((column) => column.default_type === '')
        .map(({ name, type }) => ({ name, type }));
      expect(columns).toEqual(traceColumns.map(({ name, type }) => ({ name, type })));
    });

    test('remember the tokens of inserts, and ask the disk to keep rows, wherever rows arrive', async () => {
      const tables = await clickhouse.query<{ name: string; engine_full: string }>(
        "SELECT name, engine_full FROM system.tables WHERE engine LIKE '%MergeTree' AND name LIKE 'otel%' AND database = currentDatabase()",
      );
      expect(tables.map(({ name }) => name).toSorted()).toEqual(['otel_traces', 'otel_traces_trace_id_ts']);
      for (const { engine_full } of tables) {
        expect(engine_full).toContain('non_replicated_deduplication_window = 100000');
        for (const setting of aloneDialect.durability.split(', ')) expect(engine_full).toContain(setting);
      }
    });

    test('keep when each trace was, also after a repeated insert', async () => {
      await insertSpans('token');
      await insertSpans('token');
      await insertSpans();
      expect(
        await clickhouse.query(
          "SELECT toString(min(Start)) AS start, toString(max(End)) AS end FROM otel_traces_trace_id_ts WHERE TraceId = 'trace'",
        ),
      ).toEqual([{ start: '2026-03-01 00:00:00', end: '2026-03-01 00:00:04' }]);
      expect(await clickhouse.query('SELECT count() AS rows FROM otel_traces')).toEqual([{ rows: 10 }]);
    });

    test('count a tool call once although its span was sent twice', async () => {
      await insertSpans();
      await insertSpans();
      expect(
        await clickhouse.query(
          'SELECT count() AS calls, sum(DurationSeconds) AS seconds, any(ToolName) AS tool FROM tool_calls',
        ),
      ).toEqual([{ calls: 3, seconds: 4.5, tool: 'search' }]);
    });

    test('have one row of a tool call that a span and a log record of its trace tell of', async () => {
      const rows = [
        ['trace', 'span', "'gen_ai.tool.call.id', 'c1'"],
        ['trace', 'repeats', "'tool_use_id', 'c1', 'plimsoll.log', 'traced'"],
        ['trace', 'another call', "'tool_use_id', 'c2', 'plimsoll.log', 'traced'"],
        ['trace', 'no id', "'k', 'v'"],
        ['trace', 'no id either', "'plimsoll.log', 'traced'"],
        ['session', 'another trace', "'tool_use_id', 'c1', 'plimsoll.log', 'untraced'"],
      ];
      for (const [at, [trace, span, attributes]] of rows.entries())
        for (const step of ['tool', 'llm'])
          await clickhouse.command(`
            INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanAttributes, Step)
            VALUES ('2026-03-01 00:00:0${at}', '${trace}', '${step === 'tool' ? span : step}', map(${attributes}), '${step}')`);
      const spans = await clickhouse.query<{ SpanId: string }>(
        'SELECT SpanId FROM tool_calls ORDER BY Timestamp',
      );
      expect(spans.map(({ SpanId }) => SpanId)).toEqual(
        rows.map(([, span]) => span).filter((span) => span !== 'repeats'),
      );
    });

    test('know a call by every key that conventions have for its id, the best first', async () => {
      const sources = keyTableSpec.sources.filter(({ field }) => field === fields.toolCallId);
      expect(sources.length).toBeGreaterThan(5);
      const keys = sources.map(({ key }) => key);
      for (const at of keys.keys()) {
        const pairs = keys.slice(at).map((key) => `'${key}', '${key}'`);
        await clickhouse.command(`
          INSERT INTO otel_traces (Timestamp, SpanId, SpanAttributes, Step) VALUES (${at}, '${at}', map(${pairs.join()}), 'tool')`);
      }
      expect(await clickhouse.query('SELECT ToolCallId FROM tool_calls ORDER BY Timestamp')).toEqual(
        keys.map((ToolCallId) => ({ ToolCallId })),
      );
    });

    test("answer the queries of the Collector's Grafana dashboards", async () => {
      await insertSpans();
      const trace = await clickhouse.query(`
      WITH 'trace' AS trace_id,
        (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = trace_id) AS start,
        (SELECT max(End) + 1 FROM otel_traces_trace_id_ts WHERE TraceId = trace_id) AS end
      SELECT TraceId AS traceID, SpanId AS spanID, SpanName AS operationName, ParentSpanId AS parentSpanID, ServiceName AS serviceName,
        Duration / 1000000 AS duration, Timestamp AS startTime,
        arrayMap(key -> map('key', key, 'value', SpanAttributes[key]), mapKeys(SpanAttributes)) AS tags,
        arrayMap(key -> map('key', key, 'value', ResourceAttributes[key]), mapKeys(ResourceAttributes)) AS serviceTags
      FROM otel_traces WHERE traceID = trace_id AND startTime >= start AND startTime <= end LIMIT 1000`);
      expect(trace).toHaveLength(5);
      expect(
        await clickhouse.query(`
        SELECT toStartOfInterval(Timestamp, INTERVAL 60 second) AS time, SpanName, count() AS count FROM otel_traces
        WHERE ServiceName = 'shop' AND Duration > 10 AND SpanAttributes['k'] = 'v' AND has(SpanAttributeItems, 'k=v')
        GROUP BY SpanName, time ORDER BY time`),
      ).toMatchObject([{ SpanName: 'execute_tool', count: 5 }]);
    });
  });
});
