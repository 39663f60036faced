import { BytePool } from '../core/byte-pool.ts';
import type { ServerHttp2Stream } from 'node:http2';
import { Failure } from '../core/failure.ts';
import { decodeHealthRequest, encodeHealthResponse, type ServingStatus } from '../otlp/messages.ts';
import { sendMessage, sendStatus, sendUnary } from './grpc-call.ts';
import { frame, UnaryMessage } from './grpc-wire.ts';
import { answerTo, Refusal } from './status.ts';

/** A health request names one service; more than this is no health request. */
const requestLimitBytes = 4096;
const smallMessages = new BytePool(0); // too small to be worth keeping

/** `grpc.health.v1.Health`: serving until the receiver drains. */
export class Health {
  readonly #services: ReadonlySet<string>;
  readonly #watchers = new Map<ServerHttp2Stream, string>();
  #serving = true;

  /** `services` are known besides '', the server as a whole. */
  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services]);
  }

  /** Answers a call of `Check`. */
  check(stream: ServerHttp2Stream): void {
    this.#receive(stream, (service) => {
      const status = this.#status(service);
      if (status === 'SERVICE_UNKNOWN')
        sendStatus(stream, { grpc: 5, message: `unknown service ${service}` });
      else sendUnary(stream, frame(encodeHealthResponse(status)));
    });
  }

  /** Answers a call of `Watch`: the status now and at each change. */
  watch(stream: ServerHttp2Stream): void {
    this.#receive(stream, (service) => {
      this.#watchers.set(stream, service);
      stream.once('close', () => this.#watchers.delete(stream));
      stream.once('wantTrailers', () => {
        stream.sendTrailers({ 'grpc-status': '14', 'grpc-message': 'the receiver is closing' });
      });
      sendMessage(stream, encodeHealthResponse(this.#status(service)));
    });
  }

  /** Says NOT_SERVING from now on, and ends the watches, which would keep their connections open. */
  drain(): void {
    this.#serving = false;
    for (const [stream, service] of this.#watchers) {
      sendMessage(stream, encodeHealthResponse(this.#status(service)));
      stream.end();
    }
  }

  #status(service: string): ServingStatus {
    if (!this.#services.has(service)) return 'SERVICE_UNKNOWN';
    return this.#serving ? 'SERVING' : 'NOT_SERVING';
  }

  #receive(stream: ServerHttp2Stream, answer: (service: string) => void): void {
    const message = new UnaryMessage(requestLimitBytes, smallMessages);
    const attempt = (step: () => void): void => {
      try {
        step();
      } catch (error) {
        const known = error instanceof Refusal || error instanceof Failure;
        sendStatus(
          stream,
          answerTo(known ? error : new Failure('invalid', 'this is no HealthCheckRequest'), 0),
        );
      }
    };
    stream.on('data', (chunk: Buffer) => attempt(() => message.push(message.readPrefix(chunk))));
    stream.on('end', () => attempt(() => answer(decodeHealthRequest(message.finish()))));
  }
}
