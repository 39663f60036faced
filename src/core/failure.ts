/**
 * Why a batch was not taken. Closed: `receiver/status.ts` maps each kind to one gRPC and one HTTP answer.
 *
 * - `invalid`: proven bad input; the same bytes will always fail. The sender must not retry.
 * - `overloaded`: no room now; the sender should retry after `retryAfterMs`.
 * - `unavailable`: the next hop failed or an unknown fault; retryable, because duplicates beat loss.
 */
export type FailureKind = 'invalid' | 'overloaded' | 'unavailable';

/** The one error that crosses component borders. The message is a lower-case verb phrase with its datum. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly kind: FailureKind;
  /** How long the sender should wait before it retries, in milliseconds; undefined when nobody knows. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: FailureKind, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The Failure itself, or an unknown fault wrapped as `unavailable`: retryable unless proven otherwise. */
  static from(error: unknown): Failure {
    if (error instanceof Failure) return error;
    return new Failure('unavailable', messageOf(error), { cause: error });
  }
}

/** What an error says; thrown may be anything. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
