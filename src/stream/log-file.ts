import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
  statfsSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Database, open as openLmdb, RootDatabase } from 'lmdb';
import { z } from 'zod';
import { lmdbFault } from './lmdb-header.ts';
import { OwnerLock } from '../core/owner-lock.ts';
import { footprintBytes } from './retention.ts';

/** A put of a record, or its removal when there is no value. */
export interface Write {
  readonly records: Records;
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
}

/** What a fact becomes. */
export interface FactWrite {
  readonly key: string[];
  readonly value: unknown;
}

/** Records by `recordKey`. */
export type Records = Database<Uint8Array, Uint8Array>;

/** The package whose engine keeps the log, loaded by `loadLmdb`. */
export interface Lmdb {
  readonly open: typeof openLmdb;
}

const format = 1;
const fileName = 'log.mdb';

/**
 * Loads LMDB only where a log is embedded: its engine is an optional package, which an installation for Kafka can leave
 * out. Rejects with one sentence that names the fix.
 */
export async function loadLmdb(): Promise<Lmdb> {
  return import('lmdb').catch((cause: unknown) => {
    throw new Error(
      'the embedded stream needs the engine of the package lmdb, which is not installed or has no build for this platform: install optional packages, too, or use the connector kafka',
      { cause },
    );
  });
}

/**
 * The file of the embedded log: an LMDB environment in a folder of its own, which one process owns. Records lie in a
 * database of their topic; every fact beside them, such as what a group committed, lies under its key in the root.
 */
export class LogFile {
  readonly directory: string;
  readonly #root: RootDatabase<unknown, string[]>;
  readonly #lock: OwnerLock;
  readonly #used = new Map<Records, Measured>();
  #file: Measured | undefined;

  private constructor(directory: string, root: RootDatabase<unknown, string[]>, lock: OwnerLock) {
    this.directory = directory;
    this.#root = root;
    this.#lock = lock;
  }

  /**
   * Opens the log in `directory`, creating both when missing; `roomBytes` is how large it is expected to grow.
   * Throws an Error of one sentence that names the folder and the fix.
   */
  static open(directory: string, roomBytes: number, lmdb: Lmdb): LogFile {
    prepareFolder(directory);
    const lock = takeLock(directory);
    let root: RootDatabase<unknown, string[]> | undefined;
    try {
      root = openEnvironment(directory, roomBytes, lmdb);
      checkFormat(directory, root);
      makeNameDurable(directory);
      return new LogFile(directory, root, lock);
    } catch (error) {
      void root?.close();
      lock.release();
      throw error;
    }
  }

  /** The records of a topic. A value of a range is lent until the next one is asked for. */
  records(topic: string): Records {
    const options = { name: `records:${topic}`, ...lentValues, keyEncoding: 'binary' } as const;
    return this.#root.openDB<Uint8Array, Uint8Array>(options);
  }

  /** A fact by its key; undefined when there is none. */
  fact(key: string[]): unknown {
    return this.#root.get(key);
  }

  /** Makes a fact durable before it returns. */
  putFact({ key, value }: FactWrite): void {
    this.#root.putSync(key, value);
  }

  /**
   * Makes everything durable, or nothing. The bytes of the values must stay as they are until it settles.
   * Rejects with what LMDB says; nothing is then visible, and whether it is durable is unknown.
   */
  async apply(writes: readonly Write[], facts: readonly FactWrite[]): Promise<void> {
    if (writes.length + facts.length === 0) return;
    try {
      await this.#root.batch(() => {
        for (const { records, key, value } of writes)
          void (value ? records.put(key, value) : records.remove(key));
        for (const { key, value } of facts) void this.#root.put(key, value);
      });
    } catch (error) {
      throw await rootCause(error);
    } finally {
      this.#grow(writes);
    }
  }

  #grow(writes: readonly Write[]): void {
    for (const measured of [this.#file, ...this.#used.values()])
      if (measured) measured.grownBytes += changedPagesBytes;
    for (const { records, value } of writes) {
      const grownBytes = value ? footprintBytes(value.byteLength) : 0;
      const used = this.#used.get(records);
      if (used) used.grownBytes += grownBytes;
      if (this.#file) this.#file.grownBytes += grownBytes;
    }
  }

  /**
   * Bytes of the pages that the records of a topic fill. To measure costs as much as to write a small record, so the answer may be
   * an upper bound as long as that is not more than `enoughBytes`.
   */
  usedBytes(records: Records, enoughBytes = 0): number {
    const known = this.#used.get(records);
    if (known && isGoodEnough(known, enoughBytes)) return known.bytes + known.grownBytes;
    const stats = pageCounts.parse(records.getStats());
    const bytes =
      (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages) * stats.pageSize;
    this.#used.set(records, { bytes, grownBytes: 0 });
    return bytes;
  }

  /** Bytes of the file: it never shrinks, freed pages are used again. An upper bound, as for `usedBytes`. */
  fileBytes(enoughBytes = 0): number {
    const known = this.#file;
    if (known && isGoodEnough(known, enoughBytes)) return known.bytes + known.grownBytes;
    const stats = pageCounts.parse(this.#root.getStats());
    const bytes = (stats.lastPageNumber + 1) * stats.pageSize;
    this.#file = { bytes, grownBytes: 0 };
    return bytes;
  }

  /** Bytes this process may still write to the disk the log is on. */
  freeDiskBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }

  /** Waits for what was applied, then gives the folder up. */
  async close(): Promise<void> {
    await this.#root.close();
    this.#lock.release();
  }
}

/** Values as they stand in lmdb's own memory: with the encoding `binary` it makes memory for each, which is much garbage. lmdb keeps one buffer, of twice the largest value. */
const lentValues = {
  encoding: 'string', // not asked where there is an encoder
  encoder: {
    encode: (value: Uint8Array) => value,
    decode: (bytes: Uint8Array, sizeBytes: number) =>
      new Uint8Array(bytes.buffer, bytes.byteOffset, sizeBytes),
  },
} as const;

/** What was measured, and by how much it may have grown since. */
interface Measured {
  readonly bytes: number;
  grownBytes: number;
}

function isGoodEnough({ bytes, grownBytes }: Measured, enoughBytes: number): boolean {
  return grownBytes === 0 || bytes + grownBytes <= enoughBytes;
}

/** The pages that a transaction may add, in bytes, beside those of its records: branches of a few trees, and their splits. */
const changedPagesBytes = 64 * 1024;

const pageCounts = z.object({
  pageSize: z.number(),
  treeBranchPageCount: z.number(),
  treeLeafPageCount: z.number(),
  overflowPages: z.number(),
  lastPageNumber: z.number(),
});

function prepareFolder(directory: string): void {
  try {
    makeFolder(directory);
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`the stream's folder ${directory} ${folderFault(codeOf(error))}`, { cause: error });
  }
}

