import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openEmbeddedClickHouse } from '../../src/store/clickhouse-embedded.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { until } from '../until.ts';
import { numbersInsert, silentLog, startClickHouse, temporaryDirectory } from './embedded.ts';

const range = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);

describe('an open embedded ClickHouse', () => {
  let clickhouse: ClickHouse;
  let directory: string;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    ({ clickhouse, directory, remove } = await startClickHouse());
  });
  afterAll(async () => {
    await remove();
  });

  test('leaves no file of an insert behind, whether it succeeded or failed', async () => {
    await clickhouse.command('CREATE TABLE t (value UInt64) ENGINE = MergeTree ORDER BY value');
    await clickhouse.insertBlock(numbersInsert('t', [3, 1, 2]));
    expect(await readdir(join(directory, 'inserts'))).toEqual([]);
    await expect(clickhouse.insertBlock(numbersInsert('nowhere', [1]))).rejects.toThrow('a table is missing');
    expect(await readdir(join(directory, 'inserts'))).toEqual([]);
  });

  test('is the only process that has its directory open', async () => {
    const { stdout, stderr } = child(directory, 'open');
    const [said, engineSaid] = await Promise.all([stdout.toArray(), stderr.toArray()]);
    expect(said.join('')).toMatch(
      /^cannot open .*: one process owns this folder, so stop the other one .*\n$/,
    );
    expect(engineSaid.join('')).toBe('');
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
): ChildProcessByStdio<null, Readable, Readable> {
  const program = `
    import { openEmbeddedClickHouse } from '${new URL('../../src/store/clickhouse-embedded.ts', import.meta.url).href}';
    import { numbersInsert, silentLog } from '${new URL('embedded.ts', import.meta.url).href}';
    const clickhouse = openEmbeddedClickHouse({ directory: ${JSON.stringify(directory)}, log: silentLog });
    await clickhouse.start().catch((error) => { console.log(error.message); process.exit(1); });
    if (${task === 'insert'}) {
      await clickhouse.command('CREATE TABLE t (value UInt64) ENGINE = MergeTree ORDER BY value');
      for (let block = 0; ; block++) {
        await clickhouse.insertBlock(numbersInsert('t', [block]));
        console.log(block);
      }
    }
    await clickhouse.stop(AbortSignal.timeout(1000));
  `;
  return spawn(process.execPath, [...flags, '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
