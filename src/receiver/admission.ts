import type { Socket } from 'node:net';
import type { ByteBudget, Lease } from '../core/budget.ts';
import type { Claims } from '../enrich/claims.ts';
import { Senders, type SenderOptions } from './senders.ts';
import { Refusal } from './status.ts';

/** Senders that name no deadline are taken to wait this long: the default of every OTel SDK. */
export const assumedDeadlineMs = 10_000;
/** The share of a sender's deadline that waiting for room may take; the rest is for the work itself. */
const waitShare = 0.8;

/** Who may send, how much, and when. */
export interface AdmissionOptions extends SenderOptions {
  readonly budget: ByteBudget;
  /** The largest request, before and after inflating. */
  readonly limitBytes: number;
  /** How long a request waits for room at most. */
  readonly maxWaitMs: number;
}

/** Decides whether a request comes in: its sender, its size, and room in the byte budget. */
export class Admission {
  readonly limitBytes: number;
  readonly #budget: ByteBudget;
  readonly #maxWaitMs: number;
  readonly #senders: Senders;

  constructor(options: AdmissionOptions) {
    this.limitBytes = options.limitBytes;
    this.#budget = options.budget;
    this.#maxWaitMs = options.maxWaitMs;
    this.#senders = new Senders(options);
  }

  /** The claims of whoever sends, as of `Senders.authenticate`. Throws an `unauthenticated` Refusal. */
  authenticate(authorization: string | undefined, connection?: Socket): readonly Claims[] {
    return this.#senders.authenticate(authorization, connection);
  }

  /** Throws a `too_large` Refusal when `bytes` are more than a request may have. */
  checkSize(bytes: number): void {
    if (bytes > this.limitBytes) {
      throw new Refusal(
        'too_large',
        `the request has more than ${this.limitBytes} bytes: send smaller batches`,
      );
    }
  }

  /** A lease of `bytes`, which the caller must release; undefined when it would have to wait, by `lease`. */
  leaseNow(bytes: number): Lease | undefined {
    return this.#budget.tryAcquire(bytes);
  }

  /**
   * Resolves with a lease of `bytes`, which the caller must release. JavaScript gRPC exporters drop their spans on any
   * error, so it waits for room before it refuses: at most 80 % of what the sender's own deadline leaves.
   * Rejects with an `overloaded` Failure, or when `signal` aborts.
   */
  lease(bytes: number, deadlineMs: number, signal: AbortSignal): Promise<Lease> {
    return this.#budget.acquire(bytes, this.#waitMs(deadlineMs), signal);
  }

  /** Raises `lease` to `bytes`; waits and rejects like `lease`. */
  grow(lease: Lease, bytes: number, deadlineMs: number, signal: AbortSignal): Promise<void> {
    return lease.grow(bytes, this.#waitMs(deadlineMs), signal);
  }

  #waitMs(deadlineMs: number): number {
    return Math.min(this.#maxWaitMs, deadlineMs * waitShare);
  }
}