/** `mkdirSync` with `recursive` never returns where the kernel answers ENOENT below a folder that exists (/proc, automounts). */
function makeFolder(directory: string): void {
  try {
    mkdirSync(directory);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' && statSync(directory).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(directory))) throw error;
    makeFolder(dirname(directory));
    mkdirSync(directory);
  }
}

function folderFault(code: string): string {
  switch (code) {
    case 'EEXIST':
    case 'ENOTDIR':
      return 'cannot be created because a file stands in its place: move that file away, or set another folder';
    case 'EACCES':
    case 'EPERM':
      return 'is not writable by this user: change its owner, or set another folder';
    case 'EROFS':
      return 'is on a read-only file system: set another folder';
    case 'ENOSPC':
      return 'cannot be created because the disk is full: free some space, or set another folder';
    default:
      return `cannot be created (${code}): set another folder`;
  }
}

function takeLock(directory: string): OwnerLock {
  const path = join(directory, 'owner.lock');
  let lock: OwnerLock | undefined;
  try {
    lock = OwnerLock.take(path);
  } catch (error) {
    throw new Error(
      `the stream's lock ${path} cannot be opened: if no process uses the folder, remove that file`,
      {
        cause: error,
      },
    );
  }
  if (lock === undefined) {
    throw new Error(
      `the stream's folder ${directory} is in use by another Plimsoll process: stop that one, or set another folder`,
    );
  }
  return lock;
}

/**
 * Settings that were measured (bench/stream.ts): a commit that waits for its own flush costs what an overlapping one
 * does, cannot show a reader what a power cut takes back, and reports a failed flush, which the other does not.
 */
function openEnvironment(
  directory: string,
  roomBytes: number,
  { open }: Lmdb,
): RootDatabase<unknown, string[]> {
  const path = join(directory, fileName);
  const fault = lmdbFault(path);
  if (fault) throw new Error(`the stream's file ${path} ${fault}: restore it, or set another folder`);
  try {
    return open<unknown, string[]>({
      path,
      noSubdir: true,
      encoding: 'json',
      overlappingSync: false,
      eventTurnBatching: false, // its own promise of a failed commit would be rejected unhandled
      noMemInit: true,
      maxDbs: 64,
      mapSize: Math.ceil((roomBytes * 1.25) / 2 ** 20 + 64) * 2 ** 20,
    });
  } catch (error) {
    throw new Error(`the stream's file ${path} cannot be opened: restore it, or set another folder`, {
      cause: error,
    });
  }
}

function checkFormat(directory: string, root: RootDatabase<unknown, string[]>): void {
  const isNew = root.getKeysCount({ limit: 1 }) === 0;
  if (isNew) root.putSync(['format'], format);
  const found = formatOf(root);
  if (found === format) return;
  const what =
    typeof found === 'number' ? `has format ${found}, and this version reads ${format}` : `is not Plimsoll's`;
  throw new Error(`the stream's file ${join(directory, fileName)} ${what}: set another folder`);
}

function formatOf(root: RootDatabase<unknown, string[]>): unknown {
  try {
    return root.get(['format']);
  } catch {
    return undefined; // not JSON, so not ours
  }
}

/** A power cut may take a new file away unless the folders that name it are flushed. */
function makeNameDurable(directory: string): void {
  for (const folder of [directory, dirname(directory)]) {
    if (!existsSync(folder)) continue;
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}

/** lmdb rejects with "see commitError", a promise of the error itself. */
async function rootCause(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    return await error.commitError;
  } catch (cause) {
    return cause;
  }
}

/** The code of a system error, such as `EACCES`. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no code';
}
