import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { insertFaults, serverFaults, tableFaults } from '../../src/store/clickhouse-check.ts';
import { faultOf } from '../../src/store/clickhouse-fault.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { ClickHouseServer } from '../clickhouse/server.ts';
import { silentLog } from './embedded.ts';
import { clientOf } from './engines.ts';

let servers: readonly ClickHouseServer[];
let clickhouse: ClickHouse;

beforeAll(async () => {
  servers = await Promise.all([ClickHouseServer.start(), ClickHouseServer.start()]);
  clickhouse = clientOf(servers[0]?.url ?? '');
  await clickhouse.start();
});
afterAll(async () => {
  await clickhouse.stop(AbortSignal.timeout(1000));
  for (const server of servers) await server.stop();
});
beforeEach(async () => {
  const tables = await clickhouse.query<{ name: string }>('SHOW TABLES');
  for (const { name } of tables) await clickhouse.command(`DROP TABLE IF EXISTS ${name} SYNC`);
});

function join(from: Socket, to: Socket): void {
  from.on('error', () => undefined).on('close', () => to.destroy());
  from.pipe(to);
}

test('a server that is as it should be, before and after its tables are made, has no fault', async () => {
  const migrations = await readMigrations();
  expect(await serverFaults(clickhouse, undefined, migrations)).toEqual([]);
  expect(await tableFaults(clickhouse, undefined)).toEqual([]);
  await migrate(clickhouse, migrations, aloneDialect, silentLog);
  expect(await serverFaults(clickhouse, undefined, migrations)).toEqual([]);
  expect(await tableFaults(clickhouse, undefined)).toEqual([]);
});

test('several servers behind one address are found', async () => {
  let turn = 0;
  const balancer = createServer((client) => {
    const url = new URL(servers[turn++ % servers.length]?.url ?? '');
    const server = connect(Number(url.port), url.hostname);
    join(client, server);
    join(server, client);
  });
  await once(balancer.listen(0, '127.0.0.1'), 'listening');
  const address = balancer.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const balanced = clientOf(`http://127.0.0.1:${port}`);
  await balanced.start();
  expect(await serverFaults(balanced, undefined, [])).toEqual([
    '2 servers answer at this url, and each would keep other rows: name one of them, or set cluster to have the tables replicated',
  ]);
  await balanced.stop(AbortSignal.timeout(1000));
  balancer.close();
});

