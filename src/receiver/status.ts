import { Failure, type FailureKind } from '../core/failure.ts';
import type { Signal } from '../otlp/json-schema.ts';

/** Why the edge itself turned a request away, before anybody downstream saw it. */
export type RefusalReason =
  | 'too_large'
  | 'unauthenticated'
  | 'unknown_path'
  | 'wrong_method'
  | 'wrong_media_type'
  | 'wrong_encoding'
  | 'too_slow';

/** A request turned away by the edge. The message is a sentence for the sender, naming the thing and the fix. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** What `outcome` a request has in the metrics: `refused` may be sent again, `rejected` must not. */
type Outcome = 'refused' | 'rejected';

interface Row {
  /** A `google.rpc.Code`. */
  readonly grpc: number;
  readonly http: number;
  readonly outcome: Outcome;
}

/**
 * The one table from failure to answer. OTLP 1.11 lets senders repeat UNAVAILABLE, DEADLINE_EXCEEDED and 503, and
 * forbids it for every other row here (RESOURCE_EXHAUSTED carries no RetryInfo). HTTP's own 408 is not among those to repeat.
 */
const rows: Readonly<Record<FailureKind | RefusalReason, Row>> = {
  invalid: { grpc: 3, http: 400, outcome: 'rejected' },
  overloaded: { grpc: 14, http: 503, outcome: 'refused' },
  unavailable: { grpc: 14, http: 503, outcome: 'refused' },
  too_large: { grpc: 8, http: 413, outcome: 'rejected' },
  unauthenticated: { grpc: 16, http: 401, outcome: 'rejected' },
  unknown_path: { grpc: 12, http: 404, outcome: 'rejected' },
  wrong_method: { grpc: 12, http: 405, outcome: 'rejected' },
  wrong_media_type: { grpc: 12, http: 415, outcome: 'rejected' },
  wrong_encoding: { grpc: 12, http: 415, outcome: 'rejected' },
  too_slow: { grpc: 4, http: 503, outcome: 'refused' },
};

/** What the sender is told. */
export interface Answer extends Row {
  readonly message: string;
  /** When the sender may try again, in milliseconds, jittered; undefined when it must not. */
  readonly retryAfterMs: number | undefined;
  /** The field that is wrong, when the request was invalid. */
  readonly badField: string | undefined;
  /** The fault itself when it is no Failure: a bug to log, never to show. */
  readonly bug: unknown;
}

const defaultRetryMs = 1000;

function jittered(delayMs: number, random: number): number {
  return Math.ceil(delayMs * (1 + random));
}

/** The field that an invalid request has wrong. */
const requestFields: Readonly<Record<Signal, string>> = { traces: 'resource_spans', logs: 'resource_logs' };

/**
 * The answer to a request that failed with `error`. A fault that is no Failure is a bug: it stays retryable, and its
 * text, which may hold data of others, is not shown. `random` in [0, 1) spreads the retries over twice the delay.
 */
export function answerTo(error: unknown, random: number, request: Signal = 'traces'): Answer {
  if (error instanceof Refusal) {
    const row = rows[error.reason];
    return {
      ...row,
      message: error.message,
      retryAfterMs: row.outcome === 'refused' ? jittered(defaultRetryMs, random) : undefined,
      badField: undefined,
      bug: undefined,
    };
  }
  if (!(error instanceof Failure)) {
    const hidden = new Failure(
      'unavailable',
      'internal fault, the log of the receiver has it; send again later',
    );
    return { ...answerTo(hidden, random, request), bug: error ?? 'undefined thrown' };
  }
  const { kind, message, retryAfterMs = defaultRetryMs } = error;
  return {
    ...rows[kind],
    message,
    retryAfterMs: kind === 'invalid' ? undefined : jittered(retryAfterMs, random),
    badField: kind === 'invalid' ? requestFields[request] : undefined,
    bug: undefined,
  };
}

/** What to tell a sender of another signal; undefined when `signal` names none that OTLP has. */
export function wrongSignalSentence(signal: string): string | undefined {
  if (!['metrics', 'profiles'].includes(signal)) return undefined;
  const variable = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`;
  return `this receiver takes traces and logs only, not ${signal}: send ${signal} elsewhere (${variable}) or switch that exporter off`;
}
