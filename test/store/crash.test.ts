import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requires } from '../requires.ts';

/** One block of 600 spans on three dates, and its view. */
const all = { rows: 600, positions: 600, dates: 3, traces: 600, appended: 600, dead: 0 };
const parts = [1, 2, 3, 4, 5, 6] as const; // three of the table by date; three of the view by week
const program = new URL('store-child.ts', import.meta.url).pathname;
const skipReason = requires('strace');
let parent: string;
let copies = 0;

beforeAll(async () => {
  parent = mkdtempSync(join(tmpdir(), 'plimsoll-crash-'));
  await run('prepare', join(parent, 'prepared'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

/** A folder of its own with a stream to store and empty tables. */
function prepared(): string {
  const directory = join(parent, String(copies++));
  cpSync(join(parent, 'prepared'), directory, { recursive: true });
  return directory;
}

interface Run {
  readonly wasKilled: boolean;
  /** What the process found in the table at its end. */
  readonly report: Readonly<Record<string, number>>;
}

/** Runs the child, under `wrapper`. */
function run(
  command: string,
  directory: string,
  flags: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<Run> {
  const [file = '', ...words] = [...wrapper, process.execPath, program, command, directory, ...flags];
  const { promise, resolve, reject } = Promise.withResolvers<Run>();
  const child = execFile(file, words, { timeout: 50_000 }, (error, stdout) => {
    const wasKilled = child.signalCode === 'SIGKILL' || child.exitCode === 137;
    if (error && !wasKilled) reject(error);
    else resolve({ wasKilled, report: wasKilled ? {} : JSON.parse(stdout) });
  });
  return promise;
}

/** The logs in which the tables of `directory` remember tokens. */
function tokenLogs(directory: string): readonly string[] {
  const engine = join(directory, 'clickhouse', 'engine');
  return readdirSync(engine, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('deduplication_log_1.txt'))
    .map((name) => join(engine, name));
}

/** strace with a fault: at which call of `call` what happens; writes are those of tokens. */
function faulty(directory: string, call: 'rename' | 'write', fault: string): readonly string[] {
  const onLogs = call === 'write' ? tokenLogs(directory).flatMap((log) => ['-P', log]) : [];
  const options = ['-e', `trace=${call}`, '-e', `inject=${call}:${fault}`];
  return ['strace', '-f', '-qq', '-o', '/dev/null', ...onLogs, ...options];
}

describe.skipIf(skipReason)('killed while a block is inserted', { concurrent: true }, () => {
  test.each(parts)('at the rename of part %i: nothing is lost, nothing doubled', async (part) => {
    const directory = prepared();
    const killer = faulty(directory, 'rename', `signal=KILL:when=${part}`);
    expect((await run('store', directory, [], killer)).wasKilled).toBe(true);
    expect((await run('store', directory)).report).toEqual(all);
  });

  test.each(parts)('at the write of token %i: nothing is lost, nothing doubled', async (token) => {
    const directory = prepared();
    const killer = faulty(directory, 'write', `signal=KILL:when=${token}`);
    expect((await run('store', directory, [], killer)).wasKilled).toBe(true);
    expect((await run('store', directory)).report).toEqual(all);
  });

  test.each([1, 3])('at the rename of part %i: a store that believes tokens loses its rows', async (part) => {
    const directory = prepared();
    const killer = faulty(directory, 'rename', `signal=KILL:when=${part}`);
    expect((await run('store', directory, ['--trusting'], killer)).wasKilled).toBe(true);
    expect((await run('store', directory, ['--trusting'])).report).toMatchObject({ rows: 400 });
  });
});

describe.skipIf(skipReason)('a disk that fails', { concurrent: true }, () => {
  test.each(['EIO', 'ENOSPC'])(
    '%s at the rename of a part: the same process stores everything',
    async (error) => {
      const directory = prepared();
      const failing = faulty(directory, 'rename', `error=${error}:when=2`);
      expect((await run('store', directory, [], failing)).report).toEqual(all);
    },
  );

  test('EIO at the rename of a part: a store that believes tokens loses its rows', async () => {
    const directory = prepared();
    const failing = faulty(directory, 'rename', 'error=EIO:when=2');
    expect((await run('store', directory, ['--trusting'], failing)).report).toMatchObject({ rows: 400 });
  });

  test('ENOSPC at the write of every token, then killed before the commit: nothing is doubled', async () => {
    const directory = prepared();
    const failing = faulty(directory, 'write', 'error=ENOSPC:when=1+');
    expect((await run('store', directory, ['--mortal'], failing)).wasKilled).toBe(true);
    expect((await run('store', directory)).report).toEqual(all);
  });

  test('ENOSPC at the write of every token, then killed: a store that believes tokens doubles its rows', async () => {
    const directory = prepared();
    const failing = faulty(directory, 'write', 'error=ENOSPC:when=1+');
    await run('store', directory, ['--mortal'], failing);
    expect((await run('store', directory, ['--trusting'])).report).toMatchObject({
      rows: 1200,
      positions: 600,
    });
  });
});

describe('a stream created anew', { concurrent: true }, () => {
  test('whose folder was deleted is stored from its start, beside the rows of the old one', async () => {
    const directory = prepared();
    await run('store', directory);
    rmSync(join(directory, 'stream'), { recursive: true });
    await run('append', directory);
    expect((await run('store', directory)).report).toMatchObject({
      rows: 1200,
      positions: 600,
      appended: 600,
    });
  });

  test('from an older copy of its folder is refused, and nothing is taken for stored', async () => {
    const directory = prepared();
    await run('append', directory);
    await run('store', directory);
    rmSync(join(directory, 'stream'), { recursive: true });
    cpSync(join(parent, 'prepared', 'stream'), join(directory, 'stream'), { recursive: true });
    await expect(run('store', directory)).rejects.toThrow(
      'begin a new stream: name another topic, or move the folder stream out of data_dir',
    );
  });
});

test('stopped and started again in order, nothing is inserted twice', async () => {
  const directory = prepared();
  expect((await run('store', directory)).report).toEqual(all);
  expect((await run('store', directory)).report).toEqual(all);
});
