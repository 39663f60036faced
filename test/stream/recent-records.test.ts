import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StreamRecord } from '../../src/core/stream.ts';
import { RecentRecords } from '../../src/stream/recent-records.ts';
import { runs } from '../property-runs.ts';

function recordOf(offset: number, bytes: number): StreamRecord {
  return { offset, timeMs: 0, spans: 1, headers: {}, payload: Buffer.alloc(bytes) };
}

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
        const found = recent.read(offset, readBytes);
        const takesBytes = wanted.reduce((sum, { payload }) => sum + payload.byteLength + overheadBytes, 0);
        const isKnown = offset >= first && wanted.length > 0 && takesBytes <= limitBytes;
        expect(found !== undefined).toBe(isKnown);
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
  expect(recent.read(989, 1000)).toBeUndefined();
  expect(recent.read(990, 1000)).toHaveLength(10);
  expect(recent.read(1000, 1000)).toBeUndefined();
});

test('forgets everything before a gap', () => {
  const recent = new RecentRecords(10_000);
  recent.add(recordOf(1, 10));
  recent.add(recordOf(3, 10));
  expect(recent.read(1, 100)).toBeUndefined();
  expect(recent.read(3, 100)).toHaveLength(1);
});

test('remembers a bounded number of records that have no payload at all', () => {
  const recent = new RecentRecords(10 * overheadBytes);
  for (let offset = 0; offset < 1000; offset++) recent.add(recordOf(offset, 0));
  expect(recent.read(989, 1000)).toBeUndefined();
  expect(recent.read(990, 1000)).toHaveLength(10);
});
