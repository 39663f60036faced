import { Failure } from './failure.ts';

/** A share of the budget; `release` gives it back and is idempotent. */
export interface Lease {
  /** Changes the share to `bytes`, once the true size is known; may exceed the budget for work already admitted. */
  resize(bytes: number): void;
  release(): void;
}

/**
 * The bytes that may be in flight in this process. Refusing early is the only queue it has: a caller waits a
 * bounded time for room, in arrival order, and is then refused as `overloaded`.
 */
export class ByteBudget {
  readonly limitBytes: number;
  #usedBytes = 0;
  #waiting: { bytes: number; grant: () => void }[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Resolves with a lease of `bytes`; rejects with an `overloaded` Failure after `waitMs` or when `signal` aborts. */
  async acquire(bytes: number, waitMs: number, signal: AbortSignal): Promise<Lease> {
    const wanted = Math.min(bytes, this.limitBytes);
    if (this.#waiting.length > 0 || this.#usedBytes + wanted > this.limitBytes)
      await this.#wait(wanted, waitMs, signal);
    else this.#usedBytes += wanted;
    return this.#lease(wanted);
  }

  #lease(bytes: number): Lease {
    let held = bytes;
    let released = false;
    return {
      resize: (next) => {
        if (released) return;
        this.#usedBytes += next - held;
        held = next;
        this.#grantWaiting();
      },
      release: () => {
        if (released) return;
        released = true;
        this.#usedBytes -= held;
        this.#grantWaiting();
      },
    };
  }

  #wait(bytes: number, waitMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const refuse = (): void => {
      settle();
      this.#waiting = this.#waiting.filter((other) => other !== entry);
      this.#grantWaiting();
      reject(
        new Failure('overloaded', `no room for ${bytes} bytes within ${waitMs} ms`, { retryAfterMs: 1000 }),
      );
    };
    const timer = setTimeout(refuse, waitMs);
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', refuse);
    };
    const entry = {
      bytes,
      grant: (): void => {
        settle();
        resolve();
      },
    };
    this.#waiting.push(entry);
    signal.addEventListener('abort', refuse, { once: true });
    if (signal.aborted) refuse();
    return promise;
  }

  #grantWaiting(): void {
    for (
      let next = this.#waiting[0];
      next && this.#usedBytes + next.bytes <= this.limitBytes;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#usedBytes += next.bytes;
      next.grant();
    }
  }
}
