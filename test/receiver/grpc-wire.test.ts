import { BytePool } from '../../src/core/byte-pool.ts';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage, frame, parseTimeout, UnaryMessage } from '../../src/receiver/grpc-wire.ts';
import { runs } from '../property-runs.ts';

describe('grpc-timeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['10S', 10_000],
    ['99999999m', 99_999_999],
    ['1500u', 1.5],
    ['1000000n', 1],
    ['', undefined],
    ['10', undefined],
    ['S', undefined],
    ['123456789m', undefined],
    ['-1S', undefined],
    ['1 S', undefined],
  ])('%j is %j ms', (header, expected) => {
    expect(parseTimeout(header)).toBe(expected);
  });
});

it('grpc-message is printable ASCII that decodes to the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const encoded = encodeMessage(text);
      expect(encoded).toMatch(/^[ -~]*$/);
      expect(decodeURIComponent(encoded)).toBe(text.toWellFormed());
    }),
    { numRuns: runs },
  );
});

it('a framed message comes out whole, however it was cut and however late there was memory for it', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.integer({ min: 1, max: 40 })),
      fc.nat({ max: 10 }),
      (message, cuts, roomAfter) => {
        const bytes = frame(message);
        const unary = new UnaryMessage(300, new BytePool(0));
        let from = 0;
        let waits = roomAfter;
        let allocated = false;
        for (const cut of [...cuts, bytes.length]) {
          const part = unary.readPrefix(bytes.subarray(from, from + cut));
          if (unary.declaredBytes !== undefined && !allocated && waits-- === 0) {
            unary.allocate();
            allocated = true;
          }
          unary.push(part);
          from = Math.min(bytes.length, from + cut);
        }
        if (!allocated) unary.allocate();
        expect(unary.declaredBytes).toBe(message.length);
        expect(new Uint8Array(unary.finish())).toEqual(message);
      },
    ),
    { numRuns: runs },
  );
});
