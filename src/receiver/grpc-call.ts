import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Lease } from '../core/budget.ts';
import { Failure } from '../core/failure.ts';
import { unlimited, type Claims } from '../enrich/claims.ts';
import type { Signal } from '../otlp/json-schema.ts';
import { encodeExportResponse, encodeStatus } from '../otlp/messages.ts';
import type { ExportResult } from './export.ts';
import { encodeMessage, frame, parseTimeout, UnaryMessage } from './grpc-wire.ts';
import type { Compression } from './inflate.ts';
import { notYetDurable, type Intake } from './intake.ts';
import { Refusal, type Answer } from './status.ts';

const contentType = 'application/grpc';
const acceptEncoding = 'identity,gzip,zstd';
const okHeaders = [':status', '200', 'content-type', contentType, 'grpc-accept-encoding', acceptEncoding];
const okTrailers = { 'grpc-status': '0' };
const emptyFrame = frame(new Uint8Array());
/** Even a sender that would wait longer is answered by then; a repeat of the batch joins the work that goes on. */
const answerLimitMs = 30_000;
/** The answer leaves when this share of the sender's deadline has passed, so that it arrives before it. */
const answerShare = 0.9;

/** Writes one message and leaves the call open. */
export function sendMessage(stream: ServerHttp2Stream, message: Uint8Array): void {
  if (!stream.headersSent) {
    stream.respond(okHeaders, { waitForTrailers: true });
  }
  stream.write(frame(message));
}

/** Ends a call that succeeded with its one message. */
export function sendUnary(stream: ServerHttp2Stream, framed: Buffer): void {
  if (stream.destroyed || stream.closed) return; // the sender hung up
  stream.respond(okHeaders, { waitForTrailers: true });
  stream.once('wantTrailers', () => stream.sendTrailers(okTrailers));
  stream.end(framed);
}

/** Ends a call with a status other than OK, whatever part of the request has not arrived yet. */
export function sendStatus(
  stream: ServerHttp2Stream,
  answer: Pick<Answer, 'grpc' | 'message'> & Partial<Answer>,
): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  const headers: Record<string, string> = {
    ':status': '200',
    'content-type': contentType,
    'grpc-status': String(answer.grpc),
    'grpc-message': encodeMessage(answer.message),
    'grpc-accept-encoding': acceptEncoding,
  };
  const { retryAfterMs: retryDelayMs, badField } = answer;
  if (retryDelayMs !== undefined || badField !== undefined) {
    const details = encodeStatus('protobuf', {
      code: answer.grpc,
      message: answer.message,
      retryDelayMs,
      badField,
    });
    headers['grpc-status-details-bin'] = Buffer.from(details).toString('base64');
  }
  stream.respond(headers, { endStream: true });
  if (!stream.readableEnded) {
    stream.close(constants.NGHTTP2_NO_ERROR); // RFC 9113 §8.1: a whole answer may end the request early
  }
}

function compressionOf(headers: IncomingHttpHeaders): Compression {
  const encoding = headers['grpc-encoding'] ?? 'identity';
  if (encoding === 'identity' || encoding === 'gzip' || encoding === 'zstd') return encoding;
  throw new Refusal(
    'wrong_encoding',
    `compression ${String(encoding)} is not known here: use gzip, zstd or none`,
  );
}

