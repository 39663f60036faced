// What the tables cost ClickHouse: CPU of the engine per span, merges included, and bytes per span on disk, of our
// otel_traces beside that of the Collector's ClickHouse exporter, both with their view by trace id. The same rows, as
// Native blocks, each round in a process and a directory of its own. `node bench/schema.ts [rounds] [blocks] [variant…]`; `all` takes every variant. Merges begin at
// about 20 blocks.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../src/core/log.ts';
import { openEmbeddedClickHouse } from '../src/store/clickhouse-embedded.ts';
import type { ClickHouse } from '../src/store/clickhouse.ts';
import { aloneDialect, readMigrations, statementsOf, type Dialect } from '../src/store/migrations.ts';
import { traceColumns } from '../src/store/trace-columns.ts';
import { until } from '../test/until.ts';

const rowsPerBlock = 51_200;

/** The exporter's tables with a server that has no text index, as of November 2026 (traces_table.sql). */
const exporterTables = [
  `CREATE TABLE otel_traces (
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), TraceId String CODEC(ZSTD(1)), SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)), TraceState String CODEC(ZSTD(1)), SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)), ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)), ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)), SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(T64, ZSTD(1)), StatusCode LowCardinality(String) CODEC(ZSTD(1)), StatusMessage String CODEC(ZSTD(1)),
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1,
    INDEX idx_lower_span_name lower(SpanName) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8
  ) ENGINE = MergeTree PARTITION BY toDate(Timestamp)
  PRIMARY KEY (ServiceName, SpanName, toDateTime(Timestamp)) ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)
  SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1`,
  `CREATE TABLE otel_traces_trace_id_ts (
    TraceId String CODEC(ZSTD(1)), Start SimpleAggregateFunction(min, DateTime) CODEC(ZSTD(1)),
    End SimpleAggregateFunction(max, DateTime) CODEC(ZSTD(1))
  ) ENGINE = AggregatingMergeTree PARTITION BY toStartOfWeek(Start) ORDER BY TraceId
  SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1`,
  `CREATE MATERIALIZED VIEW otel_traces_trace_id_ts_mv TO otel_traces_trace_id_ts AS
  SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM otel_traces WHERE TraceId != '' GROUP BY TraceId`,
];

async function ourTables(
  change: (sql: string) => string,
  dialect: Dialect = aloneDialect,
): Promise<readonly string[]> {
  return (await readMigrations()).flatMap((migration) => statementsOf(migration, dialect)).map(change);
}

const same = (sql: string): string => sql;
const ordered =
  (key: string) =>
  (sql: string): string =>
    sql.replace('ORDER BY (ServiceName, Timestamp)', `ORDER BY (${key})`);

/** What is compared: the tables, and whether their inserts carry the columns that are ours. */
const variants: Record<
  string,
  { readonly isOurs: boolean; readonly tables: () => Promise<readonly string[]> }
> = {
  exporter: { isOurs: false, tables: () => Promise.resolve(exporterTables) },
  ours: { isOurs: true, tables: () => ourTables(same) },
  'ours, no fsync': {
    isOurs: true,
    tables: () => ourTables(same, { ...aloneDialect, durability: 'old_parts_lifetime = 480' }),
  },
  'ours, 0 for unknown': {
    isOurs: true,
    tables: () => ourTables((sql) => sql.replaceAll(/Nullable\((UInt64|Decimal\(18, 9\))\)/g, '$1')),
  },
  'ours, merged parts compact': {
    isOurs: true,
    tables: () =>
      ourTables((sql) =>
        sql.replace('min_bytes_for_wide_part = 134217728', 'min_bytes_for_wide_part = 1073741824'),
      ),
  },
  'ours, order of the exporter': {
    isOurs: true,
    tables: () => ourTables(ordered('ServiceName, SpanName, toDateTime(Timestamp), Timestamp')),
  },
  'ours, order by agent and step': {
    isOurs: true,
    tables: () => ourTables(ordered('AgentName, Step, Timestamp')),
  },
  'ours, projection by agent and step': {
    isOurs: true,
    tables: () =>
      ourTables((sql) =>
        sql.replace(
          /(\n\s*)INDEX idx_stream_offset/,
          '$1PROJECTION by_agent (SELECT AgentName, Step, Timestamp, ToolName, Result, Duration, CostUsd, Release, Environment ORDER BY AgentName, Step, Timestamp),$1INDEX idx_stream_offset',
        ),
      ),
  },
};

