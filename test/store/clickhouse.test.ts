import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  clickHouseErrorCode,
  insertStatement,
  openEmbeddedClickHouse,
  type ClickHouse,
} from '../../src/store/clickhouse.ts';
import { until } from '../until.ts';
import { numbersBlock, silentLog, startClickHouse, temporaryDirectory } from './embedded.ts';

const range = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);

describe('an open ClickHouse', () => {
  let clickhouse: ClickHouse;
  let directory: string;
  let remove: () => Promise<void>;
  let tables = 0;

  beforeAll(async () => {
    ({ clickhouse, directory, remove } = await startClickHouse());
  });
  afterAll(async () => {
    await remove();
  });

  const createTable = async (): Promise<string> => {
    const table = `numbers_${tables++}`;
    await clickhouse.command(
      `CREATE TABLE ${table} (value UInt64, other String DEFAULT 'x') ENGINE = MergeTree ORDER BY value SETTINGS non_replicated_deduplication_window = 100`,
    );
    return table;
  };
  const insert = (table: string, values: readonly number[], token?: string): Promise<void> =>
    clickhouse.insertBlock({
      table,
      columns: ['value'],
      settings: token === undefined ? {} : { insert_deduplication_token: token },
      body: numbersBlock('value', values),
    });
  const count = async (table: string): Promise<number> => {
    const [row] = await clickhouse.query<{ rows: number }>(`SELECT count() AS rows FROM ${table}`);
    return row?.rows ?? -1;
  };

  test('stores a block that comes in several pieces, and fills the columns it does not have', async () => {
    const table = await createTable();
    await insert(table, [3, 1, 2]);
    expect(await clickhouse.query(`SELECT * FROM ${table} ORDER BY value`)).toEqual([
      { value: 1, other: 'x' },
      { value: 2, other: 'x' },
      { value: 3, other: 'x' },
    ]);
    expect(await readdir(join(directory, 'inserts'))).toEqual([]);
  });

  test('takes a block once under one token, and the next block without a token always', async () => {
    const table = await createTable();
    await insert(table, [1, 2], 'a token');
    await insert(table, [1, 2], 'a token');
    expect(await count(table)).toBe(2);
    await insert(table, [1, 2]);
    await insert(table, [1, 2, 3]);
    expect(await count(table)).toBe(7);
  });

  test('knows a token whatever the number of rows that come under it', async () => {
    const table = await createTable();
    await insert(table, range(200_000), 'same');
    await insert(table, range(60_000), 'same');
    expect(await count(table)).toBe(200_000);
    expect(await clickhouse.query(`SELECT name FROM system.parts WHERE table = '${table}'`)).toHaveLength(1);
  });

  test('makes one chunk of an insert whatever the defaults of the engine and the caller ask', () => {
    const statement = insertStatement({
      table: 't',
      columns: ['a', 'b'],
      settings: { insert_deduplication_token: 'x', async_insert: 1, max_block_size: 10 },
    });
    expect(statement).toBe(
      "INSERT INTO `t` (`a`, `b`) SETTINGS `insert_deduplication_token` = 'x', `async_insert` = 0, `max_block_size` = 1048576, " +
        '`max_insert_block_size` = 1048576, `min_insert_block_size_rows` = 1048576, `min_insert_block_size_bytes` = 0, ' +
        '`max_insert_threads` = 1 FORMAT Native',
    );
  });

  test('keeps quotes in names and values apart from the statement', async () => {
    const odd = "it's `a` \\ table; DROP";
    const quoted = "`it's \\`a\\` \\\\ table; DROP`";
    await clickhouse.command(
      `CREATE TABLE ${quoted} (${quoted} UInt64) ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 100`,
    );
    const block = { table: odd, columns: [odd], body: numbersBlock(odd, [5]) };
    await clickhouse.insertBlock({ ...block, settings: { insert_deduplication_token: `${odd}'` } });
    await clickhouse.insertBlock({ ...block, settings: { insert_deduplication_token: `${odd}'` } });
    await clickhouse.insertBlock({ ...block, settings: { insert_deduplication_token: odd } });
    expect(await count(quoted)).toBe(2);
  });

  test('says by code why a statement failed, and leaves no file behind', async () => {
    const failure = await insert('nowhere', [1]).catch((error: unknown) => error);
    expect(clickHouseErrorCode(failure)).toBe(60);
    expect(await readdir(join(directory, 'inserts'))).toEqual([]);
    expect(clickHouseErrorCode(Object.assign(new Error('disk'), { code: 'ENOSPC' }))).toBeUndefined();
    expect(clickHouseErrorCode('Code: 60')).toBeUndefined();
  });

  test('takes values of placeholders as values', async () => {
    const text = "it's \\ a\ttab {x:String}";
    expect(
      await clickhouse.query('SELECT {text:String} AS text, {n:UInt16} + 1 AS n', { text, n: 6 }),
    ).toEqual([{ text, n: 7 }]);
  });

  test('inserts while a long query runs', async () => {
    const table = await createTable();
    let isRunning = true;
    const query = clickhouse.query('SELECT sleep(2)').finally(() => {
      isRunning = false;
    });
    await insert(table, [1]);
    expect(isRunning).toBe(true);
    await query;
  });

  test('is the only process that has its directory open', async () => {
    const { stdout } = child(directory, 'open');
    expect((await stdout.toArray()).join('')).toMatch(/one process owns this folder, so stop the other one/);
  });
});

