/** What became of the spans of one export request. */
export interface ExportResult {
  /** Spans the stream holds durably. */
  readonly accepted: number;
  /** Spans that are invalid: the sender must not send them again. */
  readonly rejected: number;
  /** Why spans were rejected, or advice when none were; English, clamped; '' when there is nothing to say. */
  readonly message: string;
}

/**
 * Where the receiver hands a request: a protobuf ExportTraceServiceRequest, whose bytes are lent until the promise
 * settles. Resolves when the stream holds the accepted spans durably; rejects with a Failure. `signal` aborts when the
 * receiver gives up draining.
 */
export type ExportTraces = (request: Uint8Array, signal: AbortSignal) => Promise<ExportResult>;