/** An SQL expression for `words` words that differ from row to row. */
const text = (words: number, salt: number): string =>
  `arrayStringConcat(arrayMap(i -> hex(cityHash64(n, i, ${salt}) % 4096), range(${words})), ' ')`;

/** Rows of agents at work: 12 spans a run, ids, times and texts that do not repeat, about 800 bytes a span on the wire. */
function generate(block: number): string {
  return `
  WITH number + ${block * rowsPerBlock} AS n, intDiv(n, 12) AS run, n % 12 AS at,
    multiIf(at = 0, 'agent', at % 2 = 1, 'llm', 'tool') AS step,
    ['refunds', 'search', 'triage', 'billing', 'planner'][run % 5 + 1] AS agent,
    concat('tool_', toString(cityHash64(n) % 12)) AS tool,
    lower(hex(sipHash128(run))) AS trace
  SELECT
    toDateTime64('2026-03-01 00:00:00', 9, 'UTC') + toIntervalNanosecond(run * 1200000000 + at * 90000000 + cityHash64(n) % 1000000) AS Timestamp,
    trace AS TraceId, lower(hex(sipHash64(n))) AS SpanId, if(at = 0, '', lower(hex(sipHash64(n - at)))) AS ParentSpanId, '' AS TraceState,
    multiIf(step = 'agent', concat('invoke_agent ', agent), step = 'llm', 'chat gpt-5', concat('execute_tool ', tool)) AS SpanName,
    if(step = 'llm', 'Client', 'Internal') AS SpanKind, concat(agent, '-service') AS ServiceName,
    map('service.name', concat(agent, '-service'), 'service.version', concat('1.', toString(intDiv(run, 3000))),
      'deployment.environment.name', 'production', 'telemetry.sdk.language', 'python', 'host.name', concat('pod-', toString(run % 40))) AS ResourceAttributes,
    'agents' AS ScopeName, '1.4.0' AS ScopeVersion,
    if(step = 'llm',
      map('gen_ai.operation.name', 'chat', 'gen_ai.provider.name', 'openai', 'gen_ai.request.model', 'gpt-5', 'gen_ai.response.id', hex(sipHash128(n)),
        'gen_ai.usage.input_tokens', toString(cityHash64(n, 1) % 9000), 'gen_ai.usage.output_tokens', toString(cityHash64(n, 2) % 900),
        'plimsoll.step', 'llm', 'plimsoll.cost.usd', toString(cityHash64(n, 3) % 100000 / 1e7), 'gen_ai.output.messages', ${text(40, 4)}),
      map('gen_ai.operation.name', if(step = 'tool', 'execute_tool', 'invoke_agent'), 'gen_ai.agent.name', agent, 'gen_ai.tool.name', tool,
        'gen_ai.tool.call.id', hex(sipHash128(n)), 'gen_ai.conversation.id', hex(sipHash64(intDiv(run, 4))), 'plimsoll.step', step,
        'gen_ai.tool.call.arguments', ${text(12, 5)}, 'gen_ai.tool.call.result', ${text(24, 6)})) AS SpanAttributes,
    cityHash64(n, 7) % 5000000000 AS Duration, if(n % 37 = 0, 'Error', 'Unset') AS StatusCode, if(n % 37 = 0, 'timeout', '') AS StatusMessage,
    if(n % 37 = 0, [Timestamp], []) AS \`Events.Timestamp\`, if(n % 37 = 0, ['exception'], []) AS \`Events.Name\`,
    if(n % 37 = 0, [map('exception.type', 'TimeoutError')], []) AS \`Events.Attributes\`,
    [] AS \`Links.TraceId\`, [] AS \`Links.SpanId\`, [] AS \`Links.TraceState\`, [] AS \`Links.Attributes\`,
    step AS Step, agent AS AgentName, if(step = 'tool', tool, '') AS ToolName, trace AS RunId, hex(sipHash64(intDiv(run, 4))) AS SessionId,
    concat('1.', toString(intDiv(run, 3000))) AS Release, 'production' AS Environment,
    multiIf(step != 'tool', '', n % 37 = 0, 'error', 'ok') AS Result, if(step = 'agent', 'completed', '') AS Outcome, 'none' AS Evidence,
    if(n % 37 = 0, 'TimeoutError', '') AS ErrorType, run % 50 = 0 AND at = 4 AS Escalated, if(Escalated, 'approval', '') AS EscalationReason,
    if(Escalated, 'requested', '') AS EscalationState, if(step = 'llm', 'openai', '') AS Provider, if(step = 'llm', 'gpt-5', '') AS Model,
    if(step = 'llm', cityHash64(n, 1) % 9000, NULL) AS InputTokens, if(step = 'llm', cityHash64(n, 2) % 900, NULL) AS OutputTokens,
    if(step = 'llm', cityHash64(n, 8) % 4000, NULL) AS CacheReadTokens, NULL AS CacheWriteTokens, NULL AS ReasoningTokens,
    if(step = 'llm', toDecimal64(cityHash64(n, 3) % 100000, 9) / 10000000, NULL) AS CostUsd, if(step = 'llm', 'computed', '') AS CostSource,
    'r1' AS PolicyRevision, '' AS Rule, 's1' AS StreamId, ${block} % 4 AS StreamPartition, intDiv(n, 60) AS StreamOffset, n % 60 AS StreamIndex
  FROM numbers(${rowsPerBlock}) ORDER BY cityHash64(intDiv(n, 60))`;
}

