import { readFileSync } from 'node:fs';
import { compressionsAlgorithms, crc32c } from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import { FetchedRecords } from '../../src/stream/kafka-fetched-records.ts';

/** Batches of the Java client 4.3.1, by compression: three records, the second a tombstone, the third of 70,000 bytes. */
const javaBatches: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL('../golden/java-batches.json', import.meta.url), 'utf8'),
);
const longValue = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i % 251 === 0 ? i / 251 : i % 3)));
const headerBytes = 61;

/** The batch that begins like one of Java's, with other records, packed as `code` says, at `offset`. */
function batchOf(code: number, records: Uint8Array, offset = 0): Buffer {
  const head = Buffer.from(javaBatches['gzip'] ?? '', 'base64').subarray(0, headerBytes);
  const batch = Buffer.concat([head, records]);
  batch.writeBigInt64BE(BigInt(offset), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt16BE(code, 21);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

test.each(Object.keys(javaBatches))('what the Java client packs with %s is read', (name) => {
  const records = new FetchedRecords(Buffer.from(javaBatches[name] ?? '', 'base64'), 0).take(2 ** 20);
  expect(records.map(({ payload, ...rest }) => ({ ...rest, bytes: payload.length }))).toEqual([
    { offset: 0, timeMs: 1_760_000_000_123, spans: 0, headers: { h: 'v', empty: '' }, bytes: 5 },
    { offset: 1, timeMs: 1_760_000_000_124, spans: 0, headers: {}, bytes: 0 },
    { offset: 2, timeMs: 1_760_000_000_125, spans: 0, headers: {}, bytes: 70_000 },
  ]);
  expect(longValue.equals(records[2]?.payload ?? Buffer.alloc(0))).toBe(true);
});

describe('a batch that cannot be unpacked', () => {
  const cases: readonly (readonly [string, number, Uint8Array, string])[] = [
    ['compressed in a way that nobody knows', 5, Buffer.from('x'), 'its compression 5 is none of'],
    ['whose snappy is damaged', 2, Buffer.from([9, 0xff, 0xff]), 'its snappy is damaged'],
    ['whose snappy is huge', 2, Buffer.from([0xff, 0xff, 0xff, 0xff, 1]), 'is the limit'],
    ['whose lz4 is damaged', 3, Buffer.from('no frame of lz4'), 'its lz4 is damaged'],
    ['whose lz4 is huge', 3, hugeLz4(), 'is the limit'],
    ['whose zstd is damaged', 4, Buffer.from('x'), 'cannot be unpacked'],
  ];
  test.each(cases)('%s says so and is never passed over', (_, code, bytes, sentence) => {
    const good = Buffer.from(javaBatches['zstd'] ?? '', 'base64');
    const fetched = new FetchedRecords(Buffer.concat([good, batchOf(code, bytes, 3)]), 0);
    expect(fetched.take(2 ** 20).map(({ offset }) => offset)).toEqual([0, 1, 2]);
    for (let n = 0; n < 2; n++) {
      expect(() => fetched.take(1)).toThrow('the batch at offset 3 cannot be unpacked, ');
      expect(() => fetched.take(1)).toThrow(sentence);
    }
    expect(fetched.next).toBe(3);
  });
});

test('snappy in one piece, as the Collector writes it, is read, also after a batch that was damaged', () => {
  const plain = Buffer.from(javaBatches['snappy'] ?? '', 'base64');
  const records = compressionsAlgorithms.snappy.decompressSync(plain.subarray(headerBytes));
  const whole = batchOf(2, compressionsAlgorithms.snappy.compressSync(records));
  expect(new FetchedRecords(whole, 0).take(2 ** 20)).toHaveLength(3);
});

/** 65 blocks that say of themselves that they become up to 4 MiB. */
function hugeLz4(): Buffer {
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x70, 0xdf]);
  const block = Buffer.alloc(4 + 20_000);
  block.writeUInt32LE(20_000, 0);
  return Buffer.concat([head, ...Array.from({ length: 65 }, () => block)]);
}
