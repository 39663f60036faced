import fc from 'fast-check';
import { expect, test } from 'vitest';
import { delayMs, retrying } from '../../src/core/backoff.ts';
import { runs } from '../property-runs.ts';

const backoff = { initialMs: 100, maxMs: 5000 };
const quick = { initialMs: 0, maxMs: 0 };

test('a wait is never longer than the limit and never longer than twice per attempt', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.double({ min: 0, max: 0.999_999, noNaN: true }), (attempt, random) => {
      const wait = delayMs(backoff, attempt, random);
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(Math.min(5000, 100 * 2 ** attempt));
    }),
    { numRuns: runs },
  );
});

test('retries until the work succeeds and shows each error it retries', async () => {
  const seen: string[] = [];
  const result = await retrying(
    (attempt) => (attempt < 2 ? Promise.reject(new Error(`attempt ${attempt}`)) : Promise.resolve('done')),
    {
      backoff: quick,
      signal: new AbortController().signal,
      isFinal: () => false,
      onRetry: (error) => seen.push(String(error)),
    },
  );
  expect(result).toBe('done');
  expect(seen).toEqual(['Error: attempt 0', 'Error: attempt 1']);
});

test('gives up at once on an error that no retry can cure', async () => {
  let attempts = 0;
  const work = (): Promise<never> => Promise.reject(new Error(`attempt ${attempts++}`));
  const signal = new AbortController().signal;
  await expect(
    retrying(work, { backoff: quick, signal, isFinal: () => true, onRetry: () => undefined }),
  ).rejects.toThrow('attempt 0');
  expect(attempts).toBe(1);
});

test('an abort ends the wait and the retries, with the last error', async () => {
  const abort = new AbortController();
  const retry = { backoff: { initialMs: 1e6, maxMs: 1e6 }, signal: abort.signal, isFinal: () => false };
  await expect(
    retrying(() => Promise.reject(new Error('down')), { ...retry, onRetry: () => abort.abort() }),
  ).rejects.toThrow('down');
});
