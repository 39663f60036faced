import type { Lease } from '../core/budget.ts';
import { BytePool } from '../core/byte-pool.ts';
import { systemClock, type Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { Claims } from '../enrich/claims.ts';
import { jsonToProtobuf } from '../otlp/json-to-protobuf.ts';
import type { Signal } from '../otlp/json-schema.ts';
import type { Encoding } from '../otlp/messages.ts';
import { Admission, assumedDeadlineMs, type AdmissionOptions } from './admission.ts';
import { Coalescer } from './coalesce.ts';
import { RefusedSpans, type ExportRequest, type ExportResult } from './export.ts';
import { inflate, type Compression } from './inflate.ts';
import { answerTo, type Answer } from './status.ts';

/** How a request came in, as the metrics name it. */
export type Transport = 'grpc' | 'http';

/** A whole request body, as received. */
export interface Body {
  readonly bytes: Buffer;
  readonly compression: Compression;
  readonly encoding: Encoding;
  readonly kind: Signal;
  /** Those of its sender, which its spans must be within. */
  readonly claims: readonly Claims[];
}

/** What the intake needs. One intake serves the listeners of one configured receiver: they share its budget and its memory of bodies. */
export interface IntakeOptions extends AdmissionOptions {
  readonly exports: Readonly<Record<Signal, ExportRequest>>;
  /** How long a body is remembered, so that its repeat is joined to the first answer; 0 is off. */
  readonly coalesceWindowMs: number;
  readonly telemetry: Telemetry;
  readonly log: Log;
  readonly clock?: Clock | undefined;
}

/** Bodies remembered at most: 30 MB, and 5 MB for each of a token and a certificate whose bearers have limits. Beyond 800 requests a second the window is shorter than two minutes. */
const rememberedBodies = 100_000;

/** Why something is rejected: it is not valid, or its sender may not claim what it says. */
const rejections = ['invalid', 'forbidden'] as const;

/** The counters of what requests hold. They exist from the start, so that their first increase is seen. */
const counters = {
  traces: {
    accepted: 'plimsoll_receiver_accepted_spans_total',
    refused: 'plimsoll_receiver_refused_spans_total',
    rejected: 'plimsoll_receiver_rejected_spans_total',
  },
  logs: {
    accepted: 'plimsoll_receiver_accepted_log_records_total',
    refused: 'plimsoll_receiver_refused_log_records_total',
    rejected: 'plimsoll_receiver_rejected_log_records_total',
    unstored: 'plimsoll_receiver_unstored_log_records_total',
  },
} as const;

/** Memory kept for bodies between requests. */
const pooledBytes = 32 << 20;

/** What gRPC and HTTP have in common: from the whole body to the answer, counted. */
export class Intake {
  readonly admission: Admission;
  /** For the bodies of requests; `take` gives them back. */
  readonly memory = new BytePool(pooledBytes);
  readonly #exports: IntakeOptions['exports'];
  readonly #coalescer: Coalescer<ExportResult>;
  readonly #telemetry: Telemetry;
  readonly #log: Log;

  constructor(options: IntakeOptions) {
    this.admission = new Admission(options);
    this.#exports = options.exports;
    this.#coalescer = new Coalescer({
      windowMs: options.coalesceWindowMs,
      limit: rememberedBodies,
      clock: options.clock ?? systemClock,
    });
    this.#telemetry = options.telemetry;
    this.#log = options.log;
    for (const transport of ['grpc', 'http'] as const)
      for (const { rejected, ...others } of Object.values(counters)) {
        const labels = { receiver: 'otlp', transport };
        for (const name of Object.values(others)) this.#telemetry.count(name, 0, labels);
        for (const reason of rejections) this.#telemetry.count(rejected, 0, { ...labels, reason });
      }
  }

  /**
   * Takes `body`, whose bytes nobody else may read from now on, and its lease, which it releases when the work is done. Resolves with the result to tell the sender;
   * rejects with what `answer` understands. A sender that was answered meanwhile does not end the work: a repeat joins it.
   */
  async take(transport: Transport, body: Body, lease: Lease, signal: AbortSignal): Promise<ExportResult> {
    try {
      const plain = await this.#inflate(body, lease, signal);
      const { kind, encoding, claims } = body;
      const read = [kind, encoding, ...claims.map(({ key }) => key)].join(' '); // what another may not claim, its sender may
      const { answer, joined } = this.#coalescer.run(read, plain, () =>
        this.#export(transport, plain, body, signal),
      );
      if (joined) {
        lease.release();
        this.#telemetry.count('plimsoll_receiver_joined_requests_total', 1, { receiver: 'otlp', transport });
      }
      return await answer;
    } finally {
      lease.release();
      this.memory.give(body.bytes);
    }
  }

  /** Counts a request that is answered with success; it was whole at `wholeMs` of `performance.now()`. */
  succeeded(transport: Transport, wholeMs: number): void {
    const labels = { receiver: 'otlp', transport };
    this.#telemetry.count('plimsoll_receiver_requests_total', 1, { ...labels, outcome: 'success' });
    const seconds = (performance.now() - wholeMs) / 1000;
    this.#telemetry.observe('plimsoll_receiver_request_duration_seconds', seconds, labels);
  }

  /** What to tell the sender of a request that failed with `error`, counted; a fault nobody foresaw is logged. */
  answer(transport: Transport, error: unknown, kind?: Signal): Answer {
    const answer = answerTo(error, Math.random(), kind);
    if (answer.bug !== undefined)
      this.#log.error({ err: answer.bug, transport }, 'request failed for a reason nobody foresaw');
    const labels = { receiver: 'otlp', transport, outcome: answer.outcome };
    this.#telemetry.count('plimsoll_receiver_requests_total', 1, labels);
    return answer;
  }

  /** The plain bytes of `body`; from now on `lease` covers them as well. */
  async #inflate({ bytes, compression }: Body, lease: Lease, signal: AbortSignal): Promise<Buffer> {
    const plain = await inflate(bytes, compression, {
      limitBytes: this.admission.limitBytes,
      reserve: (plainBytes) =>
        this.admission.grow(lease, bytes.length + plainBytes, assumedDeadlineMs, signal),
    });
    if (plain !== bytes) lease.shrink(bytes.length + plain.buffer.byteLength);
    return plain;
  }

  async #export(
    transport: Transport,
    plain: Uint8Array,
    { encoding, kind, claims }: Body,
    signal: AbortSignal,
  ): Promise<ExportResult> {
    const converted =
      encoding === 'json' ? jsonToProtobuf(plain, kind) : { bytes: plain, rejected: 0, reasons: [] };
    const labels = { receiver: 'otlp', transport };
    const names = counters[kind];
    const taken = await this.#exports[kind](converted.bytes, signal, claims).catch((error: unknown) => {
      if (error instanceof RefusedSpans) this.#telemetry.count(names.refused, error.spans, labels);
      throw error;
    });
    const { accepted, forbidden = 0, unstored = 0 } = taken;
    const invalid = taken.rejected + converted.rejected;
    this.#telemetry.count(names.accepted, accepted, labels);
    const rejected = { invalid, forbidden };
    for (const reason of rejections)
      if (rejected[reason] > 0)
        this.#telemetry.count(names.rejected, rejected[reason], { ...labels, reason });
    if (unstored > 0) this.#telemetry.count(counters.logs.unstored, unstored, labels);
    const message = [...converted.reasons, taken.message].filter((reason) => reason !== '').join('; ');
    return { accepted, rejected: invalid + forbidden + unstored, message };
  }
}

/** What to tell a sender that can wait no longer, while the work goes on. */
export function notYetDurable(limitMs: number): Failure {
  return new Failure('unavailable', `not durable within ${limitMs} ms: send the same batch again`);
}
