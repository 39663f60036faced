import { expect, test } from 'vitest';
import { partitionOf } from '../../src/otlp/partition.ts';

/** murmur2 over any bytes, straight from the algorithm (MurmurHash2 by Austin Appleby, as org.apache.kafka.common.utils.Utils has it). */
function murmur2(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let hash = 0x9747b28c ^ data.length;
  const whole = data.length - (data.length % 4);
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(view.getInt32(at, true), 0x5bd1e995);
    word = Math.imul(word ^ (word >>> 24), 0x5bd1e995);
    hash = Math.imul(hash, 0x5bd1e995) ^ word;
  }
  for (let at = data.length - 1; at >= whole; at--) hash ^= data[at]! << (8 * (at - whole));
  if (whole < data.length) hash = Math.imul(hash, 0x5bd1e995);
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995);
  return hash ^ (hash >>> 15);
}

test("the reference here is Kafka's own: it gives the vectors of its UtilsTest", () => {
  const vectors: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [key, hash] of vectors) expect(murmur2(Buffer.from(key))).toBe(hash);
});

test('a span goes where a Java producer would send a record with its hex trace id as key', () => {
  for (let round = 0; round < 2000; round++) {
    const bytes = crypto.getRandomValues(new Uint8Array(24));
    const key = Buffer.from(Buffer.from(bytes.subarray(5, 21)).toString('hex'));
    for (const partitions of [2, 12, 100]) {
      expect(partitionOf(bytes, 5, partitions)).toBe((murmur2(key) & 0x7fffffff) % partitions);
    }
  }
});

test('one partition takes every span', () => {
  expect(partitionOf(new Uint8Array(16).fill(255), 0, 1)).toBe(0);
});
