import { setTimeout as sleep } from 'node:timers/promises';

type Falsy = false | null | undefined;

const pauseMs = 5;
/** The longest pause: what takes long to ask is asked less often. */
const longestPauseMs = 250;

/** Resolves when `condition` returns something truthy; rejects with `what` after `limitMs`. Errors count as "not yet". */
export async function until<T>(
  what: string,
  condition: () => T | Falsy | Promise<T | Falsy>,
  limitMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    const askedMs = performance.now();
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for: ${what}`, { cause: last });
    const tookMs = performance.now() - askedMs;
    await sleep(Math.min(Math.max(pauseMs, 2 * tookMs), longestPauseMs)); // most of the time is for what is waited for
  }
}