describe('opening', () => {
  let directory: string;
  const stopping: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stopping.splice(0)) await stop();
    await rm(directory, { recursive: true, force: true });
  });
  const open = (path: string): ClickHouse => {
    const clickhouse = openEmbeddedClickHouse({ directory: path, log: silentLog });
    stopping.push(() => clickhouse.stop(AbortSignal.timeout(10_000)));
    return clickhouse;
  };

  test('refuses a path that the engine would read as a pattern', async () => {
    directory = await temporaryDirectory();
    await expect(open(join(directory, 'data{1,2}')).start()).rejects.toThrow(
      /must not contain \* \? \{ or \}; set another data_dir/,
    );
  });

  test('says so when the path cannot be written', async () => {
    directory = await temporaryDirectory();
    await writeFile(join(directory, 'file'), '');
    await expect(open(join(directory, 'file')).start()).rejects.toThrow(
      /^cannot write to .*file: make it writable/,
    );
  });

  test('names the fix when the optional engine is not installed', async () => {
    directory = await temporaryDirectory();
    const { stdout } = child(directory, 'open', ['--import', withoutChdb]);
    expect((await stdout.toArray()).join('')).toMatch(/needs the optional package chdb.*npm install chdb/);
  });

  test('removes what an interrupted insert left', async () => {
    directory = await temporaryDirectory();
    await mkdir(join(directory, 'inserts'));
    await writeFile(join(directory, 'inserts', '1-1.native'), 'half a block');
    await open(directory).start();
    expect(await readdir(join(directory, 'inserts'))).toEqual([]);
  });

  test('finds every acknowledged row after kill -9', async () => {
    directory = await temporaryDirectory();
    const writer = child(directory, 'insert');
    let printed = '';
    writer.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await until('20 acknowledged blocks', () => printed.split('\n').length > 20);
    writer.kill('SIGKILL');
    await once(writer, 'close');
    const acknowledged = printed.trim().split('\n').length;

    const clickhouse = open(directory);
    await clickhouse.start();
    const rows = await clickhouse.query<{ block: number }>(
      'SELECT DISTINCT value AS block FROM t ORDER BY block',
    );
    expect(rows.length).toBeGreaterThanOrEqual(acknowledged);
    expect(rows.map(({ block }) => block)).toEqual(range(rows.length));
    expect(await readdir(join(directory, 'inserts'))).toEqual([]);
  });
});

const withoutChdb = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({ resolve: (name, context, next) => next(name.startsWith('chdb') ? 'no-such-package' : name, context) });
`)}`;

/** Another process that opens `directory`, and then inserts one block after the other if it is told to. */
function child(
  directory: string,
  task: 'open' | 'insert',
  flags: readonly string[] = [],
): ChildProcessByStdio<null, Readable, null> {
  const program = `
    import { openEmbeddedClickHouse } from '${new URL('../../src/store/clickhouse.ts', import.meta.url).href}';
    import { numbersBlock, silentLog } from '${new URL('embedded.ts', import.meta.url).href}';
    const clickhouse = openEmbeddedClickHouse({ directory: ${JSON.stringify(directory)}, log: silentLog });
    await clickhouse.start().catch((error) => { console.log(error.message); process.exit(1); });
    if (${task === 'insert'}) {
      await clickhouse.command('CREATE TABLE t (value UInt64) ENGINE = MergeTree ORDER BY value');
      for (let block = 0; ; block++) {
        await clickhouse.insertBlock({ table: 't', columns: ['value'], settings: {}, body: numbersBlock('value', [block]) });
        console.log(block);
      }
    }
    await clickhouse.stop(AbortSignal.timeout(1000));
  `;
  return spawn(process.execPath, [...flags, '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
