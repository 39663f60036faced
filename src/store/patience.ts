import { delayMs, type Backoff } from '../core/backoff.ts';
import { Failure, messageOf } from '../core/failure.ts';

/** How often, and after which waits, somebody who can give up asks again. */
export interface PatienceSettings {
  readonly backoff: Backoff;
  /** How often in a row the table may fail to answer before it is given up. */
  readonly patience: number;
}

export const defaultPatience: PatienceSettings = {
  backoff: { initialMs: 200, maxMs: 10_000 },
  patience: 8,
};

/** Asks a table again that does not answer, until it has failed too often. */
export class Patience {
  readonly #settings: PatienceSettings;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #saying: (message: string) => string;

  /** `pause` resolves after so many milliseconds; `saying` tells, of the last error, that it was given up. */
  constructor(
    settings: PatienceSettings,
    pause: (ms: number) => Promise<void>,
    saying: (message: string) => string,
  ) {
    this.#settings = settings;
    this.#pause = pause;
    this.#saying = saying;
  }

  /** Repeats `work` until it succeeds, `halt` aborts, its error is none that `mayPass`, or it has failed too often. */
  async persist<T>(
    work: () => Promise<T>,
    halt?: AbortSignal,
    mayPass: (error: unknown) => boolean = () => true,
  ): Promise<T> {
    for (let failures = 0; ; failures++) {
      halt?.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        if (!mayPass(error)) throw error;
        await this.wait(error, failures);
      }
    }
  }

  /** Waits before what failed with `error`, and `failures` times before, is tried again; throws an `unavailable` Failure when that is too often. */
  async wait(error: unknown, failures: number): Promise<void> {
    const { patience, backoff } = this.#settings;
    if (failures >= patience)
      throw new Failure('unavailable', this.#saying(messageOf(error)), { cause: error });
    await this.#pause(delayMs(backoff, failures, Math.random()));
  }
}
