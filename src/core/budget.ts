import { Failure } from './failure.ts';

/** A share of the budget; `release` gives it back and is idempotent. */
export interface Lease {
  /**
   * Raises the share to `bytes`; one call at a time. Waits like `acquire` and rejects alike, before everybody who holds
   * nothing yet. The share stays as it was when it is refused.
   */
  grow(bytes: number, waitMs: number, signal: AbortSignal): Promise<void>;
  /** Lowers the share to `bytes`; never raises it. */
  shrink(bytes: number): void;
  release(): void;
}

interface Waiting {
  readonly bytes: number;
  /** Who grows; undefined for a caller that holds nothing yet. */
  readonly grower: symbol | undefined;
  readonly grant: () => void;
}

/**
 * The bytes that may be in flight in this process. Refusing early is the only queue it has: a caller waits a
 * bounded time for room, in arrival order, and is then refused as `overloaded`.
 *
 * Leases that must grow before they can be given back could wait for each other. So one of them at a time may overdraw
 * the budget: it finishes, and what it held lets the next one go on. In use are at most the limit and one such growth.
 */
export class ByteBudget {
  readonly limitBytes: number;
  #usedBytes = 0;
  /** The lease whose growth is beyond the limit. */
  #overdrawnBy: symbol | undefined;
  /** Those who grow, then those who hold nothing yet. */
  #waiting: Waiting[] = [];

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** A lease of `bytes`, unless it would have to wait. */
  tryAcquire(bytes: number): Lease | undefined {
    const wanted = Math.min(bytes, this.limitBytes);
    if (this.#waiting.length > 0 || !this.#hasRoom(wanted)) return undefined;
    this.#use(wanted);
    return this.#lease(wanted);
  }

  /** Resolves with a lease of `bytes`; rejects with an `overloaded` Failure after `waitMs` or when `signal` aborts. */
  async acquire(bytes: number, waitMs: number, signal: AbortSignal): Promise<Lease> {
    const free = this.tryAcquire(bytes);
    if (free) return free;
    const wanted = Math.min(bytes, this.limitBytes);
    await this.#wait(wanted, waitMs, signal);
    return this.#lease(wanted);
  }

  #lease(bytes: number): Lease {
    const grower = Symbol('lease');
    let held = bytes;
    let released = false;
    const giveBack = (part: number): void => {
      held -= part;
      this.#usedBytes -= part;
      if (this.#usedBytes <= this.limitBytes) this.#overdrawnBy = undefined;
      this.#grantWaiting();
    };
    return {
      grow: async (next, waitMs, signal) => {
        const more = next - held;
        if (more <= 0) return;
        const behind = this.#waiting.some((other) => other.grower !== undefined);
        if (this.#overdrawnBy === grower || (!behind && this.#hasRoom(more, grower))) this.#use(more, grower);
        else await this.#wait(more, waitMs, signal, grower);
        held += more;
        if (released) giveBack(held);
      },
      shrink: (next) => {
        if (next < held) giveBack(held - next);
      },
      release: () => {
        released = true;
        giveBack(held);
      },
    };
  }

  #hasRoom(bytes: number, grower?: symbol): boolean {
    const fits = this.#usedBytes + bytes <= this.limitBytes;
    return fits || (grower !== undefined && this.#overdrawnBy === undefined);
  }

  #use(bytes: number, grower?: symbol): void {
    this.#usedBytes += bytes;
    if (this.#usedBytes > this.limitBytes) this.#overdrawnBy = grower;
  }

  #wait(bytes: number, waitMs: number, signal: AbortSignal, grower?: symbol): Promise<void> {
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
    const grant = (): void => {
      settle();
      resolve();
    };
    const entry = { bytes, grower, grant };
    const firstArriving = this.#waiting.findIndex((other) => other.grower === undefined);
    const place = grower === undefined || firstArriving < 0 ? this.#waiting.length : firstArriving;
    this.#waiting.splice(place, 0, entry);
    signal.addEventListener('abort', refuse, { once: true });
    if (signal.aborted) refuse();
    return promise;
  }

  #grantWaiting(): void {
    for (
      let next = this.#waiting[0];
      next && this.#hasRoom(next.bytes, next.grower);
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#use(next.bytes, next.grower);
      next.grant();
    }
  }
}
