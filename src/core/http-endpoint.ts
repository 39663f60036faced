import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Component } from './component.ts';
import { cutAt } from './cut-at.ts';
import { listen, type ListenAddress } from './listen.ts';
import type { Log } from './log.ts';
import { StreamedBodies, type StreamedBody } from './streamed-body.ts';

/** What to answer; `headers` are added to the usual ones. Nothing is asked of a streamed body where only the head is. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array | StreamedBody;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a request; what it throws becomes 500. `name` is what stands for the `*` of the path, decoded; '' without one. */
type Handler = (request: IncomingMessage, name: string) => Promise<Answer>;

/** What can be done with a resource, by method. HEAD is answered as GET is, whose body is not read. */
export interface Resource {
  readonly GET: Handler;
  readonly POST?: Handler;
}

/** A reader of a streamed body that takes nothing for so long is cut. */
const patienceMs = 10_000;

/** An HTTP server with a few resources, by path; one that ends with `/*` is of any name there. */
export class HttpEndpoint implements Component {
  readonly name: string;
  readonly #address: ListenAddress;
  readonly #resources: ReadonlyMap<string, Resource>;
  readonly #log: Log;
  readonly #streamed = new StreamedBodies(patienceMs);
  readonly #server = createServer(
    { requestTimeout: 10_000, maxHeaderSize: 16 * 1024 },
    (request, response) => {
      void this.#serve(request, response);
    },
  );
  #bound: AddressInfo | undefined;

  constructor(name: string, address: ListenAddress, resources: Readonly<Record<string, Resource>>, log: Log) {
    this.name = name;
    this.#address = address;
    this.#resources = new Map(Object.entries(resources));
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

  /**
   * Refuses new connections, ends streamed bodies, and waits for the answers under way; cuts them off when `deadline`
   * aborts.
   */
  async stop(deadline: AbortSignal): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#streamed.stop();
    this.#server.closeIdleConnections();
    await cutAt(deadline, () => this.#server.closeAllConnections(), closed);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#answerTo(request).catch((error: unknown): Answer => {
      if (!request.complete && request.destroyed) return text(400, 'the request is not whole'); // nobody is there to read it
      this.#log.error({ err: error, endpoint: this.name }, 'cannot answer');
      return text(500, 'internal error; the log has the cause');
    });
    const { status, contentType, body, headers } = answer;
    const isStreamed = typeof body === 'function';
    response.writeHead(status, {
      'content-type': contentType,
      'x-content-type-options': 'nosniff',
      ...(isStreamed
        ? { connection: 'close' }
        : status !== 304 && { 'content-length': Buffer.byteLength(body) }),
      ...headers,
    });
    if (request.method === 'HEAD') response.end();
    else if (!isStreamed) response.end(body);
    else await this.#streamed.send(response, body).catch((error: unknown) => this.#cut(response, error));
  }

  #cut(response: ServerResponse, error: unknown): void {
    this.#log.error({ err: error, endpoint: this.name }, 'cannot go on with an answer');
    response.destroy();
  }

  #find(path: string): { readonly resource: Resource | undefined; readonly name: string } {
    const exact = this.#resources.get(path);
    if (exact) return { resource: exact, name: '' };
    const slash = path.lastIndexOf('/') + 1;
    const name = decoded(path.slice(slash));
    return { resource: name === '' ? undefined : this.#resources.get(`${path.slice(0, slash)}*`), name };
  }

  async #answerTo(request: IncomingMessage): Promise<Answer> {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const { resource, name } = this.#find(path);
    if (request.method !== 'POST' || !resource?.POST) request.resume();
    if (!resource) return text(404, `nothing here; try GET ${[...this.#resources.keys()][0]}`);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (method === 'GET') return resource.GET(request, name);
    if (method === 'POST' && resource.POST) return resource.POST(request, name);
    const allowed = resource.POST ? ['GET', 'HEAD', 'POST'] : ['GET', 'HEAD'];
    const said = resource.POST ? 'only GET and POST' : 'only GET';
    return {
      ...text(405, `${said} ${path} ${resource.POST ? 'are' : 'is'} served here`),
      headers: { allow: allowed.join(', ') },
    };
  }
}

function text(status: number, sentence: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${sentence}\n` };
}

/** Part of a path as it is meant; '' where it means nothing. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
