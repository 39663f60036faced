import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { clickHouseErrorCode } from '../../src/store/clickhouse-fault.ts';
import type { ServerOptions } from '../../src/store/clickhouse-server.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { ClickHouseServer, type ServerOptions as LoopbackOptions } from '../clickhouse/server.ts';
import { freePorts } from '../free-ports.ts';
import { until } from '../until.ts';
import { numbersInsert } from './embedded.ts';
import { clientOf } from './engines.ts';

const pem = (name: string): string => new URL(`../receiver/tls/${name}`, import.meta.url).pathname;
const range = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);

const stopping: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stopping.splice(0).toReversed()) await stop();
});

async function startServer(options: LoopbackOptions = {}): Promise<ClickHouseServer> {
  const server = await ClickHouseServer.start(options);
  stopping.push(async () => server.stop());
  return server;
}

function client(url: string, changes: Partial<ServerOptions> = {}): ClickHouse {
  const clickhouse = clientOf(url, changes);
  stopping.push(async () => clickhouse.stop(AbortSignal.timeout(10_000)));
  return clickhouse;
}

async function connect(url: string, changes: Partial<ServerOptions> = {}): Promise<ClickHouse> {
  const clickhouse = client(url, changes);
  await clickhouse.start();
  await clickhouse.command(
    'CREATE TABLE IF NOT EXISTS t (value UInt64) ENGINE = MergeTree ORDER BY value SETTINGS non_replicated_deduplication_window = 100',
  );
  return clickhouse;
}

async function rows(server: ClickHouseServer): Promise<number> {
  const [row] = await server.query<{ n: number }>('SELECT count() AS n FROM t');
  return row?.n ?? -1;
}

const failure = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (error instanceof Error ? error.message : ''),
  );

describe('an insert', () => {
  test.each(['zstd', 'gzip', 'none'] as const)('arrives whole, compression: %s', async (compression) => {
    const server = await startServer();
    const clickhouse = await connect(server.url, { compression });
    await clickhouse.insertBlock(numbersInsert('t', range(500_000)));
    const [sum] = await server.query('SELECT count() AS n, toUInt64(sum(value)) AS sum FROM t');
    expect(sum).toEqual({ n: 500_000, sum: 124_999_750_000 });
  });

  test('that comes after its deadline does not land', async () => {
    const server = await startServer();
    const clickhouse = await connect(server.url);
    const late = { ...numbersInsert('t', [1], 'token'), deadlineMs: clickhouse.nowMs() - 2000 };
    await expect(clickhouse.insertBlock(late)).rejects.toThrow('the insert came after its deadline');
    expect(await rows(server)).toBe(0);
  });

  test.each([
    ['within', 60_000, 1],
    ['after', 1000, 0],
  ])(
    'that the server held back, %s its deadline, lands so often though nobody waits any more',
    async (_, graceMs, landed) => {
      const server = await startServer();
      const clickhouse = await connect(server.url, { answerMs: 3000 });
      const deadlineMs = clickhouse.nowMs() + graceMs;
      await server.fault('late');
      const inserting = clickhouse.insertBlock({ ...numbersInsert('t', [1]), deadlineMs });
      await expect(inserting).rejects.toThrow('has not answered in time');
      if (landed === 0) await until('the deadline passes', () => clickhouse.nowMs() > deadlineMs + 1000);
      await server.fault(undefined);
      expect(await rows(server)).toBe(landed);
    },
  );

  test.each([3600, -3600])(
    'has its deadline by the clock of a server that is %i s ahead',
    async (skewSeconds) => {
      const server = await startServer({ skewSeconds });
      const clickhouse = await connect(server.url);
      expect(clickhouse.nowMs() - Date.now()).toBeGreaterThan(skewSeconds * 1000 - 5000);
      expect(clickhouse.nowMs() - Date.now()).toBeLessThanOrEqual(skewSeconds * 1000);
      await clickhouse.insertBlock({ ...numbersInsert('t', [1]), deadlineMs: clickhouse.nowMs() + 30_000 });
      const late = { ...numbersInsert('t', [2]), deadlineMs: clickhouse.nowMs() - 2000 };
      await expect(clickhouse.insertBlock(late)).rejects.toThrow('the insert came after its deadline');
      expect(await rows(server)).toBe(1);
    },
  );
});

test('an insert that nobody waits for any more ends at once, and may land', async () => {
  const server = await startServer();
  const clickhouse = await connect(server.url, { answerMs: 600_000 });
  await server.fault('late');
  const gone = new AbortController();
  const inserting = failure(clickhouse.insertBlock({ ...numbersInsert('t', [1]), signal: gone.signal }));
  await until('the server holds it', async () => (await server.held()) === 1);
  gone.abort();
  expect(await inserting).toBe('nobody waits for the insert any more');
  await server.fault(undefined);
  expect(await rows(server)).toBe(1);
});

