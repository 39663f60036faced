import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewRecord } from '../../src/core/stream.ts';
import {
  encodeHeaders,
  readKey,
  readRecord,
  recordKey,
  footerBytes,
  valueBytes,
  writeValue,
} from '../../src/stream/record-codec.ts';
import { runs } from '../property-runs.ts';

function valueOf(record: NewRecord): Buffer {
  const headers = encodeHeaders(record.headers);
  const value = Buffer.alloc(valueBytes(record.payload.byteLength, headers.byteLength), 0xee);
  writeValue(value, record, headers);
  return value;
}

const records = fc.record({
  partition: fc.nat(65_535),
  payload: fc.uint8Array({ maxLength: 300 }),
  spans: fc.nat(2 ** 31 - 1),
  headers: fc.dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 80, unit: 'grapheme' })),
});

describe('the record format of the embedded log', () => {
  it('stays what it is: these bytes are on disks', () => {
    const record = {
      partition: 3,
      payload: Buffer.from('ab'),
      spans: 7,
      headers: { 'plimsoll.enriched': 'r1' },
    };
    expect(recordKey(3, 0x0102030405, 0x0a0b0c0d0e0f).toString('hex')).toBe('00030001020304050a0b0c0d0e0f');
    expect(valueOf(record).toString('hex')).toMatchInlineSnapshot(
      `"616200010011706c696d736f6c6c2e656e72696368656400027231000000000000000000000000000000000000000000000000000000000007000000020000001901"`,
    );
  });

  it('reads what it wrote', () => {
    fc.assert(
      fc.property(records, fc.nat(2 ** 31), fc.nat(), (record, offset, timeMs) => {
        const key = recordKey(record.partition, offset, timeMs);
        expect(readRecord(key, valueOf(record))).toEqual({
          offset,
          timeMs,
          spans: record.spans,
          headers: record.headers,
          payload: Buffer.from(record.payload),
        });
      }),
      { numRuns: runs },
    );
  });

  it('sorts keys by partition, then offset, whatever the time', () => {
    const places = fc.tuple(fc.nat(3), fc.nat(2 ** 40), fc.nat());
    fc.assert(
      fc.property(places, places, (a, b) => {
        const order = Math.sign(a[0] - b[0] || a[1] - b[1]);
        if (order !== 0) expect(Buffer.compare(recordKey(...a), recordKey(...b))).toBe(order);
        expect(readKey(recordKey(...a))).toEqual({ offset: a[1], timeMs: a[2] });
      }),
      { numRuns: runs },
    );
  });

  it('leaves slack behind the payload for readers that overshoot', () => {
    fc.assert(
      fc.property(records, (record) => {
        const { payload } = readRecord(recordKey(0, 0), valueOf(record));
        expect(payload.buffer.byteLength - payload.byteOffset - payload.byteLength).toBeGreaterThanOrEqual(
          footerBytes,
        );
      }),
      { numRuns: runs },
    );
  });

  it('says what is wrong with bytes it did not write', () => {
    const key = recordKey(0, 5);
    const value = valueOf({ partition: 0, payload: Buffer.from('ab'), spans: 1, headers: {} });
    expect(() => readRecord(key, value.subarray(0, 5))).toThrow(
      'the record at offset 5 is cut short: it has 5 bytes',
    );
    expect(() => readRecord(key, value.subarray(1))).toThrow('the record at offset 5 is damaged');
    value[value.length - 1] = 9;
    expect(() => readRecord(key, value)).toThrow(
      'the record at offset 5 has format 9, and this version reads 1',
    );
  });

  it('refuses a header that does not fit', () => {
    expect(() => encodeHeaders({ 'x-long': 'y'.repeat(65_536) })).toThrow(
      'header x-long is 65536 and may be 65535 at most',
    );
  });
});
