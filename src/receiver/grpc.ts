import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Component } from '../core/component.ts';
import { listen } from '../core/listen.ts';
import type { Log } from '../core/log.ts';
import { Connections, type ConnectionLife } from './connections.ts';
import { ExportCall, sendStatus } from './grpc-call.ts';
import { Health } from './grpc-health.ts';
import type { Intake } from './intake.ts';
import { endpointOf, readTls, type Listener } from './listener.ts';
import { closeServer } from './sockets.ts';
import { Refusal, wrongSignalSentence } from './status.ts';

const traceService = 'opentelemetry.proto.collector.trace.v1.TraceService';
const logsService = 'opentelemetry.proto.collector.logs.v1.LogsService';
/**
 * Flow control windows. HTTP/2's default of 64 KB stops a sender seven times in a batch of 512 spans; a stream whose
 * request waits for admission holds at most its window.
 */
const windowBytes = { stream: 1 << 20, session: 16 << 20 } as const;
/** RFC 9113 §6.5.2 advises at least 100; with the window it bounds what one connection can make us hold. */
const concurrentCalls = 100;

/** What `GrpcReceiver` needs; `life` has defaults. */
export interface GrpcOptions {
  readonly listener: Listener;
  readonly intake: Intake;
  readonly log: Log;
  readonly life?: Partial<ConnectionLife> | undefined;
}

const defaultLife: ConnectionLife = {
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  maxAgeMs: undefined,
  maxAgeGraceMs: 30_000,
};

/**
 * OTLP over gRPC, spoken directly on `node:http2`: unary calls need little of gRPC, and requests are passed on as
 * bytes. Serves `TraceService/Export`, `LogsService/Export` and `grpc.health.v1`.
 */
export class GrpcReceiver implements Component {
  readonly name = 'receiver/otlp/grpc';
  readonly #listener: Listener;
  readonly #intake: Intake;
  readonly #log: Log;
  readonly #connections: Connections;
  readonly #health = new Health([traceService, logsService]);
  readonly #abandon = new AbortController();
  #server: Http2Server | Http2SecureServer | undefined;
  #address: AddressInfo | undefined;
  #stopped: Promise<void> | undefined;
  #misdirected = false;

  constructor(options: GrpcOptions) {
    this.#listener = options.listener;
    this.#intake = options.intake;
    this.#log = options.log;
    this.#connections = new Connections({ ...defaultLife, ...options.life });
  }

  /** Where it listens; undefined before start. */
  get address(): AddressInfo | undefined {
    return this.#address;
  }

  async start(): Promise<void> {
    const settings = {
      initialWindowSize: windowBytes.stream,
      maxConcurrentStreams: concurrentCalls,
      enablePush: false,
    };
    const tls = await readTls(this.#listener);
    const server = tls ? createSecureServer({ ...tls, settings }) : createServer({ settings });
    this.#connections.watch(server, tls !== undefined);
    server.on('session', (session: ServerHttp2Session) => session.setLocalWindowSize(windowBytes.session));
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
      this.#serve(stream, headers),
    );
    server.on('sessionError', (error: Error) => this.#onSessionError(error));
    this.#server = server;
    this.#address = await listen(server, endpointOf(this.#listener));
  }

  stop(deadline: AbortSignal): Promise<void> {
    this.#stopped ??= this.#drain(deadline);
    return this.#stopped;
  }

  async #drain(deadline: AbortSignal): Promise<void> {
    const server = this.#server;
    if (server === undefined || !server.listening) return;
    this.#health.drain();
    this.#connections.retireAll();
    await closeServer(server, deadline, () => {
      this.#abandon.abort();
      this.#connections.destroyAll();
    });
    this.#connections.destroyAll();
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => undefined); // the sender reset the call: 'close' follows and gives everything back
    this.#connections.seen(stream.session);
    if (!headers['content-type']?.startsWith('application/grpc')) {
      stream.respond({ ':status': 415, 'content-type': 'text/plain' });
      stream.end('this port speaks gRPC only: send OTLP over HTTP to port 4318\n');
      return;
    }
    const path = headers[':path'] ?? '';
    switch (path) {
      case `/${traceService}/Export`:
        new ExportCall(stream, this.#intake, 'traces', this.#abandon.signal).receive(headers);
        return;
      case `/${logsService}/Export`:
        new ExportCall(stream, this.#intake, 'logs', this.#abandon.signal).receive(headers);
        return;
      case '/grpc.health.v1.Health/Check':
        this.#health.check(stream);
        return;
      case '/grpc.health.v1.Health/Watch':
        this.#health.watch(stream);
        return;
      default:
        this.#refusePath(stream, path);
    }
  }

  #refusePath(stream: ServerHttp2Stream, path: string): void {
    const [, signal = ''] = /^\/opentelemetry\.proto\.collector\.(\w+)\./.exec(path) ?? [];
    const sentence =
      wrongSignalSentence(signal) ??
      `unknown method ${path}: this server has ${traceService}/Export and ${logsService}/Export`;
    sendStatus(stream, this.#intake.answer('grpc', new Refusal('unknown_path', sentence)));
  }

  #onSessionError(error: Error): void {
    const notHttp2 = 'errno' in error && error.errno === -903; // NGHTTP2_ERR_BAD_CLIENT_MAGIC
    if (!notHttp2 || this.#misdirected) {
      this.#log.debug({ err: error }, 'gRPC connection failed');
      return;
    }
    this.#misdirected = true; // said once: whoever scans ports must not fill the log
    this.#log.warn(
      'a sender on the gRPC port does not speak HTTP/2; OTLP over HTTP goes to the other port, 4318',
    );
  }
}
