import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamRecord } from '../../src/core/stream.ts';
import { ReadMemory } from '../../src/stream/read-memory.ts';
import { RecentRecords } from '../../src/stream/recent-records.ts';
import { runs } from '../property-runs.ts';

function recordOf(offset: number, bytes: number): StreamRecord {
  return { offset, timeMs: 0, spans: 1, headers: {}, payload: Buffer.alloc(bytes, offset) };
}

/** What one reader's reads put their copies in. */
const memory = new ReadMemory();

/** What a record takes beside its payload. */
const overheadBytes = 512;

test('gives what was added from the offset on, or says that it does not know', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(40), { minLength: 1, maxLength: 60 }),
      fc.nat(30_000),
      fc.nat(70),
      fc.nat(200),
      fc.nat(50),
      (sizes, limitBytes, offset, readBytes, first) => {
        const recent = new RecentRecords(limitBytes);
        const all = sizes.map((bytes, i) => recordOf(first + i, bytes));
        for (const record of all) recent.add(record);
        const wanted = all.filter((record) => record.offset >= offset);
        const found = recent.read(offset, readBytes, memory);
        const roomsBytes = wanted.map(({ payload }) => payload.byteLength + overheadBytes);
        const takesBytes = roomsBytes.reduce((sum, bytes) => sum + bytes, 0);
        const isThere = offset >= first && wanted.length > 0;
        // A record stands in one piece, so up to the size of one may be unused at the end of the ring.
        if (isThere && takesBytes + Math.max(...roomsBytes) <= limitBytes) expect(found).toBeDefined();
        if (!isThere || takesBytes > limitBytes) expect(found).toBeUndefined();
        if (!found) return;
        expect(found.length).toBeGreaterThan(0);
        expect(found).toEqual(wanted.slice(0, found.length));
        const bytes = found.reduce((sum, { payload }) => sum + payload.byteLength, 0);
        expect(found.length === 1 || bytes <= readBytes).toBe(true);
      },
    ),
    { numRuns: runs },
  );
});

test('remembers no more than its limit, and always the newest', () => {
  const recent = new RecentRecords(10 * (overheadBytes + 10));
  for (let offset = 0; offset < 1000; offset++) recent.add(recordOf(offset, 10));
  expect(recent.read(989, 1000, memory)).toBeUndefined();
  expect(recent.read(990, 1000, memory)).toHaveLength(10);
  expect(recent.read(1000, 1000, memory)).toBeUndefined();
});

test('gives copies, which what is added later leaves alone', () => {
  const recent = new RecentRecords(4 * (overheadBytes + 10));
  recent.add(recordOf(0, 10));
  const [record] = recent.read(0, 10, memory) ?? [];
  for (let offset = 1; offset < 100; offset++) recent.add(recordOf(offset, 10));
  expect(record).toEqual(recordOf(0, 10));
});

test('does not remember a record larger than its limit, nor what came before it', () => {
  const recent = new RecentRecords(10_000);
  recent.add(recordOf(0, 10));
  recent.add(recordOf(1, 20_000));
  expect(recent.read(0, 10, memory)).toBeUndefined();
  expect(recent.read(1, 10, memory)).toBeUndefined();
  recent.add(recordOf(2, 10));
  expect(recent.read(2, 10, memory)).toEqual([recordOf(2, 10)]);
});

test('forgets everything before a gap', () => {
  const recent = new RecentRecords(10_000);
  recent.add(recordOf(1, 10));
  recent.add(recordOf(3, 10));
  expect(recent.read(1, 100, memory)).toBeUndefined();
  expect(recent.read(3, 100, memory)).toHaveLength(1);
});

test('remembers a bounded number of records that have no payload at all', () => {
  const recent = new RecentRecords(10 * overheadBytes);
  for (let offset = 0; offset < 1000; offset++) recent.add(recordOf(offset, 0));
  expect(recent.read(989, 1000, memory)).toBeUndefined();
  expect(recent.read(990, 1000, memory)).toHaveLength(10);
});
