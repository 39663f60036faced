import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { ByteBudget, type Lease } from '../../src/core/budget.ts';
import { runs } from '../property-runs.ts';

const never = new AbortController().signal;

test('admits what fits at once and refuses what does not after the wait, saying when to retry', async () => {
  vi.useFakeTimers();
  const budget = new ByteBudget(100);
  await budget.acquire(60, 1000, never);
  const refused = budget.acquire(60, 1000, never).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(999);
  expect(budget.usedBytes).toBe(60);
  await vi.advanceTimersByTimeAsync(1);
  expect(await refused).toMatchObject({ kind: 'overloaded', retryAfterMs: 1000 });
  vi.useRealTimers();
});

test('grants a waiting caller as soon as there is room, in order of arrival', async () => {
  const budget = new ByteBudget(100);
  const first = await budget.acquire(100, 1000, never);
  const order: number[] = [];
  const second = budget.acquire(90, 60_000, never).then((lease) => (order.push(2), lease));
  const third = budget.acquire(10, 60_000, never).then((lease) => (order.push(3), lease));
  first.release();
  await Promise.all([second, third]);
  expect(order).toEqual([2, 3]);
});

test('a small caller does not overtake a large one that waits', async () => {
  const budget = new ByteBudget(100);
  const first = await budget.acquire(50, 1000, never);
  const large = budget.acquire(80, 60_000, never);
  const small = budget.acquire(10, 60_000, never);
  expect(budget.usedBytes).toBe(50);
  first.release();
  await Promise.all([large, small]);
  expect(budget.usedBytes).toBe(90);
});

test('an aborted wait is refused and leaves no trace', async () => {
  const budget = new ByteBudget(10);
  const held = await budget.acquire(10, 1000, never);
  const abort = new AbortController();
  const waiting = budget.acquire(10, 60_000, abort.signal);
  abort.abort();
  await expect(waiting).rejects.toMatchObject({ kind: 'overloaded' });
  held.release();
  expect(budget.usedBytes).toBe(0);
});

test('a request larger than the whole budget is admitted alone instead of waiting for ever', async () => {
  const budget = new ByteBudget(10);
  const lease = await budget.acquire(1000, 1000, never);
  expect(budget.usedBytes).toBe(10);
  lease.release();
  expect(budget.usedBytes).toBe(0);
});

test('gives room at once only when nobody waits for it', async () => {
  const budget = new ByteBudget(100);
  const first = await budget.acquire(50, 1000, never);
  const large = budget.acquire(80, 60_000, never);
  expect(budget.tryAcquire(10)).toBeUndefined();
  first.release();
  (await large).release();
  expect(budget.tryAcquire(100)).toBeDefined();
});

test('leases that must grow finish one after the other instead of waiting for each other', async () => {
  const budget = new ByteBudget(100);
  const leases = await Promise.all(Array.from({ length: 10 }, () => budget.acquire(10, 1000, never)));
  const newcomer = budget.acquire(10, 60_000, never);
  const done: number[] = [];
  await Promise.all(
    leases.map(async (lease, index) => {
      await lease.grow(40, 60_000, never);
      expect(budget.usedBytes).toBeLessThanOrEqual(130);
      await lease.grow(80, 60_000, never);
      expect(budget.usedBytes).toBeLessThanOrEqual(170);
      done.push(index);
      lease.release();
    }),
  );
  expect(done).toHaveLength(10);
  (await newcomer).release();
  expect(budget.usedBytes).toBe(0);
});

test('a refused growth leaves the lease as it was, and one released while it waits comes back whole', async () => {
  const budget = new ByteBudget(10);
  const [over, refused, released] = await Promise.all(
    [4, 3, 3].map((bytes) => budget.acquire(bytes, 0, never)),
  );
  await over?.grow(20, 0, never);
  await expect(refused?.grow(5, 0, never)).rejects.toMatchObject({ kind: 'overloaded' });
  expect(budget.usedBytes).toBe(26);
  const growth = released?.grow(5, 60_000, never);
  released?.release();
  over?.release();
  await growth;
  expect(budget.usedBytes).toBe(3);
  refused?.shrink(1);
  expect(budget.usedBytes).toBe(1);
});

test('never admits beyond its limit and returns to zero after any interleaving of leases', async () => {
  const step = fc.record({ acquire: fc.boolean(), bytes: fc.integer({ min: 0, max: 80 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const budget = new ByteBudget(100);
      const leases: Lease[] = [];
      const pending: Promise<unknown>[] = [];
      for (const { acquire, bytes } of steps) {
        if (acquire) pending.push(budget.acquire(bytes, 60_000, never).then((lease) => leases.push(lease)));
        else leases.shift()?.release();
        await Promise.resolve();
        expect(budget.usedBytes).toBeLessThanOrEqual(100);
      }
      while (leases.length > 0 || budget.usedBytes > 0) {
        leases.shift()?.release();
        await new Promise(setImmediate);
      }
      await Promise.all(pending);
      for (const lease of leases) lease.release();
      expect(budget.usedBytes).toBe(0);
    }),
    { numRuns: runs },
  );
});

test('whatever grows, only one growth is beyond the limit, and everybody who holds room in the end gives it back', async () => {
  const size = fc.integer({ min: 0, max: 80 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(size, size), { maxLength: 20 }), async (sizes) => {
      const budget = new ByteBudget(100);
      let finished = 0;
      const work = sizes.map(async ([first, more]) => {
        const lease = await budget.acquire(first, 60_000, never);
        expect(budget.usedBytes).toBeLessThanOrEqual(100 + 80);
        await lease.grow(first + more, 60_000, never);
        expect(budget.usedBytes).toBeLessThanOrEqual(100 + 80);
        await new Promise(setImmediate);
        lease.shrink(first);
        lease.release();
        finished++;
      });
      await Promise.all(work);
      expect([finished, budget.usedBytes]).toEqual([sizes.length, 0]);
    }),
    { numRuns: runs / 5 },
  );
});
