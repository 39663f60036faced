import { expect, test } from 'vitest';
import { PayloadPool } from '../../src/otlp/payload-pool.ts';

test('memory that was given back is used again, for what fits into it', () => {
  const pool = new PayloadPool(1 << 20);
  const first = pool.take(5000);
  expect(first.length).toBe(8192);
  pool.give(first.subarray(10, 20));
  expect(pool.take(9000).buffer).not.toBe(first.buffer);
  const again = pool.take(4097);
  expect(again.buffer).toBe(first.buffer);
  expect(again.length).toBe(8192);
  expect(pool.take(4097).buffer).not.toBe(first.buffer);
});

test('no more is kept than the limit', () => {
  const pool = new PayloadPool(8192);
  const [first, second] = [pool.take(8192), pool.take(8192)];
  pool.give(first);
  pool.give(second);
  expect(pool.take(8192).buffer).toBe(first.buffer);
  expect(pool.take(8192).buffer).not.toBe(second.buffer);
});

test('memory that was not taken here, or was given back before, is left alone', () => {
  const pool = new PayloadPool(1 << 20);
  const foreign = Buffer.allocUnsafeSlow(8192);
  pool.give(foreign);
  const first = pool.take(8192);
  expect(first.buffer).not.toBe(foreign.buffer);
  pool.give(first);
  pool.give(first);
  expect(pool.take(8192).buffer).toBe(first.buffer);
  expect(pool.take(8192).buffer).not.toBe(first.buffer);
});

test('without a limit to keep, memory is as large as asked and never kept', () => {
  const pool = new PayloadPool(0);
  const taken = pool.take(5000);
  expect(taken.length).toBe(5000);
  pool.give(taken);
  expect(pool.take(5000).buffer).not.toBe(taken.buffer);
});