interface Cost {
  readonly microseconds: number;
  readonly bytes: number;
  readonly mergedBytes: number;
  readonly parts: number;
}

/** In a process of its own: writes the blocks as files that `fill` reads. */
async function writeBlocks(directory: string, folder: string, blocks: number): Promise<true> {
  const clickhouse = await start(directory);
  for (const statement of await ourTables(same)) await clickhouse.command(statement);
  const all = traceColumns.map(({ name, type }) => `CAST(\`${name}\`, '${type}') AS \`${name}\``);
  for (const isOurs of [true, false])
    for (let block = 0; block < blocks; block++) {
      // A NULL reads as 0 where a variant has no NULL: the block is written in the types of the table it is for.
      const columns = isOurs
        ? all
        : all.slice(
            0,
            traceColumns.findIndex(({ name }) => name === 'Step'),
          );
      await clickhouse.command(
        `SELECT ${columns.join(', ')} FROM (${generate(block)}) INTO OUTFILE '${join(folder, `${isOurs}-${block}`)}' FORMAT Native SETTINGS max_block_size = 65536, max_threads = 1`,
      );
    }
  await clickhouse.stop(AbortSignal.timeout(10_000));
  return true;
}

async function fill(directory: string, folder: string, variant: string): Promise<Cost> {
  const { isOurs, tables } = variants[variant] ?? { isOurs: true, tables: () => ourTables(same) };
  const clickhouse = await start(directory);
  for (const statement of await tables()) await clickhouse.command(statement);
  const columns = isOurs
    ? traceColumns
    : traceColumns.slice(
        0,
        traceColumns.findIndex(({ name }) => name === 'Step'),
      );
  const files = (await readdir(folder)).filter((file) => file.startsWith(`${isOurs}-`));
  const bodies = await Promise.all(files.map((file) => readFile(join(folder, file))));
  const before = process.cpuUsage();
  for (const [block, body] of bodies.entries())
    await clickhouse.insertBlock({
      table: 'otel_traces',
      columns,
      format: 'Native',
      settings: { insert_deduplication_token: `block ${block}`, input_format_null_as_default: 1 },
      deadlineMs: Infinity,
      body: [body],
    });
  await quiet(clickhouse);
  const { user, system } = process.cpuUsage(before);
  const written = await size(clickhouse);
  await clickhouse.command('OPTIMIZE TABLE otel_traces FINAL');
  const merged = await size(clickhouse);
  await clickhouse.stop(AbortSignal.timeout(10_000));
  return {
    microseconds: (user + system) / written.rows,
    bytes: written.bytes / written.rows,
    mergedBytes: merged.bytes / written.rows,
    parts: written.parts,
  };
}

