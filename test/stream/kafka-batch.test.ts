import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BatchEncoder, spansHeader } from '../../src/stream/kafka-batch.ts';
import { FetchedRecords } from '../../src/stream/kafka-fetched-records.ts';
import { crc32c, readRecordsBatches, Reader } from '@platformatic/kafka';
import { runs } from '../property-runs.ts';

const record = fc.record({
  partition: fc.constant(0),
  payload: fc.uint8Array({ maxLength: 3000 }),
  spans: fc.nat({ max: 100_000 }),
  headers: fc.dictionary(
    fc.string({ maxLength: 200 }).filter((name) => name !== spansHeader && name !== '__proto__'),
    fc.string(),
    { maxKeys: 4 },
  ),
});
const origin = fc.record({
  producerId: fc.bigInt({ min: 0n, max: 2n ** 62n }),
  producerEpoch: fc.nat({ max: 32_767 }),
  sequence: fc.nat({ max: 2 ** 31 - 1 }),
});
const compression = fc.constantFrom('zstd', 'gzip', 'none');
const nowMs = 1_760_000_000_123;

/** `batch` as a broker hands it out: with the offset it gave it. */
function storedAt(offset: number, batch: Buffer): Buffer {
  batch.writeBigInt64BE(BigInt(offset), 0);
  return batch;
}

test('what was encoded is read back, whatever the records, the packing and the steps', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.array(record, { minLength: 1, maxLength: 8 }), compression), { maxLength: 4 }),
      fc.nat({ max: 2 ** 40 }),
      fc.nat({ max: 10 }),
      fc.integer({ min: 1, max: 5000 }),
      (batches, start, skipped, limitBytes) => {
        let offset = start;
        const stored = batches.map(([records, how]) => {
          const bytes = new BatchEncoder(how).encode(records, nowMs, {
            producerId: 1n,
            producerEpoch: 0,
            sequence: 0,
          });
          offset += records.length;
          return storedAt(offset - records.length, bytes);
        });
        const all = batches.flatMap(([records]) => records);
        const fetched = new FetchedRecords(Buffer.concat(stored), start + skipped);
        const seen = [];
        for (;;) {
          const some = fetched.take(limitBytes);
          if (some.length === 0) break;
          const bytes = some.reduce((sum, { payload }) => sum + payload.length, 0);
          expect(bytes - (some.at(-1)?.payload.length ?? 0)).toBeLessThan(limitBytes);
          seen.push(...some);
        }
        expect(
          seen.map(({ payload, ...rest }) => ({ ...rest, payload: Buffer.from(payload).toString('hex') })),
        ).toEqual(
          all.slice(skipped).map(({ spans, headers, payload }, at) => ({
            offset: start + skipped + at,
            timeMs: nowMs,
            spans,
            headers: { ...headers },
            payload: Buffer.from(payload).toString('hex'),
          })),
        );
        expect(fetched.next).toBe(start + Math.max(skipped, seen.length > 0 ? all.length : skipped));
      },
    ),
    { numRuns: runs },
  );
});

test("another client's decoder reads the same of it", () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 5 }),
      compression,
      origin,
      (records, how, from) => {
        const bytes = storedAt(7, new BatchEncoder(how).encode(records, nowMs, from));
        const [batch] = readRecordsBatches(Reader.from(bytes));
        expect(batch).toMatchObject({
          firstOffset: 7n,
          lastOffsetDelta: records.length - 1,
          firstTimestamp: BigInt(nowMs),
        });
        expect(batch).toMatchObject({
          producerId: from.producerId,
          producerEpoch: from.producerEpoch,
          firstSequence: from.sequence,
        });
        expect(
          batch?.records.map(({ value, offsetDelta }) => [offsetDelta, value?.toString('hex') ?? '']),
        ).toEqual(records.map(({ payload }, at) => [at, Buffer.from(payload).toString('hex')]));
        expect(batch?.records.map(({ headers }) => headers.map((pair) => pair.map(String)))).toEqual(
          records.map(({ headers, spans }) => [...Object.entries(headers), [spansHeader, String(spans)]]),
        );
      },
    ),
    { numRuns: runs },
  );
});

test('a batch that was damaged or cut off is not read as another', () => {
  const records = [{ partition: 0, payload: Buffer.from('payload'), spans: 1, headers: {} }];
  const batch = new BatchEncoder('none').encode(records, nowMs, {
    producerId: 1n,
    producerEpoch: 0,
    sequence: 0,
  });
  for (let at = 21; at < batch.length; at++) {
    const damaged = Buffer.from(batch);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    expect(() => new FetchedRecords(damaged, 0).take(1)).toThrow('is damaged');
    expect(new FetchedRecords(batch.subarray(0, at), 0).take(1)).toEqual([]);
  }
});

test('what stands before a batch that is damaged is handed out, and then what is amiss and how to go on', () => {
  const from = { producerId: 1n, producerEpoch: 0, sequence: 0 };
  const batches = ['good', 'damaged'].map((text, at) =>
    storedAt(
      at,
      new BatchEncoder('zstd').encode(
        [{ partition: 0, payload: Buffer.from(text), spans: 1, headers: {} }],
        nowMs,
        from,
      ),
    ),
  );
  const bytes = Buffer.concat(batches);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  const fetched = new FetchedRecords(bytes, 0);
  expect(fetched.take(1e6).map(({ payload }) => String(payload))).toEqual(['good']);
  expect(fetched.next).toBe(1);
  for (let again = 0; again < 2; again++)
    expect(() => fetched.take(1e6)).toThrow(/the batch at offset 1 is damaged.*--reset-offsets/);
});

/** A record as it stands in a batch: `text`, which it says is so long, and says itself to be so long. */
function recordBytes(
  at: number,
  text: string,
  saidBytes = text.length,
  lengthBytes = text.length + 6,
): Buffer {
  const [length = 0, delta = 0, said = 0] = [lengthBytes, at, saidBytes].map((value) => value * 2); // zigzag
  return Buffer.concat([Buffer.from([length, 0, 0, delta, 1, said]), Buffer.from(text), Buffer.from([0])]);
}

test.each([
  ['a payload that is longer than its batch', recordBytes(1, 'bad', 60)],
  ['a payload that is longer than itself', Buffer.concat([recordBytes(1, 'bad', 5), recordBytes(2, 'next')])],
  ['fields that are shorter than itself', recordBytes(1, 'bad', 2)],
  ['no end', recordBytes(1, 'bad').subarray(0, 4)],
])('what stands before a record with %s is handed out, and then what is amiss and how to go on', (_, bad) => {
  const from = { producerId: 1n, producerEpoch: 0, sequence: 0 };
  const whole = new BatchEncoder('none').encode(
    [{ partition: 0, payload: Buffer.from('x'), spans: 1, headers: {} }],
    nowMs,
    from,
  );
  const batch = Buffer.concat([whole.subarray(0, 61), recordBytes(0, 'good'), bad]);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(2, 57); // records
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  const fetched = new FetchedRecords(storedAt(7, batch), 7);
  expect(fetched.take(1e6).map(({ payload }) => String(payload))).toEqual(['good']);
  expect(fetched.next).toBe(8);
  for (let again = 0; again < 2; again++)
    expect(() => fetched.take(1e6)).toThrow(/the batch at offset 7 holds a record .*--reset-offsets/);
});
