import type { Failure } from '../core/failure.ts';

/** One append: settles when each of its records has, in whichever partition, because until then their memory is lent. */
export class Append {
  readonly signal: AbortSignal;
  readonly settled: Promise<void>;
  readonly #settle: { resolve: () => void; reject: (reason: Failure) => void };
  #left: number;
  #failure: Failure | undefined;

  constructor(records: number, signal: AbortSignal) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.settled = promise;
    this.#settle = { resolve, reject };
    this.#left = records;
    this.signal = signal;
  }

  /** Settles one record: durable, or not because of `failure`. What a retry can cure outweighs what it cannot. */
  settle(failure: Failure | undefined): void {
    if (failure && this.#failure?.kind !== 'unavailable') this.#failure = failure;
    if (--this.#left > 0) return;
    if (this.#failure) this.#settle.reject(this.#failure);
    else this.#settle.resolve();
  }
}
