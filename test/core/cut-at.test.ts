import { expect, test } from 'vitest';
import { cutAt } from '../../src/core/cut-at.ts';

/** Work that ends when it is cut, or by itself. */
function work() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let cuts = 0;
  const cut = (): void => {
    cuts++;
    resolve('cut');
  };
  return { promise, resolve, reject, cut, cuts: () => cuts };
}

test('what ends before its deadline is not cut, then or later', async () => {
  const { promise, resolve, cut, cuts } = work();
  const deadline = new AbortController();
  const ended = cutAt(deadline.signal, cut, promise);
  resolve('done');
  expect(await ended).toBe('done');
  deadline.abort();
  expect(cuts()).toBe(0);
});

test('what does not is cut once, and so is what begins after it', async () => {
  const first = work();
  const deadline = new AbortController();
  const ended = cutAt(deadline.signal, first.cut, first.promise);
  deadline.abort();
  expect(await ended).toBe('cut');
  const second = work();
  expect(await cutAt(deadline.signal, second.cut, second.promise)).toBe('cut');
  expect([first.cuts(), second.cuts()]).toEqual([1, 1]);
});

test('what fails is not cut any more', async () => {
  const { promise, reject, cut, cuts } = work();
  const deadline = new AbortController();
  const ended = cutAt(deadline.signal, cut, promise);
  reject(new Error('broken'));
  await expect(ended).rejects.toThrow('broken');
  deadline.abort();
  expect(cuts()).toBe(0);
});
