import { messageOf } from '../core/failure.ts';
import { clickHouseErrorCode } from './clickhouse-fault.ts';
import type { ClickHouse } from './clickhouse.ts';
import { aloneDialect, clusterDialect, type Migration, statementsOf } from './migrations.ts';
import { traceColumns } from './trace-columns.ts';
import type { Column } from '../otlp/row-columns.ts';
import { rowSettings, rowTables } from './row-tables.ts';

type Asked = Pick<ClickHouse, 'query'>;

/** So many connections at once find the servers behind one address. */
const connections = 10;
const fewestTokens = 10_000;
/** How long an insert without rows may take, by the clock of ClickHouse. */
const canaryMs = 60_000;
/** From such a difference on, somebody should know that the clocks of two machines differ. */
const noticeableSkewMs = 60_000;
/** The code of ClickHouse for it. */
const lacksRight = 497;

/** What keeps the tables from being made and used on this server, each as one sentence with the fix. Changes nothing. */
export async function serverFaults(
  clickhouse: Asked,
  cluster: string | undefined,
  migrations: readonly Migration[],
): Promise<readonly string[]> {
  const faults = [
    await missingSettings(clickhouse, cluster, migrations),
    cluster === undefined ? await severalServers(clickhouse) : await clusterFault(clickhouse, cluster),
  ];
  return faults.filter((fault) => fault !== undefined);
}

/** That the clocks of ClickHouse and of this machine differ, which nothing here depends on, as one sentence with the fix. */
export function clockFault(clickhouse: Pick<ClickHouse, 'nowMs'>): string | undefined {
  const skewMs = clickhouse.nowMs() - Date.now();
  if (Math.abs(skewMs) < noticeableSkewMs) return undefined;
  return `the clock of ClickHouse is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's: set both by NTP, or times in rows and in queries do not fit`;
}

/** How the tables differ from those that the migrations make, where they exist; each as one sentence with the fix. */
export async function tableFaults(
  clickhouse: Asked,
  cluster: string | undefined,
): Promise<readonly string[]> {
  const tables = await clickhouse.query<{ name: string; engine: string; engineFull: string }>(
    'SELECT name, engine, engine_full AS engineFull FROM system.tables WHERE database = currentDatabase() AND name IN {names:Array(String)} ORDER BY name',
    { names: ['otel_traces', 'otel_traces_trace_id_ts', ...rowTables.keys()] },
  );
  const faults = await Promise.all(
    tables.map(async ({ name, engine, engineFull }) => [
      ...(await columnFaults(clickhouse, name)),
      ...engineFaults(name, engine, cluster),
      ...(rowTables.has(name) ? versionFaults(name, engineFull) : tokenFaults(name, engineFull)),
    ]),
  );
  return faults.flat();
}

/**
 * Why this user cannot insert into the tables, where they exist, as the store does: each as one sentence with the fix. It
 * inserts no rows at all, with the columns, settings and token of a block, so that rights and settings are refused as they
 * would be, and nothing of it stays. What a repeated block would do, only rows could show.
 */
export async function insertFaults(
  clickhouse: Pick<ClickHouse, 'query' | 'insertBlock' | 'nowMs'>,
): Promise<readonly string[]> {
  const tables = await clickhouse.query<{ name: string }>(
    'SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN {names:Array(String)} ORDER BY name',
    { names: [...written.keys()] },
  );
  const faults: string[] = [];
  for (const { name } of tables) {
    const insert = clickhouse.insertBlock({
      table: name,
      columns: written.get(name) ?? [],
      format: rowTables.has(name) ? 'JSONEachRow' : 'Native',
      settings: rowTables.has(name) ? rowSettings : { insert_deduplication_token: 'plimsoll probe' },
      deadlineMs: clickhouse.nowMs() + canaryMs,
      body: [],
    });
    await insert.catch((error: unknown) => {
      const fix = clickHouseErrorCode(error) === lacksRight ? grantOf(name) : 'correct what it names';
      faults.push(`inserts into ${name} fail: ${messageOf(error)}: ${fix}`);
    });
  }
  return faults;
}

function grantOf(table: string): string {
  return `GRANT INSERT ON ${table} to this user, and what else it names`;
}