test('settings of inserts that something between makes others of are named, all of them', async () => {
  const proxy = createServer((client) => {
    const url = new URL(servers[0]?.url ?? '');
    const server = connect(Number(url.port), url.hostname);
    const changing = new Transform({
      transform: (chunk: Buffer, _, done) => {
        const text = chunk.toString('latin1');
        const changed = text
          .replaceAll('`async_insert` = 0', '`async_insert` = 1')
          .replaceAll('`max_insert_threads` = 1', '`max_insert_threads` = 4');
        done(undefined, Buffer.from(changed, 'latin1'));
      },
    });
    join(server, client);
    client.on('error', () => undefined).on('close', () => server.destroy());
    client.pipe(changing).pipe(server);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const address = proxy.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const proxied = clientOf(`http://127.0.0.1:${port}`);
  await expect(proxied.start()).rejects.toThrow(
    'the settings they need: async_insert = 0 becomes 1, max_insert_threads = 1 becomes 4: remove what overrides that (a profile, a proxy)',
  );
  await proxied.stop(AbortSignal.timeout(1000));
  proxy.close();
});

test('inserts are tried without a row: what refuses them is told, and nothing of them stays', async () => {
  expect(await insertFaults(clickhouse)).toEqual([]);
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  await servers[0]?.fault('read-only');
  expect(await insertFaults(clickhouse)).toEqual(
    ['agent_runs', 'incidents', 'otel_traces', 'policies', 'rollbacks'].map((table) =>
      expect.stringMatching(
        `^inserts into ${table} fail: the table is read-only for now.*: correct what it names$`,
      ),
    ),
  );
  await servers[0]?.fault(undefined);
  expect(await insertFaults(clickhouse)).toEqual([]);
  expect(
    await clickhouse.query(
      "SELECT table FROM system.parts WHERE database = currentDatabase() AND table != 'plimsoll_migrations'",
    ),
  ).toEqual([]);
  await clickhouse.command(
    "INSERT INTO otel_traces (TraceId) SETTINGS insert_deduplication_token = 'plimsoll probe' VALUES ('1')",
  );
  expect(await clickhouse.query('SELECT TraceId FROM otel_traces')).toEqual([{ TraceId: '1' }]);
});

test('who may not insert into a table is told what to grant', async () => {
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  const refusal = faultOf(Object.assign(new Error('not enough'), { code: '497', type: 'ACCESS_DENIED' }));
  const refusing = {
    query: clickhouse.query.bind(clickhouse),
    nowMs: () => 0,
    insertBlock: () => Promise.reject(refusal),
  };
  expect(await insertFaults(refusing)).toContain(
    'inserts into otel_traces fail: this user lacks a right: grant it (ACCESS_DENIED 497: not enough): GRANT INSERT ON otel_traces to this user, and what else it names',
  );
});

test('a cluster that the server does not know is named', async () => {
  expect(await serverFaults(clickhouse, 'main', [])).toEqual([
    'ClickHouse knows no cluster main: it knows none, so configure one or remove cluster',
  ]);
});

test('a server too old for the tables is told by what it lacks', async () => {
  const text =
    'CREATE TABLE t (x UInt8) ENGINE = {engine:MergeTree} ORDER BY x\nSETTINGS {deduplication}, of_the_future = 1;\n';
  expect(await serverFaults(clickhouse, undefined, [{ number: 1, name: 't', text }])).toEqual([
    expect.stringMatching(/^ClickHouse [\d.]+ lacks the table settings of_the_future: use a newer one$/),
  ]);
});

test('tables that somebody changed are told by what to change back', async () => {
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  await clickhouse.command(
    'ALTER TABLE otel_traces DROP COLUMN Rule, MODIFY COLUMN ScopeName LowCardinality(String)',
  );
  await clickhouse.command(
    'ALTER TABLE otel_traces MODIFY SETTING non_replicated_deduplication_window = 100',
  );
  expect(await tableFaults(clickhouse, undefined)).toEqual([
    'the column ScopeName of otel_traces is LowCardinality(String): ALTER TABLE otel_traces MODIFY COLUMN `ScopeName` String',
    'otel_traces lacks the column Rule: ALTER TABLE otel_traces ADD COLUMN `Rule` LowCardinality(String)',
    'otel_traces remembers 100 inserts, so that a repeated one may land twice: ALTER TABLE otel_traces MODIFY SETTING non_replicated_deduplication_window = 100000',
  ]);
});

test('a table of runs that keeps them twice, or lacks a column, is told by what to change', async () => {
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  await clickhouse.command('ALTER TABLE agent_runs DROP COLUMN TaskType');
  expect(await tableFaults(clickhouse, undefined)).toEqual([
    'agent_runs lacks the column TaskType: ALTER TABLE agent_runs ADD COLUMN `TaskType` LowCardinality(String)',
  ]);
  await clickhouse.command('CREATE TABLE other AS agent_runs ENGINE = MergeTree ORDER BY RunId');
  await clickhouse.command('EXCHANGE TABLES other AND agent_runs');
  expect((await tableFaults(clickhouse, undefined)).at(-1)).toBe(
    'agent_runs is no ReplacingMergeTree(Version), so that what is replaced stays: move it to one',
  );
});

test('tables of one server where a cluster is configured are refused', async () => {
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  expect(await tableFaults(clickhouse, 'main')).toContain(
    'otel_traces is a MergeTree, which one server has to itself, and cluster is set: move it to a ReplicatedMergeTree, or remove cluster',
  );
});
