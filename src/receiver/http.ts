import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Component } from '../core/component.ts';
import { listen } from '../core/listen.ts';
import type { Signal } from '../otlp/json-schema.ts';
import { encodeExportResponse, encodeStatus, type Encoding } from '../otlp/messages.ts';
import { assumedDeadlineMs } from './admission.ts';
import { readBody } from './http-body.ts';
import type { Compression } from './inflate.ts';
import { notYetDurable, type Intake } from './intake.ts';
import { endpointOf, readTls, type Listener } from './listener.ts';
import { closeServer, Sockets } from './sockets.ts';
import { Refusal, wrongSignalSentence, type Answer } from './status.ts';

const paths: ReadonlyMap<string, Signal> = new Map([
  ['/v1/traces', 'traces'],
  ['/v1/logs', 'logs'],
]);
const greeting = `Plimsoll takes OTLP traces and logs here: POST /v1/traces or /v1/logs, as application/x-protobuf or application/json.\n`;
/** HTTP names no deadline: the answer leaves when this share of what senders are taken to wait has passed. */
const answerWithinMs = assumedDeadlineMs * 0.9;
/** A refused body is read and dropped up to this many bytes, so that its sender gets to read the answer. */
const discardLimitBytes = 256 << 20;

/** How slow a sender may be, in milliseconds. */
export interface Patience {
  /** From the first byte to the last header. */
  readonly headersMs: number;
  /** From room for the body to its last byte. */
  readonly bodyMs: number;
  /** How long a connection may be silent between requests. */
  readonly idleMs: number;
}

const defaultPatience: Patience = { headersMs: 10_000, bodyMs: 60_000, idleMs: 75_000 };
/** How often Node looks for connections that are too slow. */
const checkEveryMs = 1000;
/** A refused sender may go on for so long. */
const discardMs = 30_000;

/** What `HttpReceiver` needs; `patience` has defaults. */
export interface HttpOptions {
  readonly listener: Listener;
  readonly intake: Intake;
  readonly patience?: Partial<Patience> | undefined;
}

const mediaTypes: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** The encoding that a `content-type` names, parameters such as a charset aside; undefined when OTLP has none such. */
function encodingOf(contentType: string | undefined): Encoding | undefined {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === mediaTypes.protobuf || type === 'application/protobuf') return 'protobuf';
  return type === mediaTypes.json ? 'json' : undefined;
}

function compressionOf(header: string | undefined): Compression {
  const encoding = header?.trim().toLowerCase() ?? 'identity';
  if (encoding === '' || encoding === 'identity') return 'identity';
  if (encoding === 'gzip' || encoding === 'zstd') return encoding;
  throw new Refusal(
    'wrong_encoding',
    `content-encoding ${encoding} is not known here: use gzip, zstd or none`,
  );
}

/** OTLP over HTTP/1.1: `POST /v1/traces` and `/v1/logs` in protobuf and JSON. No CORS: browsers are no agents. */
export class HttpReceiver implements Component {
  readonly name = 'receiver/otlp/http';
  readonly #listener: Listener;
  readonly #intake: Intake;
  readonly #patience: Patience;
  readonly #abandon = new AbortController();
  #server: Server | undefined;
  #sockets: Sockets | undefined;
  #address: AddressInfo | undefined;
  #draining = false;
  #stopped: Promise<void> | undefined;

  constructor(options: HttpOptions) {
    this.#listener = options.listener;
    this.#intake = options.intake;
    this.#patience = { ...defaultPatience, ...options.patience };
  }

  /** Where it listens; undefined before start. */
  get address(): AddressInfo | undefined {
    return this.#address;
  }

