import { createClient } from '@clickhouse/client';
import { array, assert, asyncProperty, constantFrom, oneof, pre, string } from 'fast-check';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { request, type OutgoingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { runSql } from '../../src/store/sql-client.ts';
import { tokensOf } from '../../src/store/sql-guard.ts';
import { SqlPort, sqlPortFault, type SqlPortOptions } from '../../src/store/sql-port.ts';
import { quoteIdentifier, quoteString } from '../../src/store/sql-text.ts';
import { runs } from '../property-runs.ts';
import { until } from '../until.ts';
import { numbersInsert, silentLog, startClickHouse } from './embedded.ts';

let clickhouse: ClickHouse;
let directory: string;
let remove: () => Promise<void>;
let port: SqlPort;
const more: SqlPort[] = [];

const startPort = async (options: Partial<SqlPortOptions> = {}): Promise<SqlPort> => {
  const started = new SqlPort({
    directory,
    host: '127.0.0.1',
    configPath: 'extensions::sql::endpoint',
    port: 0,
    token: undefined,
    hosts: [],
    concurrentQueries: 2,
    waitMs: 20_000,
    readMs: 60_000,
    limits: { memoryBytes: 1 << 28, timeMs: 20_000, resultRows: 100_000, resultBytes: 1 << 24, threads: 1 },
    log: silentLog,
    ...options,
  });
  more.push(started);
  await started.start();
  return started;
};

beforeAll(async () => {
  ({ clickhouse, directory, remove } = await startClickHouse());
  await clickhouse.command('CREATE TABLE t (value UInt64) ENGINE = MergeTree ORDER BY value');
  await clickhouse.insertBlock(numbersInsert('t', [1, 2, 3]));
  port = await startPort();
});
afterAll(async () => {
  for (const each of more) await each.stop(AbortSignal.timeout(5_000));
  await remove();
});

interface Answer {
  readonly status: number;
  readonly code: string | null;
  readonly text: string;
  readonly headers: Headers;
}
const ask = async (sql: string, parameters = '', at = port): Promise<Answer> => {
  const response = await fetch(`${at.url}/?${parameters}`, { method: 'POST', body: sql });
  const { status, headers } = response;
  return { status, headers, code: headers.get('x-clickhouse-exception-code'), text: await response.text() };
};
const refused = async (sql: string): Promise<string> => {
  const answer = await ask(sql);
  expect(answer.code).not.toBeNull();
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect((await ask('SELECT count() FROM t')).text).toBe('3\n');
  return answer.text;
};
const secret = (): string => join(directory, 'secret.csv');
const outfile = (): string => join(directory, 'stolen.csv');
const basic = (password: string): string => `Basic ${Buffer.from(`default:${password}`).toString('base64')}`;
/** Whether the engine runs a statement that contains `words`. */
const isRunning = async (words: string): Promise<boolean> => {
  const pattern = quoteString(`%${words}%`);
  const rows = await clickhouse.query(
    `SELECT 1 FROM system.processes WHERE query LIKE ${pattern} AND query NOT LIKE '%system.processes%'`,
  );
  return rows.length > 0;
};
/** With headers that fetch would not send. */
const askWith = (
  headers: OutgoingHttpHeaders,
  path = '/?query=SELECT+1',
  method = 'GET',
  at = port,
): Promise<{ status: number; text: string }> => {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  request(`${at.url}${path}`, { method, headers, agent: false }, (response) => {
    response
      .toArray()
      .then((chunks) => resolve({ status: response.statusCode ?? 0, text: chunks.join('') }), reject);
  })
    .on('error', reject)
    .end();
  return promise;
};

describe('the SQL port answers', () => {
  test('curl: a query as body, as URL, and both', async () => {
    expect((await ask('SELECT sum(value) FROM t')).text).toBe('6\n');
    expect(await (await fetch(`${port.url}/?query=SELECT+max(value)+FROM+t`)).text()).toBe('3\n');
    expect((await ask('FROM t', 'query=SELECT+min(value)')).text).toBe('1\n');
  });

  test('whether it is alive', async () => {
    expect(await (await fetch(`${port.url}/ping`)).text()).toBe('Ok.\n');
    expect(await (await fetch(port.url)).text()).toBe('Ok.\n');
  });

  test('in the format of the statement, else in the one that the request names', async () => {
    const json = await ask('SELECT 1 AS x FORMAT JSONEachRow', 'default_format=CSV');
    expect([json.text, json.headers.get('content-type')]).toEqual([
      '{"x":1}\n',
      'application/x-ndjson; charset=UTF-8',
    ]);
    const csv = await ask("SELECT 'a', 1", 'default_format=CSV');
    expect([csv.text, csv.headers.get('x-clickhouse-format')]).toEqual(['"a",1\n', 'CSV']);
    expect(await ask('SELECT 1', 'default_format=Nope')).toMatchObject({ status: 404, code: '73' });
  });

  test('without the colours of a terminal, unless the request says so', async () => {
    const query = "SELECT getSetting('output_format_pretty_color')";
    expect((await ask(query)).text).toBe('0\n');
    expect((await ask('SELECT 1 FORMAT Pretty', 'output_format_pretty_color=1')).text).toContain('\u001b[');
    const pretty = { url: port.url, token: undefined, query: 'SELECT 1', format: 'Pretty' };
    expect(await runSql(pretty)).not.toContain('\u001b[');
    expect(await runSql({ ...pretty, isColored: true })).toContain('\u001b[');
  });

  test.each([
    ['SHOW TABLES', 't\n'],
    ['EXISTS TABLE t', '1\n'],
    ['EXISTS TABLE system.one', '1\n'],
    ['DESCRIBE TABLE t', 'value\tUInt64\t\t\t\t\t\n'],
    ['SHOW CREATE TABLE t', 'CREATE TABLE default.t\\n('],
    ['EXPLAIN SYNTAX SELECT 1', 'SELECT 1\n'],
    ['WITH x AS (SELECT 2 AS y) SELECT y FROM x', '2\n'],
    ['(SELECT 1) UNION ALL (SELECT 1)', '1\n1\n'],
    ['SELECT 1 INTERSECT SELECT 1', '1\n'],
    ["SELECT 'a; DROP TABLE t' /* ; */ -- ;\n;", 'a; DROP TABLE t\n'],
    ['SELECT count() FROM numbers(10)', '10\n'],
    ["SELECT format('{}-{}', 'url', 'INTO OUTFILE')", 'url-INTO OUTFILE\n'],
    ['SELECT count() > 5 FROM system.tables', '1\n'],
  ])('%s', async (sql, answer) => {
    const { status, text } = await ask(sql);
    expect(text.slice(0, answer.length)).toBe(answer);
    expect(status).toBe(200);
  });

  test('ClickHouse’s own client: ping, typed parameters, settings, errors', async () => {
    const client = createClient({
      url: port.url,
      compression: { request: false, response: false },
      log: { level: 127 },
    });
    try {
      expect(await client.ping()).toEqual({ success: true });
      const text = "it's \\ a\ttab\nand {value:UInt8}";
      const result = await client.query({
        query:
          'SELECT {text:String} AS text, {list:Array(String)} AS list, max(value) + {n:UInt64} AS n FROM {table:Identifier}',
        query_params: { text, list: ['a', "b'"], n: 4, table: 't' },
        clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
        format: 'JSONEachRow',
      });
      expect(await result.json()).toEqual([{ text, list: ['a', "b'"], n: '7' }]);
      await expect(client.query({ query: 'SELECT nothing FROM t' })).rejects.toMatchObject({
        code: '47',
        type: 'UNKNOWN_IDENTIFIER',
      });
    } finally {
      await client.close();
    }
  });

  test('nobody with the parameters, settings or database of another query', async () => {
    expect(
      (await ask("SELECT {x:UInt8}, getSetting('extremes')", 'param_x=5&extremes=1&database=system')).text,
    ).toMatch(/^5\ttrue\n/);
    expect(await ask('SELECT {x:UInt8}')).toMatchObject({ status: 400, code: '456' });
    expect((await ask("SELECT currentDatabase(), getSetting('extremes')")).text).toBe('default\tfalse\n');
  });

  test('as ClickHouse does when a query is wrong', async () => {
    const answer = await ask('SELECT FROM WHERE');
    expect(answer).toMatchObject({ status: 400, code: '62' });
    expect(answer.text).toMatch(
      /^Code: 62\. DB::Exception: Syntax error: failed at position \d+ .*\(SYNTAX_ERROR\) \(version [\d.]+\)\n$/s,
    );
    expect(answer.text).not.toContain('formatQuery');
    expect(await ask('SELECT * FROM nowhere')).toMatchObject({ status: 404, code: '60' });
    expect(await ask('')).toMatchObject({ status: 400, code: '62' });
  });

  test('the command line, in one sentence when nothing listens', async () => {
    expect(
      await runSql({
        url: port.url,
        token: undefined,
        query: 'SELECT 1 AS x',
        format: 'PrettyCompactNoEscapes',
      }),
    ).toContain('┌─x─┐');
    const query = { token: undefined, query: 'SELECT 1', format: 'CSV' };
    await expect(runSql({ ...query, url: 'http://127.0.0.1:9' })).rejects.toThrow(
      /^nothing answers at http:\/\/127\.0\.0\.1:9: start the pipeline/,
    );
    await expect(runSql({ ...query, query: 'DROP TABLE t', url: port.url })).rejects.toThrow(
      /^this port only reads: .* \(READONLY\)$/,
    );
  });
});

describe('the SQL port refuses', () => {
  beforeAll(async () => {
    await writeFile(secret(), 'a,b\n1,2\n');
  });

  test.each([
    'INSERT INTO t VALUES (1)',
    'INSERT INTO t SELECT 1',
    'WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x',
    "INSERT INTO FUNCTION file('OUTFILE') SELECT 1",
    'EXPLAIN INSERT INTO t SELECT 1',
    'EXPLAIN AST INSERT INTO t SELECT 1',
    'EXPLAIN AST DROP TABLE t',
    'EXPLAIN SYNTAX CREATE TABLE u (a UInt8) ENGINE = Memory',
    'EXPLAIN INSERT INTO `t\n SelectWithUnionQuery` SELECT 1',
    'DROP TABLE t',
    'TRUNCATE TABLE t',
    'ALTER TABLE t DELETE WHERE 1',
    'OPTIMIZE TABLE t FINAL',
    'CREATE TABLE u (a UInt8) ENGINE = Memory',
    'CREATE TEMPORARY TABLE u (a UInt8)',
    "CREATE FUNCTION f AS x -> file('SECRET')",
    'SET max_threads = 8',
    'SET readonly = 0',
    'SET param_x = 1',
    'USE system',
    "KILL QUERY WHERE query_id != ''",
    'SYSTEM SHUTDOWN',
    'SYSTEM STOP MERGES',
    'CHECK TABLE t',
    "BACKUP TABLE t TO File('OUTFILE')",
    'GRANT ALL ON *.* TO default',
    'SELECT 1 PARALLEL WITH SELECT 2',
    'SHOW TABLES PARALLEL WITH DROP TABLE t',
    'EXPLAIN AST SELECT 1 PARALLEL WITH DROP TABLE t',
    'ATTACH DATABASE x ENGINE = Memory',
    'DELETE FROM t WHERE 1',
    'UNDROP TABLE t',
    'EXECUTE AS default SELECT 1',
  ])('to change anything: %s', async (sql) => {
    await refused(sql);
  });

  test.each([
    'SELECT 1; SELECT 2',
    'SELECT 1; DROP TABLE t',
    'SELECT 1 /* */ ; SET readonly = 0',
    ';SELECT 1',
    'SELECT 1 -- x\n; DROP TABLE t',
  ])('two statements: %s', async (sql) => {
    await refused(sql);
  });

  test.each([
    "SELECT * FROM file('SECRET')",
    "SELECT file('SECRET')",
    "SELECT FILE('SECRET')",
    "SELECT `file`('SECRET')",
    `SELECT "file" /* ( */ ('SECRET')`,
    "SELECT 1 IN file('SECRET')",
    "SELECT 1 WHERE 1 GLOBAL NOT IN file('SECRET')",
    "SELECT * FROM (SELECT * FROM (SELECT file('SECRET')))",
    "WITH x AS (SELECT file('SECRET')) SELECT * FROM x",
    "WITH file('SECRET') AS x SELECT x",
    "EXPLAIN SELECT file('SECRET')",
    "EXPLAIN SELECT * FROM file('SECRET')",
    "EXPLAIN TABLE OVERRIDE file('SECRET') COLUMNS (a UInt8)",
    "DESCRIBE TABLE file('SECRET')",
    "DESCRIBE (SELECT * FROM file('SECRET'))",
    "SHOW TABLES WHERE name IN (SELECT file('SECRET'))",
    "SHOW COLUMNS FROM t WHERE field = file('SECRET')",
    "SELECT * FROM view(SELECT * FROM file('SECRET'))",
    "SELECT * FROM values('a String', file('SECRET'))",
    "SELECT arrayMap(x -> file(x), ['SECRET'])",
    "SELECT * FROM t WHERE value = (SELECT length(file('SECRET')))",
    "SELECT 1 ORDER BY file('SECRET')",
    'SELECT * FROM `SECRET`',
    "SELECT * FROM 'SECRET'",
    'SELECT * FROM default.`SECRET`',
    'DESCRIBE TABLE `SECRET`',
    'EXISTS TABLE `SECRET`',
    'EXISTS TABLE default."SECRET"',
    'SHOW CREATE TABLE `SECRET`',
    "SELECT * FROM merge('default', '.*')",
    "SELECT * FROM url('http://127.0.0.1:9/x.csv')",
    "DESCRIBE TABLE url('http://127.0.0.1:9/x.csv')",
    "SELECT 1 IN url('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM s3('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM mysql('127.0.0.1:9', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:9', 'd', 't', 'u', 'p')",
    "SELECT * FROM mongodb('127.0.0.1:9', 'd', 't', 'u', 'p', 'a Int8')",
    "SELECT * FROM redis('127.0.0.1:9', 'k', 'k String')",
    "SELECT * FROM sqlite('SECRET', 't')",
    "SELECT * FROM executable('id', 'TSV', 'a String')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:9/x')",
    "SELECT * FROM azureBlobStorage('http://127.0.0.1:9', 'c', 'b')",
    "SELECT * FROM jdbc('x', 'y')",
    "SELECT * FROM odbc('x', 'y')",
    "SELECT * FROM input('a Int8')",
    "SELECT * FROM dictionary('x')",
    'SELECT * FROM loop(t)',
    "SELECT * FROM iceberg('http://127.0.0.1:9')",
    "SELECT * FROM deltaLakeLocal('SECRET')",
    "SELECT * FROM filesystem('/')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT dictGet('d', 'a', 1)",
    "SELECT catboostEvaluate('SECRET', 1)",
    "SELECT aiGenerate('x', 'y')",
  ])('to reach beyond the tables: %s', async (sql) => {
    const text = await refused(sql.replaceAll('SECRET', secret()));
    expect(text).not.toContain('1,2');
  });

  test.each([
    "SELECT 1 INTO OUTFILE 'OUTFILE'",
    "SELECT 1 into /* */ outfile 'OUTFILE' TRUNCATE",
    "SELECT 1 INTO\nOUTFILE 'OUTFILE' AND STDOUT FORMAT CSV",
    "(SELECT 1) UNION ALL (SELECT 2) INTO OUTFILE 'OUTFILE'",
    "WITH x AS (SELECT 1) SELECT * FROM x INTO OUTFILE 'OUTFILE'",
    "SHOW TABLES INTO OUTFILE 'OUTFILE'",
    "SHOW PROCESSLIST INTO OUTFILE 'OUTFILE'",
    "DESCRIBE TABLE t INTO OUTFILE 'OUTFILE'",
    "EXISTS TABLE t INTO OUTFILE 'OUTFILE'",
    "EXPLAIN SELECT 1 INTO OUTFILE 'OUTFILE'",
    "EXPLAIN AST SELECT 1 INTO OUTFILE 'OUTFILE'",
    "SHOW CREATE TABLE t INTO OUTFILE 'OUTFILE'",
  ])('to write a file: %s', async (sql) => {
    await refused(sql.replaceAll("OUTFILE 'OUTFILE", `OUTFILE '${outfile()}`));
    expect(existsSync(outfile())).toBe(false);
  });

  test.each([
    'SELECT 1 SETTINGS max_memory_usage = 0',
    'SELECT 1 SETTINGS readonly = 0',
    'SELECT 1 SETTINGS max_execution_time = 0',
    'SELECT * FROM (SELECT 1 SETTINGS max_threads = 64)',
    'SELECT 1 FORMAT JSON SETTINGS max_result_rows = 0',
    "SELECT 1 AS a FORMAT CapnProto SETTINGS output_format_schema = 'OUTFILE'",
  ])('to loosen a limit: %s', async (sql) => {
    await refused(sql.replaceAll('OUTFILE', outfile()));
    expect(existsSync(outfile())).toBe(false);
  });

  test.each([
    'max_memory_usage=0',
    'max_execution_time=0',
    'allow_introspection_functions=1',
    'output_format_schema=x',
    'log_comment=x',
    'compress=1',
    'param_a%3D1%3B+SET+x=1',
  ])('the setting in the URL: %s', async (parameter) => {
    expect(await ask('SELECT 1', parameter)).toMatchObject({ status: 403, code: '164' });
  });

  test('statements hidden in a database, a parameter, a format or a NUL', async () => {
    expect(
      await ask('SELECT 1', `database=${encodeURIComponent('system`; DROP TABLE default.t; --')}`),
    ).toMatchObject({ status: 404, code: '81' });
    expect(
      (await ask('SELECT {x:String}', `param_x=${encodeURIComponent("'; SET readonly = 0; --")}`)).text,
    ).toBe("\\'; SET readonly = 0; --\n");
    expect(await ask('SELECT 1', `default_format=${encodeURIComponent('CSV; DROP TABLE t')}`)).toMatchObject({
      status: 404,
    });
    expect(await ask('SELECT 1\0; DROP TABLE t')).toMatchObject({ status: 400, code: '62' });
    expect((await ask('SELECT count() FROM t')).text).toBe('3\n');
  });

  test('deep and large queries', async () => {
    expect(await ask(`SELECT ${'('.repeat(50_000)}1${')'.repeat(50_000)}`)).toMatchObject({
      status: 400,
      code: '306',
    });
    expect(await ask(`SELECT '${'x'.repeat(1 << 20)}'`)).toMatchObject({ status: 413, code: '307' });
    expect((await ask('SELECT 1')).text).toBe('1\n');
  });

  test.each(['http://evil.example', 'null', 'https://127.0.0.1', 'http://localhost:1'])(
    'a page of the origin %s',
    async (origin) => {
      expect(await askWith({ origin })).toMatchObject({ status: 403 });
      expect(await askWith({ origin }, '/', 'OPTIONS')).toMatchObject({ status: 403 });
    },
  );

  test('what a browser calls cross-site, and never answers with CORS headers', async () => {
    expect(await askWith({ 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
    expect(await askWith({ 'sec-fetch-site': 'same-site' })).toMatchObject({ status: 403 });
    const { headers } = await ask('SELECT 1', 'add_http_cors_header=1');
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test.each([
    'evil.example',
    'evil.example:8123',
    '127.0.0.1.evil.example',
    '[::1].evil.example',
    '10.0.0.1',
    'localhost@evil.example',
  ])('the Host %s, which was made to point here', async (host) => {
    expect(await askWith({ host })).toMatchObject({ status: 403 });
  });

  test('no Host that is its own or configured', async () => {
    const named = await startPort({ hosts: ['plimsoll.internal'] });
    for (const host of ['localhost:8123', '127.0.0.1', '[::1]:8123', 'Plimsoll.Internal:80'])
      expect(await askWith({ host }, '/?query=SELECT+1', 'GET', named)).toEqual({ status: 200, text: '1\n' });
  });

  test('whoever does not show the token', async () => {
    const guarded = await startPort({ token: 'open sesame' });
    const path = '/?query=SELECT+1';
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: basic('') },
      { 'x-clickhouse-key': 'open' },
    ])
      expect(await askWith(headers, path, 'GET', guarded)).toMatchObject({ status: 401 });
    for (const headers of [
      { authorization: 'Bearer open sesame' },
      { authorization: basic('open sesame') },
      { 'x-clickhouse-key': 'open sesame' },
    ])
      expect(await askWith(headers, path, 'GET', guarded)).toEqual({ status: 200, text: '1\n' });
    expect(await askWith({}, `${path}&password=open+sesame`, 'GET', guarded)).toEqual({
      status: 200,
      text: '1\n',
    });
    await expect(
      runSql({ url: guarded.url, token: 'wrong', query: 'SELECT 1', format: 'CSV' }),
    ).rejects.toThrow(/needs its token/);
  });

  test('a port that is taken, in one sentence', async () => {
    await expect(startPort({ port: Number(new URL(port.url).port) })).rejects.toThrow(
      /^extensions::sql::endpoint: 127\.0\.0\.1:\d+ is already in use: stop the other program/,
    );
  });

  test('to be reachable from other machines without a token', async () => {
    expect(sqlPortFault({ host: '0.0.0.0', token: undefined })).toMatch(/set a token, or bind 127\.0\.0\.1/);
    expect(sqlPortFault({ host: '::', token: '' })).toBeDefined();
    expect(sqlPortFault({ host: '0.0.0.0', token: 'x' })).toBeUndefined();
    expect(sqlPortFault({ host: 'localhost', token: undefined })).toBeUndefined();
    await expect(startPort({ host: '0.0.0.0' })).rejects.toThrow(/set a token/);
  });
});

describe('a query that takes too much', () => {
  const limits = {
    memoryBytes: 1 << 27,
    timeMs: 20_000,
    resultRows: 1_000,
    resultBytes: 1 << 20,
    threads: 1,
  };
  const endless = 'SELECT count() FROM numbers(1e18) WHERE NOT ignore(sipHash64(number))';

  test('of memory, rows, bytes or time ends with the code that says so', async () => {
    const narrow = await startPort({ limits: { ...limits, timeMs: 200 } });
    expect(
      await ask('SELECT length(groupArray(number)) FROM numbers(1e9)', '', await startPort({ limits })),
    ).toMatchObject({ code: '241' });
    expect(await ask('SELECT * FROM numbers(2000)', '', narrow)).toMatchObject({ code: '396' });
    expect(await ask("SELECT materialize(repeat('x', 10000)) FROM numbers(500)", '', narrow)).toMatchObject({
      code: '396',
    });
    expect(await ask(endless, '', narrow)).toMatchObject({ status: 408, code: '159' });
  });

  test('does not stop inserts', async () => {
    await clickhouse.command('CREATE TABLE flow (value UInt64) ENGINE = MergeTree ORDER BY value');
    const busy = await startPort({ limits: { ...limits, timeMs: 3_000 } });
    let running = 4;
    const hogs = [endless, 'SELECT sleepEachRow(1) FROM numbers(3)', endless, endless].map((sql) =>
      ask(sql, '', busy).finally(() => running--),
    );
    for (let block = 0; block < 20; block++) await clickhouse.insertBlock(numbersInsert('flow', [block]));
    expect(running).toBeGreaterThan(0);
    expect(await clickhouse.query('SELECT count() AS rows FROM flow')).toEqual([{ rows: 20 }]);
    await Promise.all(hogs);
  });

  test('is stopped in the engine when its client hangs up', async () => {
    const client = new AbortController();
    const query = fetch(port.url, {
      method: 'POST',
      body: `${endless} AND 'hang up' != ''`,
      signal: client.signal,
    }).catch(() => undefined);
    await until('the query runs', () => isRunning('hang up'));
    client.abort();
    await query;
    await until('the query is gone', async () => !(await isRunning('hang up')), 10_000);
  });

  test('waits for its turn, and is turned away when that takes too long', async () => {
    const single = await startPort({
      concurrentQueries: 1,
      waitMs: 50,
      limits: { ...limits, timeMs: 2_000 },
    });
    const first = ask(`${endless} AND 'first' != ''`, '', single);
    await until('the first runs', () => isRunning("'first'"));
    expect(await ask('SELECT 1', '', single)).toMatchObject({ status: 503, code: '202' });
    await first;
    expect((await ask('SELECT 1', '', single)).text).toBe('1\n');
  });

  test('is ended by the deadline when the pipeline stops', async () => {
    const stopping = await startPort();
    const { url } = stopping;
    const query = ask(`${endless} AND 'stopping' != ''`, '', stopping);
    await until('it runs', () => isRunning("'stopping'"));
    await stopping.stop(AbortSignal.timeout(10));
    expect(await query).toMatchObject({ code: '394' });
    await expect(fetch(url)).rejects.toThrow();
    await stopping.stop(AbortSignal.timeout(10));
  });
});

describe('an answer that is not read', () => {
  const large = "SELECT repeat('x', 1000) FROM numbers(15000)";
  const sizeBytes = 15_000 * 1001;
  const one = { concurrentQueries: 1, waitMs: 50 };

  /** A client that asks for a large answer and reads only its beginning. */
  const lazyClient = async (at: SqlPort): Promise<Socket> => {
    const { port: number, host } = new URL(at.url);
    const client = connect(Number(number), '127.0.0.1');
    client.on('error', () => undefined);
    client.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${large.length}\r\n\r\n${large}`);
    await once(client, 'readable');
    return client;
  };
  const readAll = async (client: Socket): Promise<number> => {
    let bytes = 0;
    for await (const chunk of client) {
      bytes += Buffer.from(chunk).byteLength;
      if (bytes > sizeBytes) break;
    }
    return bytes;
  };

  test('keeps its place in memory until it is read', async () => {
    const single = await startPort(one);
    const client = await lazyClient(single);
    expect(await ask('SELECT 1', '', single)).toMatchObject({ status: 503, code: '202' });
    expect(await readAll(client)).toBeGreaterThan(sizeBytes);
    await until('its place is free', async () => (await ask('SELECT 1', '', single)).text === '1\n');
  });

  test('is taken back from a client that takes too long', async () => {
    const hasty = await startPort({ ...one, readMs: 200 });
    const client = await lazyClient(hasty);
    await until('its place is free', async () => (await ask('SELECT 1', '', hasty)).text === '1\n');
    client.destroy();
  });

  test('is still read while the pipeline stops', async () => {
    const stopping = await startPort();
    const client = await lazyClient(stopping);
    const stopped = stopping.stop(AbortSignal.timeout(20_000));
    expect(await readAll(client)).toBeGreaterThan(sizeBytes);
    await stopped;
  });

  test('does not hold up the pipeline beyond the deadline, nor does a request that is never sent whole', async () => {
    const stopping = await startPort();
    const client = await lazyClient(stopping);
    const slow = connect(Number(new URL(stopping.url).port), '127.0.0.1');
    slow.on('error', () => undefined);
    slow.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nSELECT');
    await once(slow, 'connect');
    await stopping.stop(AbortSignal.timeout(100));
    expect(await readAll(client).catch(() => 0)).toBeLessThan(sizeBytes);
    slow.destroy();
  });
});

describe('the tokens of a statement', () => {
  const signs = constantFrom("'", '\\', '`', '"', ';', '(', '--', '/*', '$$', '\n', ' INTO OUTFILE ');
  const hostile = array(oneof(signs, string({ unit: 'binary', maxLength: 2 }), string({ maxLength: 2 }))).map(
    (parts) => parts.join(''),
  );

  test('are those of the engine, whatever text is quoted in it', async () => {
    await assert(
      asyncProperty(hostile, hostile, async (literal, identifier) => {
        pre(identifier !== '' && !`${literal}${identifier}`.includes('\0'));
        const sql = `SELECT ${quoteString(literal)} AS ${quoteIdentifier(`${identifier} `)} INTO OUTFILE 'x'`;
        const [row] = await clickhouse.query<{ sql: string }>(
          `SELECT formatQuerySingleLine(${quoteString(sql)}) AS sql`,
        );
        const tokens = tokensOf(row?.sql ?? '');
        expect(tokens).toHaveLength(7);
        expect(tokens.slice(4)).toEqual(['INTO', 'OUTFILE', "'x'"]);
      }),
      { numRuns: runs },
    );
  });
});
