import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GroupCommit } from '../../src/stream/group-commit.ts';
import { loadLmdb, LogFile, type Records } from '../../src/stream/log-file.ts';

let directory: string;
let file: LogFile;
let commits: GroupCommit;
let records: Records;
let transactions: Set<unknown>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'plimsoll-commits-'));
  file = LogFile.open(directory, 64 << 20, await loadLmdb());
  commits = new GroupCommit(file);
  records = file.records('topic');
  transactions = new Set();
});
afterEach(async () => {
  await commits.drain();
  await file.close();
  rmSync(directory, { recursive: true });
});

/** Puts a value of `bytes` under a key of its own, and remembers with which others it was written. */
async function put(key: number, bytes = 10): Promise<void> {
  await commits.submit({
    bytes,
    write: (transaction) => {
      transactions.add(transaction);
      const value = transaction.allocate(bytes).fill(1);
      transaction.add({ records, key: Buffer.from(`key-${String(key).padStart(6, '0')}`), value });
    },
  });
}

test('small changes that come while one is written share the next transaction', async () => {
  const first = put(0);
  await new Promise(setImmediate); // the first transaction begins
  await Promise.all([first, ...Array.from({ length: 100 }, (_, n) => put(n + 1))]);
  expect(transactions.size).toBe(2);
});

test('everything submitted is durable once it is drained, also while the next transaction gathers', async () => {
  await put(0);
  const later = put(1); // the one before has only just begun, so this one waits
  await commits.drain();
  await later;
  expect(records.getKeysCount({})).toBe(2);
});

test('what is said to be used is never less than what is', async () => {
  let key = 0;
  for (const bytes of [1, 100, 1000, 1365, 1366, 4000, 5000, 70_000, 700_000]) {
    for (let n = 0; n < 20; n++) {
      await put(key++, bytes);
      const bound = { used: file.usedBytes(records, Infinity), file: file.fileBytes(Infinity) };
      const measured = { used: file.usedBytes(records), file: file.fileBytes() };
      expect(bound.used).toBeGreaterThanOrEqual(measured.used);
      expect(bound.file).toBeGreaterThanOrEqual(measured.file);
    }
  }
});