/** Resolves when the engine has merged nothing for a while. */
async function quiet(clickhouse: ClickHouse): Promise<void> {
  let calmChecks = 0;
  await until(
    'merges are over',
    async () => {
      const merges = await clickhouse.query('SELECT 1 FROM system.merges');
      calmChecks = merges.length === 0 ? calmChecks + 1 : 0;
      return calmChecks > 200;
    },
    120_000,
  );
}

async function size(clickhouse: ClickHouse): Promise<{ rows: number; bytes: number; parts: number }> {
  const [row] = await clickhouse.query<{ rows: number; bytes: number; parts: number }>(
    `SELECT sumIf(rows, table = 'otel_traces') AS rows, sum(bytes_on_disk) AS bytes, countIf(table = 'otel_traces') AS parts
     FROM system.parts WHERE active AND table LIKE 'otel%'`,
  );
  return row ?? { rows: 0, bytes: 0, parts: 0 };
}

async function start(directory: string): Promise<ClickHouse> {
  const clickhouse = openEmbeddedClickHouse({ directory, log: createLog('warn') });
  await clickhouse.start();
  return clickhouse;
}

async function child<Result>(folder: string, task: string): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'plimsoll-bench-'));
  const worker = fork(import.meta.filename, ['child', directory, folder, task]);
  const [result]: Result[] = await once(worker, 'message');
  if (worker.exitCode === null) await once(worker, 'exit');
  await rm(directory, { recursive: true, force: true });
  if (result === undefined) throw new Error(`${task} gave no result`);
  return result;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function compare(rounds: number, blocks: number, names: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-bench-blocks-'));
  await child(folder, `write ${blocks}`);
  const costs = new Map(names.map((name): [string, Cost[]] => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [name, all] of costs) all.push(await child(folder, name));
  console.log(`${blocks} blocks of ${rowsPerBlock} spans, medians of ${rounds} rounds`);
  for (const [name, all] of costs) {
    const of = (key: keyof Cost): number => median(all.map((cost) => cost[key]));
    const each = all.map((cost) => cost.microseconds.toFixed(1)).join(' ');
    console.log(
      name.padEnd(34),
      `${of('microseconds').toFixed(2)} µs/span (${each}), ${of('bytes').toFixed(1)} B/span in ${of('parts')} parts, ${of('mergedBytes').toFixed(1)} in one a day`,
    );
  }
  await rm(folder, { recursive: true, force: true });
}

const [, , first = '5', second = '24', ...rest] = process.argv;
if (first === 'child') {
  const [folder = '', task = ''] = rest;
  const blocks = /^write (\d+)$/.exec(task)?.[1];
  process.send?.(
    blocks === undefined
      ? await fill(second, folder, task)
      : await writeBlocks(second, folder, Number(blocks)),
  );
} else {
  const names = rest.includes('all') ? Object.keys(variants) : rest;
  await compare(Number(first), Number(second), names.length === 0 ? ['exporter', 'ours'] : names);
}
