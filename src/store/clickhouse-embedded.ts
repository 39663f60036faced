import { createClient, type ClickHouseClient, type ClickHouseClientConfigOptions } from '@clickhouse/client';
import { access, constants, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Log } from '../core/log.ts';
import { OwnerLock } from '../core/owner-lock.ts';
import { faultOf } from './clickhouse-fault.ts';
import type { BlockInsert, ClickHouse } from './clickhouse.ts';
import { insertFromFile } from './insert-statement.ts';

/**
 * ClickHouse in this process (chDB, an optional dependency) with its data in `directory`. One process owns a
 * directory, and one process has one directory open at a time. Nothing is opened before `start`.
 */
export function openEmbeddedClickHouse(options: { directory: string; log: Log }): ClickHouse {
  return new EmbeddedClickHouse(resolve(options.directory), options.log);
}

type ConnectionOption = NonNullable<ClickHouseClientConfigOptions['connection']>;

/** A client on its own connection to the engine over `directory`; other connections do not see its settings. */
export async function connectEmbedded(directory: string): Promise<ClickHouseClient> {
  const { createChdbConnection } = await import('chdb/connection').catch((cause: unknown) => {
    throw new Error(
      'the embedded ClickHouse needs the optional package chdb, which is not installed or has no build for this platform: run `npm install chdb`',
      { cause },
    );
  });
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both packages bring the same interface, whose private members TypeScript keeps apart
    const connection = createChdbConnection({ path: enginePath(directory) }) as unknown as ConnectionOption;
    return createClient({ connection });
  } catch (cause) {
    throw new Error(`${inUse(directory)} (${String(cause)})`, { cause });
  }
}

function inUse(directory: string): string {
  return `cannot open the embedded ClickHouse in ${directory}: one process owns this folder, so stop the other one or set another data_dir`;
}

/** Where the engine keeps its files within our directory. */
function enginePath(directory: string): string {
  return join(resolve(directory), 'engine');
}

interface Clients {
  readonly statements: ClickHouseClient;
  readonly inserts: ClickHouseClient;
}

class EmbeddedClickHouse implements ClickHouse {
  readonly name = 'clickhouse';
  readonly #directory: string;
  readonly #insertsDirectory: string;
  readonly #log: Log;
  #clients: Clients | undefined;
  /** Taken before the engine takes its own, because that says on standard error in many lines that it cannot. */
  #lock: OwnerLock | undefined;
  #insertsStarted = 0;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#insertsDirectory = join(directory, 'inserts');
    this.#log = log;
  }

  async start(): Promise<void> {
    if (this.#clients) return;
    await this.#prepareDirectory();
    this.#lock = OwnerLock.take(join(this.#directory, 'owner.lock'));
    if (!this.#lock) throw new Error(inUse(this.#directory));
    try {
      this.#clients = await this.#connect();
    } catch (error) {
      this.#lock.release();
      throw error;
    }
    await this.#removeLeftovers(); // only now is it certain that no other process uses them
  }

  async #connect(): Promise<Clients> {
    // The engine runs one statement at a time per connection; a long query must not hold up an insert.
    const statements = await connectEmbedded(this.#directory);
    return { statements, inserts: await connectEmbedded(this.#directory) };
  }

  async stop(): Promise<void> {
    const clients = this.#clients;
    this.#clients = undefined;
    await clients?.inserts.close();
    await clients?.statements.close();
    if (clients) this.#lock?.release();
  }

  nowMs(): number {
    return Date.now();
  }

  async command(sql: string): Promise<void> {
    await explained(this.#open().statements.command({ query: sql }));
  }

  async query<Row>(sql: string, params?: Readonly<Record<string, unknown>>): Promise<readonly Row[]> {
    const result = await explained(
      this.#open().statements.query({
        query: sql,
        format: 'JSONEachRow',
        ...(params && { query_params: { ...params } }),
      }),
    );
    return result.json<Row>();
  }

  async insertBlock(insert: BlockInsert): Promise<void> {
    const { inserts } = this.#open();
    const file = join(this.#insertsDirectory, `${process.pid}-${this.#insertsStarted++}`);
    try {
      await writeWhole(file, insert.body);
      await explained(inserts.command({ query: insertFromFile(insert, file) }));
    } finally {
      await rm(file, { force: true });
    }
  }

  #open(): Clients {
    if (this.#clients === undefined) throw new Error('the embedded ClickHouse is not open');
    return this.#clients;
  }

  async #prepareDirectory(): Promise<void> {
    if (/[*?{}]/.test(this.#directory)) {
      // INFILE would read the path as a pattern that matches nothing, and say OK.
      throw new Error(
        `cannot keep ClickHouse data in ${this.#directory}: the path must not contain * ? { or }; set another data_dir`,
      );
    }
    try {
      await mkdir(this.#insertsDirectory, { recursive: true });
      await access(this.#insertsDirectory, constants.W_OK);
    } catch (cause) {
      throw new Error(
        `cannot write to ${this.#directory}: make it writable for this user or set another data_dir (${String(cause)})`,
        { cause },
      );
    }
  }

  async #removeLeftovers(): Promise<void> {
    const leftovers = await readdir(this.#insertsDirectory);
    await Promise.all(
      leftovers.map((name) => rm(join(this.#insertsDirectory, name), { force: true, recursive: true })),
    );
    if (leftovers.length > 0)
      this.#log.info({ files: leftovers.length }, 'removed insert files of an interrupted run');
  }
}

/** Resolves as `work` does; rejects with what its error means. */
async function explained<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw faultOf(error);
  });
}

async function writeWhole(file: string, body: readonly Uint8Array[]): Promise<void> {
  const totalBytes = body.reduce((sum, part) => sum + part.byteLength, 0);
  const handle = await open(file, 'w');
  try {
    const { bytesWritten } = await handle.writev(body);
    if (bytesWritten !== totalBytes)
      throw new Error(`wrote ${bytesWritten} of ${totalBytes} bytes to ${file}: is the disk full?`);
  } finally {
    await handle.close();
  }
}