/** One call of `TraceService/Export` or `LogsService/Export`: collects its message under a lease, hands it to the intake, answers. */
export class ExportCall {
  readonly #stream: ServerHttp2Stream;
  readonly #intake: Intake;
  readonly #kind: Signal;
  readonly #signal: AbortSignal;
  readonly #message: UnaryMessage;
  #deadlineMs = Infinity;
  #compression: Compression = 'identity';
  #claims: readonly Claims[] = unlimited;
  #lease: Promise<Lease> | undefined;
  #isOver = false;
  /** Aborts when the call is over while it waits for room, whoever ended it. */
  #waiting: AbortController | undefined;
  #handedOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: ServerHttp2Stream, intake: Intake, kind: Signal, signal: AbortSignal) {
    this.#stream = stream;
    this.#kind = kind;
    this.#intake = intake;
    this.#signal = signal;
    this.#message = new UnaryMessage(intake.admission.limitBytes, intake.memory);
  }

  /** Serves the call from its headers on. */
  receive(headers: IncomingHttpHeaders): void {
    const timeout = headers['grpc-timeout'];
    this.#deadlineMs = parseTimeout(typeof timeout === 'string' ? timeout : undefined) ?? Infinity;
    try {
      const connection = this.#stream.session?.socket;
      this.#claims = this.#intake.admission.authenticate(headers.authorization, connection);
      this.#compression = compressionOf(headers);
    } catch (error) {
      this.#fail(error);
      return;
    }
    const limitMs = Math.ceil(Math.min(answerLimitMs, this.#deadlineMs * answerShare));
    this.#timer = setTimeout(() => this.#onTimeUp(limitMs), limitMs);
    this.#stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#stream.on('end', () => void this.#onEnd());
    this.#stream.on('close', () => this.#onClose());
  }

  #onData(chunk: Buffer): void {
    if (this.#stream.headersSent) return; // refused already; what still arrives is dropped
    try {
      const part = this.#message.readPrefix(chunk);
      const bytes = this.#message.declaredBytes;
      if (this.#lease === undefined && bytes !== undefined) this.#makeRoom(bytes);
      this.#message.push(part);
    } catch (error) {
      this.#fail(error);
    }
  }

  #makeRoom(bytes: number): void {
    const { admission } = this.#intake;
    const lease = admission.leaseNow(bytes);
    if (lease) {
      this.#lease = Promise.resolve(lease);
      this.#message.allocate();
      return;
    }
    this.#stream.pause(); // what is under way fits the window of the stream
    this.#waiting = new AbortController();
    this.#lease = admission.lease(bytes, this.#deadlineMs, this.#waiting.signal);
    void this.#resumeWith(this.#lease);
  }

  async #resumeWith(lease: Promise<Lease>): Promise<void> {
    try {
      await lease;
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#isOver) return;
    this.#message.allocate();
    this.#stream.resume();
  }

  async #onEnd(): Promise<void> {
    if (this.#stream.headersSent) return;
    const wholeMs = performance.now();
    try {
      const lease = await this.#lease;
      if (this.#isOver) return;
      const bytes = this.#message.finish();
      const compression = this.#message.compressed ? this.#compression : 'identity';
      if (this.#message.compressed && compression === 'identity') {
        throw new Failure('invalid', 'the message is marked as compressed, but no grpc-encoding says how');
      }
      if (lease === undefined) throw new Failure('invalid', 'the call has no message');
      this.#handedOver = true;
      const kind = this.#kind;
      const body = { bytes, compression, encoding: 'protobuf', kind, claims: this.#claims } as const;
      this.#succeed(await this.#intake.take('grpc', body, lease, this.#signal), wholeMs);
    } catch (error) {
      this.#fail(error);
    }
  }

  #succeed(result: ExportResult, wholeMs: number): void {
    if (this.#stream.headersSent) return; // told to come back already: its repeat is joined to this result
    this.#intake.succeeded('grpc', wholeMs);
    const plain = result.rejected === 0 && result.message === '';
    sendUnary(
      this.#stream,
      plain
        ? emptyFrame
        : frame(encodeExportResponse(this.#kind, 'protobuf', result.rejected, result.message)),
    );
  }

  #fail(error: unknown): void {
    if (this.#stream.headersSent) return;
    sendStatus(this.#stream, this.#intake.answer('grpc', error, this.#kind));
  }

  #onTimeUp(limitMs: number): void {
    const slow = `the request did not arrive within ${limitMs} ms: send smaller batches`;
    this.#fail(this.#handedOver ? notYetDurable(limitMs) : new Refusal('too_slow', slow));
  }

  #onClose(): void {
    clearTimeout(this.#timer);
    this.#isOver = true;
    this.#waiting?.abort();
    if (this.#handedOver) return;
    this.#lease?.then(
      (lease) => lease.release(),
      () => undefined, // its refusal was answered
    );
  }
}