describe('an insert is not taken for stored', () => {
  test.each([
    ['a page without a sign of ClickHouse', '<html>Welcome</html>', {}],
    ['nothing, without a sign of ClickHouse', '', {}],
    ['a page, through a proxy that keeps headers', '<html>Welcome</html>', { 'x-clickhouse-query-id': '1' }],
  ])('when 200 comes with %s', async (_, page, headers) => {
    const server = await startServer();
    const clickhouse = await connect(server.url);
    const { port } = new URL(server.url);
    await server.kill();
    const other = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(200, headers).end(page));
    });
    await once(other.listen(Number(port), '127.0.0.1'), 'listening');
    const error = await failure(clickhouse.insertBlock(numbersInsert('t', [1])));
    other.close();
    other.closeAllConnections();
    expect(error).toBe(
      `what answers at ${server.url} is not ClickHouse: it acknowledged an insert as ClickHouse does not`,
    );
  });
});

test('a question ends by itself, and with the connection', async () => {
  const clickhouse = await connect((await startServer()).url);
  const settings = ['max_execution_time', 'readonly', 'cancel_http_readonly_queries_on_client_close'];
  const values = settings.map((name) => `toUInt32(getSetting('${name}'))`);
  expect(await clickhouse.query(`SELECT [${values.join(', ')}] AS settings`)).toEqual([
    { settings: [60, 2, 1] },
  ]);
});

describe('what keeps a server from answering is said with the fix', () => {
  test('nobody listens', async () => {
    const [port = 0] = await freePorts(1);
    expect(await failure(client(`http://127.0.0.1:${port}`).start())).toBe(
      `ClickHouse at http://127.0.0.1:${port} cannot be reached (ECONNREFUSED): is it running, and is the url right?`,
    );
  });

  test('it does not answer', async () => {
    const server = await startServer();
    const clickhouse = await connect(server.url, { answerMs: 300 });
    server.freeze();
    expect(await failure(clickhouse.query('SELECT 1'))).toBe(
      `ClickHouse at ${server.url} has not answered in time`,
    );
    server.wake();
  });

  test('the connection breaks', async () => {
    const server = await startServer();
    const clickhouse = await connect(server.url);
    await server.fault('drop-answer');
    expect(await failure(clickhouse.insertBlock(numbersInsert('t', [1])))).toBe(
      `the connection to ClickHouse at ${server.url} broke (ECONNRESET)`,
    );
  });

  test('user, password and database', async () => {
    const user = { name: 'plimsoll', password: 'correct horse' };
    const server = await startServer({ users: [user] });
    const password = new Secret(user.password);
    await connect(server.url, { username: user.name, password });
    for (const wrong of [
      { username: 'somebody', password },
      { username: user.name, password: undefined },
    ])
      expect(await failure(client(server.url, wrong).start())).toMatch(
        /^ClickHouse does not accept the user: check username and password \(AUTHENTICATION_FAILED 516: /,
      );
    const elsewhere = client(server.url, { username: user.name, password, database: 'nowhere' });
    expect(await failure(elsewhere.start())).toMatch(
      /^the database does not exist: create it, or set another database \(UNKNOWN_DATABASE 81: /,
    );
  });

  test('TLS', async () => {
    const server = await startServer({ tls: { cert: pem('server.pem'), key: pem('server.key.pem') } });
    const tls = { caFile: pem('ca.pem'), certFile: undefined, keyFile: undefined };
    const clickhouse = await connect(server.url, { tls });
    await clickhouse.insertBlock(numbersInsert('t', range(100_000)));
    expect(await rows(server)).toBe(100_000);
    expect(await failure(client(server.url).start())).toMatch(
      /^TLS with ClickHouse at https:.* failed \(\w+\): set tls::ca_file to the authority of its certificate/,
    );
    expect(await failure(client(server.url.replace('https', 'http')).start())).toMatch(
      /broke|is not ClickHouse/,
    );
    const noFile = { caFile: '/nowhere/ca.pem', certFile: undefined, keyFile: undefined };
    expect(await failure(client(server.url, { tls: noFile }).start())).toMatch(
      /^cannot read \/nowhere\/ca.pem: correct tls::ca_file/,
    );
  });

  test('a server that speaks TLS only is not spoken to in plain text, nor the other way round', async () => {
    const server = await startServer();
    expect(await failure(client(server.url.replace('http', 'https')).start())).toMatch(
      /^TLS with ClickHouse/,
    );
  });

  test.each([
    ['no-space', 243, 'the disk of ClickHouse is full: free some space (NOT_ENOUGH_SPACE 243: '],
    [
      'read-only',
      242,
      'the table is read-only for now: a replica that has lost Keeper is (TABLE_IS_READ_ONLY 242: ',
    ],
    [
      'too-many-parts',
      252,
      'the table has too many parts, and gets time to merge them (TOO_MANY_PARTS 252: ',
    ],
    ['memory', 241, 'ClickHouse is out of memory (MEMORY_LIMIT_EXCEEDED 241: '],
    ['timeout', 159, 'ClickHouse ran into its own time limit (TIMEOUT_EXCEEDED 159: '],
    ['keeper', 999, 'Keeper does not answer ClickHouse (KEEPER_EXCEPTION 999: '],
  ] as const)('%s', async (fault, code, sentence) => {
    const server = await startServer();
    const clickhouse = await connect(server.url);
    await server.fault(fault);
    const error = await clickhouse.insertBlock(numbersInsert('t', [1])).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringContaining(sentence) });
    expect(clickHouseErrorCode(error)).toBe(code);
  });
});