async function missingSettings(
  clickhouse: Asked,
  cluster: string | undefined,
  migrations: readonly Migration[],
): Promise<string | undefined> {
  const dialect = cluster === undefined ? aloneDialect : clusterDialect(cluster);
  const clauses = migrations
    .flatMap((migration) => statementsOf(migration, dialect))
    .map((statement) => /^SETTINGS (.*)/ms.exec(statement)?.[1] ?? '');
  const names = new Set(
    clauses.flatMap((clause) => [...clause.matchAll(/(\w+) =/g)].map(([, name = '']) => name)),
  );
  const known = await clickhouse.query<{ name: string }>('SELECT name FROM system.merge_tree_settings');
  const missing = names.difference(new Set(known.map(({ name }) => name)));
  if (missing.size === 0) return undefined;
  const [version] = await clickhouse.query<{ v: string }>('SELECT version() AS v');
  return `ClickHouse ${version?.v} lacks the table settings ${[...missing].join(', ')}: use a newer one`;
}

/** Tables that are not replicated live on one server, and a token that one server remembers another does not. */
async function severalServers(clickhouse: Asked): Promise<string | undefined> {
  const answers = await Promise.all(
    Array.from({ length: connections }, async () =>
      clickhouse.query<{ id: string }>('SELECT toString(serverUUID()) AS id'),
    ),
  );
  const servers = new Set(answers.flat().map(({ id }) => id));
  if (servers.size === 1) return undefined;
  return `${servers.size} servers answer at this url, and each would keep other rows: name one of them, or set cluster to have the tables replicated`;
}

async function clusterFault(clickhouse: Asked, cluster: string): Promise<string | undefined> {
  const known = await clickhouse.query<{ name: string; shards: number | string }>(
    'SELECT cluster AS name, uniqExact(shard_num) AS shards FROM system.clusters GROUP BY cluster ORDER BY cluster',
  );
  const found = known.find(({ name }) => name === cluster);
  if (found === undefined) {
    const names = known.map(({ name }) => name).join(', ');
    return `ClickHouse knows no cluster ${cluster}: ${names === '' ? 'it knows none, so configure one or remove cluster' : `set cluster to one of ${names}`}`;
  }
  if (Number(found.shards) === 1) return undefined;
  return `the cluster ${cluster} has ${found.shards} shards, and every row must be on one: name a cluster of replicas of one shard`;
}

/** The columns that inserts name. */
const written: ReadonlyMap<string, readonly Column[]> = new Map([
  ['otel_traces', traceColumns],
  ...[...rowTables].map(([table, { columns }]) => [table, columns] as const),
]);

async function columnFaults(clickhouse: Asked, table: string): Promise<readonly string[]> {
  const columns = written.get(table);
  if (columns === undefined) return [];
  const described = await clickhouse.query<{ name: string; type: string }>(`DESCRIBE TABLE ${table}`);
  const types = new Map(described.map(({ name, type }) => [name, type]));
  return columns.flatMap(({ name, type }) => {
    const found = types.get(name);
    if (found === type) return [];
    return found === undefined
      ? [`${table} lacks the column ${name}: ALTER TABLE ${table} ADD COLUMN \`${name}\` ${type}`]
      : [
          `the column ${name} of ${table} is ${found}: ALTER TABLE ${table} MODIFY COLUMN \`${name}\` ${type}`,
        ];
  });
}

function* versionFaults(table: string, engineFull: string): Generator<string> {
  if (!/ReplacingMergeTree\((?:[^)]*, )?Version\)/.test(engineFull))
    yield `${table} is no ReplacingMergeTree(Version), so that what is replaced stays: move it to one`;
}

function* engineFaults(table: string, engine: string, cluster: string | undefined): Generator<string> {
  // ClickHouse Cloud makes Shared engines of all.
  if (cluster !== undefined && !/^(?:Replicated|Shared)/.test(engine))
    yield `${table} is a ${engine}, which one server has to itself, and cluster is set: move it to a Replicated${engine}, or remove cluster`;
  if (cluster === undefined && engine.startsWith('Replicated'))
    yield `${table} is a ${engine} and no cluster is set: set cluster, or a replica that is behind has rows inserted twice`;
}

function* tokenFaults(table: string, engineFull: string): Generator<string> {
  const setting = /\bReplicated\w+MergeTree/.test(engineFull)
    ? 'replicated_deduplication_window'
    : 'non_replicated_deduplication_window';
  if (engineFull.startsWith('Shared')) return;
  const [, tokens = '0'] = new RegExp(`\\b${setting} = (\\d+)`).exec(engineFull) ?? [];
  if (Number(tokens) < fewestTokens)
    yield `${table} remembers ${tokens} inserts, so that a repeated one may land twice: ALTER TABLE ${table} MODIFY SETTING ${setting} = 100000`;
}
