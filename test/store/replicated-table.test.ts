import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { TracesTable } from '../../src/store/traces-table.ts';
import { silentLog, startClickHouse } from './embedded.ts';

const origin = { streamId: 's1', partition: 3 };
const stretch = { from: { offset: 0, index: 0 }, to: { offset: 9, index: 0 } };
const servers = ['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222'] as const;

/** Of which server each next statement gets an answer; the last of them answers all that follow. */
let answering: string[];
let asked: string[];
let clickhouse: ClickHouse;
let remove: () => Promise<void>;

/**
 * Several servers behind one address, as the engine answers for them: it has no Keeper and no identity, so tables stand in
 * for what ClickHouse says of its replicas.
 */
const replicas: Pick<ClickHouse, 'command' | 'query' | 'insertBlock' | 'nowMs'> = {
  command: async (sql) => clickhouse.command(standingIn(sql)),
  query: async (sql) => clickhouse.query(standingIn(sql)),
  insertBlock: async () => Promise.resolve(),
  nowMs: () => 0,
};

function standingIn(sql: string): string {
  asked.push(/system\.\w+/.exec(sql)?.[0] ?? 'rows');
  const server = (answering.length > 1 ? answering.shift() : answering[0]) ?? '';
  return sql
    .replace('system.replicas', 'stand_in_replicas')
    .replace('system.zookeeper', 'stand_in_zookeeper')
    .replaceAll('serverUUID()', `toUUID('${server}')`);
}

interface State {
  readonly pointer?: number;
  readonly highest?: number;
  readonly queued?: number;
  readonly readonly?: number;
  readonly expired?: number;
  /** How many entries Keeper has. */
  readonly entries?: number;
}

async function replicaIs({
  pointer = 7,
  highest = 6,
  queued = 0,
  readonly = 0,
  expired = 0,
  entries = 7,
}: State) {
  await clickhouse.command(
    `INSERT INTO stand_in_replicas SELECT currentDatabase(), 'otel_traces', '/tables/1', ${readonly}, ${expired}, ${queued}, ${highest}, ${pointer}`,
  );
  await clickhouse.command(
    `INSERT INTO stand_in_zookeeper SELECT concat('log-', toString(number)), '/tables/1/log' FROM numbers(${entries})`,
  );
}

beforeAll(async () => {
  ({ clickhouse, remove } = await startClickHouse());
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  await clickhouse.command(
    'CREATE TABLE stand_in_replicas (database String, table String, zookeeper_path String, is_readonly UInt8, is_session_expired UInt8, inserts_in_queue UInt32, log_max_index UInt64, log_pointer UInt64) ENGINE = Memory',
  );
  await clickhouse.command('CREATE TABLE stand_in_zookeeper (name String, path String) ENGINE = Memory');
});
afterAll(async () => remove());
beforeEach(async () => {
  answering = [servers[0]];
  asked = [];
  for (const table of ['replicas', 'zookeeper']) await clickhouse.command(`TRUNCATE TABLE stand_in_${table}`);
});

test("a table that is not replicated is the first server's alone: another has other rows", async () => {
  const alone = new TracesTable(replicas);
  answering = [servers[0], servers[0], servers[1], servers[0]];
  for (const _ of ['first', 'again']) await alone.held(origin, stretch);
  await expect(alone.held(origin, stretch)).rejects.toMatchObject({
    remedy: 'operator',
    message: `another server answers than at first, and it has other rows: let ${servers[0]} answer, or restart to use ${servers[1]}`,
  });
  await alone.held(origin, stretch);
});

const table = new TracesTable(replicas, { isReplicated: true });
const uses: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['asked for rows', async () => table.held(origin, stretch)],
  ['asked for the highest position', async () => table.highest(origin, stretch.from)],
  ['used to derive', async () => table.rederive(origin, stretch)],
];

describe.each(uses)('a replica is %s', (_, use) => {
  test.each<[string, State]>([
    ['it has read the whole log', { pointer: 6, highest: 5 }],
    ['it has read the only entry there is', { pointer: 1, highest: 0, entries: 1 }],
    ['nothing was ever inserted anywhere', { pointer: 0, highest: 0, entries: 0 }],
  ])('when %s', async (__, state) => {
    await replicaIs(state);
    await use();
    expect(asked.at(-1)).toBe('rows');
  });

  test.each<[string, State]>([
    ['it has not read the last entry', { pointer: 5, highest: 5 }],
    ['it is behind', { pointer: 5, highest: 6 }],
    ['it has not read the first entry', { pointer: 0, highest: 0, entries: 1 }],
    ['it is yet to fetch what it has read', { queued: 1 }],
    ['it has lost Keeper', { readonly: 1 }],
    ['its session has expired', { expired: 1 }],
    ['it has lost Keeper before the first insert', { pointer: 0, highest: 0, entries: 0, readonly: 1 }],
  ])('not when %s: rows it does not have yet would be inserted again', async (__, state) => {
    await replicaIs(state);
    await expect(use()).rejects.toThrow('is behind the others');
    expect(asked).not.toContain('rows');
  });

  test('not when another one answers than was found to have everything', async () => {
    await replicaIs({});
    answering = [...servers];
    await expect(use()).rejects.toThrow(/two replicas of otel_traces answered|another replica answers/);
  });

  test('not where the table is not replicated', async () => {
    await expect(use()).rejects.toThrow(
      'otel_traces is not a replicated table although a cluster is configured: make it one, or remove cluster',
    );
  });
});
