import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BytePool } from '../../src/core/byte-pool.ts';
import { runs } from '../property-runs.ts';

function overlap(a: Buffer, b: Buffer): boolean {
  return (
    a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.length && b.byteOffset < a.byteOffset + a.length
  );
}

test('never lends the same memory to two owners, whatever is taken and given back', () => {
  const step = fc.oneof(
    fc.record({ take: fc.integer({ min: 1, max: 40_000 }) }),
    fc.record({ give: fc.nat(20), twice: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(100_000), (steps, limitBytes) => {
      const pool = new BytePool(limitBytes);
      const owned: Buffer[] = [];
      for (const action of steps) {
        if ('take' in action) {
          const taken = pool.take(action.take);
          expect(taken.length).toBe(action.take);
          expect(owned.some((other) => overlap(other, taken))).toBe(false);
          owned.push(taken);
        } else {
          const [given] = owned.splice(action.give % Math.max(1, owned.length), 1);
          if (given) pool.give(given);
          if (given && action.twice) pool.give(given);
        }
      }
    }),
    { numRuns: runs },
  );
});

test('memory given back is used again, up to the limit', () => {
  const pool = new BytePool(32_768);
  const [a, b, c] = [pool.take(20_000), pool.take(20_000), pool.take(20_000)];
  for (const bytes of [a, b, c]) pool.give(bytes);
  expect(pool.take(24_000).buffer).toBe(a.buffer);
  expect([b.buffer, c.buffer]).not.toContain(pool.take(24_000).buffer);
});

test('memory that was not taken from it is not kept', () => {
  const pool = new BytePool(1 << 20);
  const stranger = Buffer.alloc(32_768);
  pool.give(stranger);
  expect(pool.take(32_768).buffer).not.toBe(stranger.buffer);
});
