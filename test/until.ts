import { setTimeout as sleep } from 'node:timers/promises';

type Falsy = false | null | undefined;

/** Resolves when `condition` returns something truthy; rejects with `what` after `limitMs`. Errors count as "not yet". */
export async function until<T>(
  what: string,
  condition: () => T | Falsy | Promise<T | Falsy>,
  limitMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for: ${what}`, { cause: last });
    await sleep(5);
  }
}
