import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const magic = 0xbeefc0de;
const dataVersion = 2;
/** Offsets into a meta page of LMDB 1.0 as lmdb 3.5 builds it (`MDB_meta` in mdb.c), in the machine's byte order; of 64 bits the lower 32 do. */
const at = { magic: 24, version: 28, pageSize: 48, lastPage: 144, transaction: 152, end: 160 };
/** A file may lack pages at its end that a transaction took and gave back; these are single pages of a tree. */
const pagesToSpare = 64;

/**
 * What keeps LMDB from opening the file at `path`, as a phrase; undefined when nothing does. LMDB takes the process
 * down on a file that is not its own (SIGSEGV) or that was cut short (SIGBUS), so this comes first.
 */
export function lmdbFault(path: string): string | undefined {
  const file = openSync(path, 'a+', 0o664);
  try {
    const { size } = fstatSync(file);
    if (size === 0) return undefined;
    const first = readMeta(file, 0);
    const second = first && readMeta(file, first.pageSize);
    if (!first || !second) return 'is damaged, or not a database';
    const { lastPage } = second.transaction > first.transaction ? second : first;
    const missing = lastPage + 1 - size / first.pageSize;
    return missing > pagesToSpare
      ? `is cut short: ${missing} of its ${lastPage + 1} pages are missing`
      : undefined;
  } finally {
    closeSync(file);
  }
}

interface Meta {
  readonly pageSize: number;
  readonly lastPage: number;
  readonly transaction: number;
}

function readMeta(file: number, position: number): Meta | undefined {
  const bytes = new Uint8Array(at.end);
  if (readSync(file, bytes, 0, at.end, position) < at.end) return undefined;
  const words = new Uint32Array(bytes.buffer);
  const u32 = (offset: number): number => words[offset / 4] ?? 0;
  if (u32(at.magic) !== magic || u32(at.version) !== dataVersion) return undefined;
  return { pageSize: u32(at.pageSize), lastPage: u32(at.lastPage), transaction: u32(at.transaction) };
}
