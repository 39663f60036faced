import { setTimeout as sleep } from 'node:timers/promises';

/** Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"). */
export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

/** The wait before attempt `attempt` (0 is the first retry), in milliseconds; `random` is in [0, 1). */
export function delayMs(backoff: Backoff, attempt: number, random: number): number {
  return random * Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(attempt, 30));
}

/**
 * Runs `work` until it succeeds, `isFinal` says its error cannot be cured by a retry, or `signal` aborts.
 * `onRetry` sees each error that will be retried. Rejects with the last error.
 */
export async function retrying<T>(
  work: (attempt: number) => Promise<T>,
  options: {
    readonly backoff: Backoff;
    readonly signal: AbortSignal;
    readonly isFinal: (error: unknown) => boolean;
    readonly onRetry: (error: unknown, waitMs: number) => void;
  },
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      if (options.signal.aborted || options.isFinal(error)) throw error;
      const waitMs = delayMs(options.backoff, attempt, Math.random());
      options.onRetry(error, waitMs);
      await sleep(waitMs, undefined, { signal: options.signal }).catch(() => undefined); // an abort ends the wait; the next attempt decides
    }
  }
}
