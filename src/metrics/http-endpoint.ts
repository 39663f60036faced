import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Component } from '../core/component.ts';
import { listen, type ListenAddress } from '../core/listen.ts';
import type { Log } from '../core/log.ts';

/** What to answer; `headers` are added to the usual ones. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An HTTP server with one resource that can only be read. */
export class HttpEndpoint implements Component {
  readonly name: string;
  readonly #address: ListenAddress;
  readonly #path: string;
  readonly #answer: (request: IncomingMessage) => Promise<Answer>;
  readonly #log: Log;
  readonly #server = createServer(
    { requestTimeout: 10_000, maxHeaderSize: 16 * 1024 },
    (request, response) => {
      void this.#serve(request, response);
    },
  );
  #bound: AddressInfo | undefined;

  /** Answers GET and HEAD of `path` with `answer`; what it throws becomes 500. */
  constructor(
    name: string,
    address: ListenAddress,
    path: string,
    answer: (request: IncomingMessage) => Promise<Answer>,
    log: Log,
  ) {
    this.name = name;
    this.#address = address;
    this.#path = path;
    this.#answer = answer;
    this.#log = log;
  }

  /** The port it listens on, once started. */
  get port(): number {
    return this.#bound?.port ?? this.#address.port;
  }

  /** Listens. Rejects with one sentence that names the address, the config key and the fix. */
  async start(): Promise<void> {
    this.#bound = await listen(this.#server, this.#address);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeIdleConnections();
    const cut = (): void => this.#server.closeAllConnections();
    deadline.addEventListener('abort', cut, { once: true });
    if (deadline.aborted) cut();
    await closed;
    deadline.removeEventListener('abort', cut);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const answer = await this.#answerTo(request).catch((error: unknown): Answer => {
      this.#log.error({ err: error, endpoint: this.name }, 'cannot answer');
      return text(500, 'internal error; the log has the cause');
    });
    const length = Buffer.byteLength(answer.body);
    response.writeHead(answer.status, {
      'content-type': answer.contentType,
      'content-length': length,
      'x-content-type-options': 'nosniff',
      ...answer.headers,
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  }

  async #answerTo(request: IncomingMessage): Promise<Answer> {
    const path = (request.url ?? '').split('?', 1)[0];
    if (path !== this.#path) return text(404, `nothing here; try GET ${this.#path}`);
    if (request.method === 'GET' || request.method === 'HEAD') return this.#answer(request);
    return { ...text(405, `only GET ${this.#path} is served here`), headers: { allow: 'GET, HEAD' } };
  }
}

function text(status: number, sentence: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${sentence}\n` };
}