  async start(): Promise<void> {
    const options = {
      headersTimeout: this.#patience.headersMs,
      requestTimeout: this.#patience.headersMs + this.#patience.bodyMs + discardMs,
      connectionsCheckingInterval: checkEveryMs,
      keepAliveTimeout: this.#patience.idleMs,
    };
    const tls = await readTls(this.#listener);
    const server = tls ? createSecureServer({ ...options, ...tls }) : createServer(options);
    const serve = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#serve(request, response);
    server.on('request', serve);
    server.on('checkContinue', serve); // answered before the body is sent, when the headers are enough to refuse it
    this.#server = server;
    this.#sockets = new Sockets(server);
    this.#address = await listen(server, endpointOf(this.#listener));
  }

  stop(deadline: AbortSignal): Promise<void> {
    this.#stopped ??= this.#drain(deadline);
    return this.#stopped;
  }

  async #drain(deadline: AbortSignal): Promise<void> {
    const server = this.#server;
    this.#draining = true;
    if (server === undefined || !server.listening) return;
    await closeServer(server, deadline, () => {
      this.#abandon.abort();
      this.#sockets?.destroyAll();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const encoding = encodingOf(request.headers['content-type']);
    const path = request.url?.split('?', 1)[0] ?? '';
    if (path === '/' && (request.method === 'GET' || request.method === 'HEAD')) {
      response.setHeader('content-type', 'text/plain; charset=utf-8');
      this.#end(response, Buffer.from(greeting));
      return;
    }
    try {
      const body = await this.#export(request, response, path, encoding);
      this.#end(response, body);
    } catch (error) {
      this.#refuse(
        request,
        response,
        encoding ?? 'json',
        this.#intake.answer('http', error, paths.get(path)),
      );
    }
  }

  /** The body of the answer to an export that succeeded; throws what `Intake.answer` understands. */
  async #export(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    encoding: Encoding | undefined,
  ): Promise<Uint8Array> {
    const kind = kindOf(path);
    if (request.method !== 'POST') {
      throw new Refusal('wrong_method', `${request.method} is not allowed: POST OTLP ${kind} to ${path}`);
    }
    const { admission } = this.#intake;
    const claims = admission.authenticate(request.headers.authorization, request.socket);
    if (encoding === undefined) {
      const shown = request.headers['content-type'] ?? 'none';
      throw new Refusal(
        'wrong_media_type',
        `content-type ${shown}: use ${mediaTypes.protobuf} or ${mediaTypes.json}`,
      );
    }
    const compression = compressionOf(request.headers['content-encoding']);
    const { signal } = this.#abandon;
    const onRoom = (): void => {
      if (request.headers.expect !== undefined) response.writeContinue();
    };
    const { bytes, lease } = await readBody(request, admission, this.#patience.bodyMs, onRoom);
    const wholeMs = performance.now();
    const body = { bytes, compression, encoding, kind, claims };
    const result = await inTime(this.#intake.take('http', body, lease, signal));
    this.#intake.succeeded('http', wholeMs);
    response.setHeader('content-type', mediaTypes[encoding]);
    return encodeExportResponse(kind, encoding, result.rejected, result.message);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, encoding: Encoding, answer: Answer): void {
    if (response.destroyed) return; // the sender hung up
    if (answer.retryAfterMs !== undefined)
      response.setHeader('retry-after', Math.ceil(answer.retryAfterMs / 1000));
    if (answer.http === 401) response.setHeader('www-authenticate', 'Bearer');
    if (answer.http === 405) response.setHeader('allow', 'POST');
    const { message, retryAfterMs: retryDelayMs, badField } = answer;
    response.statusCode = answer.http;
    response.setHeader('content-type', mediaTypes[encoding]);
    const body = encodeStatus(encoding, { code: answer.grpc, message, retryDelayMs, badField });
    const held = request.headers.expect !== undefined; // the sender waits for our word before it sends its body
    if (request.complete || held) {
      this.#end(response, body);
      return;
    }
    if (this.#draining) response.setHeader('connection', 'close');
    response.setHeader('content-length', body.length); // so that the answer is whole before it is ended
    response.write(body);
    discard(request, () => response.end());
  }

  #end(response: ServerResponse, body: Uint8Array): void {
    if (this.#draining) response.setHeader('connection', 'close'); // else the sender's next request meets a closed door
    response.end(body);
  }
}

/** Settles like `work`, or rejects as `unavailable` when the sender must have its answer; the work itself goes on. */
function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(notYetDurable(answerWithinMs)), answerWithinMs);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}

function kindOf(path: string): Signal {
  const kind = paths.get(path);
  if (kind) return kind;
  const [, signal = ''] = /^\/v1(?:development)?\/(\w+)$/.exec(path) ?? [];
  throw new Refusal(
    'unknown_path',
    wrongSignalSentence(signal) ?? `unknown path ${path}: POST OTLP traces to /v1/traces, logs to /v1/logs`,
  );
}

/**
 * Reads on and forgets, then calls `done`. A connection closed under a sender that still writes is reset, and the answer
 * lost with it; who sends without end is cut off.
 */
function discard(request: IncomingMessage, done: () => void): void {
  let bytes = 0;
  const timer = setTimeout(() => request.destroy(), discardMs);
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > discardLimitBytes) request.destroy();
  });
  request.once('end', done);
  request.once('close', () => clearTimeout(timer));
  request.resume();
}
