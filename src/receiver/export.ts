import { Failure } from '../core/failure.ts';
import type { Claims } from '../enrich/claims.ts';

/** What became of the spans or log records of one export request. */
export interface ExportResult {
  /** Those the stream holds durably. */
  readonly accepted: number;
  /** Those that are invalid: the sender must not send them again. */
  readonly rejected: number;
  /** Those that are valid and of what their bearer may not claim; the sender is told so as if they were rejected. */
  readonly forbidden?: number;
  /** Those that are valid and that nobody here asks for; the sender is told so as if they were rejected. */
  readonly unstored?: number;
  /** Why any were left out, or advice when none were; English, clamped; '' when there is nothing to say. */
  readonly message: string;
}

/** A request whose spans were good, but could not be taken now: what stopped it, and how many spans its sender still has. */
export class RefusedSpans extends Failure {
  readonly spans: number;

  constructor(spans: number, { kind, message, retryAfterMs, cause }: Failure) {
    super(kind, message, { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) });
    this.spans = spans;
  }
}

/**
 * Where the receiver hands a request: a protobuf ExportTraceServiceRequest, or one of logs, whose bytes are lent until the promise
 * settles. Resolves when the stream holds what was accepted durably; rejects with a Failure, a RefusedSpans when it knows how many. `signal` aborts when the
 * receiver gives up draining; `claims` are those of whoever sent it, and all of them hold.
 */
export type ExportRequest = (
  request: Uint8Array,
  signal: AbortSignal,
  claims: readonly Claims[],
) => Promise<ExportResult>;
