import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves when `condition` returns something truthy; rejects with `what` after `limitMs`. Errors count as "not yet". */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = 30_000,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = Date.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | null | undefined>;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for: ${what}`, { cause: last });
    await sleep(5);
  }
}
