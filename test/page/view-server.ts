import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { LiveView } from '../../src/page/live-view.ts';
import { pageResources } from '../../src/page/page-files.ts';

/** A server of the page that shows views of a test, over the same URLs as the pipeline. */
export class ViewServer {
  /** The view that a request for this query gets. */
  viewOf: (query: URLSearchParams) => LiveView;
  /** What reading needs; undefined where it needs nothing. */
  token: string | undefined;
  /** The only token that is known; undefined where any is. Others are refused, also where reading needs none. */
  knownToken: string | undefined;
  /** How every reader is refused; undefined while none is. */
  refusal: { readonly status: number; readonly body: unknown } | undefined;
  /** How many readers there were. */
  opened = 0;
  /** What `GET /api/v1/rollbacks` says to who shows a token. */
  rollbacks: unknown = { you: 'ana', rollbacks: [{ id: 'r2', ticket: 'r2.ticket' }] };
  /** What was posted, and how it is answered. */
  readonly posted: { readonly path: string; readonly by: string; readonly body: unknown }[] = [];
  answerToPosts: { readonly status: number; readonly body: unknown } = {
    status: 200,
    body: { kind: 'taken' },
  };
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #readers = new Map<ServerResponse, URLSearchParams>();
  #port = 0;

  constructor(viewOf: (query: URLSearchParams) => LiveView) {
    this.viewOf = viewOf;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get readers(): number {
    return this.#readers.size;
  }

  async start(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address === 'object' && address) this.#port = address.port;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Shows every reader what is there now. */
  push(): void {
    for (const [response, query] of this.#readers) response.write(eventOf(this.viewOf(query)));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://page');
    if (pathname === '/api/v1/live') return this.#read(request, response, searchParams);
    if (pathname === '/api/v1/rollbacks') return answer(response, 200, this.rollbacks);
    if (request.method === 'POST') {
      const body: unknown = JSON.parse(await text(request));
      const by = request.headers.authorization ?? '';
      this.posted.push({ path: pathname, by, body });
      return answer(response, this.answerToPosts.status, this.answerToPosts.body);
    }
    const file = await pageResources()[pathname]?.GET(request, '');
    if (!file || typeof file.body === 'function') return answer(response, 404, { errors: ['nothing here'] });
    response.writeHead(file.status, { 'content-type': file.contentType, ...file.headers });
    response.end(file.body);
  }

  #read(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const { authorization } = request.headers;
    if (this.knownToken !== undefined && ![undefined, `Bearer ${this.knownToken}`].includes(authorization))
      return answer(response, 401, { errors: ['an unknown token'] });
    if (this.token !== undefined && authorization !== `Bearer ${this.token}`)
      return answer(response, 401, { errors: ['no token: send the header "authorization: Bearer <token>"'] });
    if (this.refusal) return answer(response, this.refusal.status, this.refusal.body);
    if (query.get('window') === '7h') return answer(response, 400, { errors: ['there is no window 7h'] });
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (request.method === 'HEAD') return void response.end();
    response.write(eventOf(this.viewOf(query)));
    this.#readers.set(response, query);
    this.opened++;
    response.once('close', () => this.#readers.delete(response));
  }
}

function eventOf(view: LiveView): string {
  return `event: view\ndata: ${JSON.stringify(view)}\n\n`;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  const isText = typeof body === 'string';
  response.writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json' });
  response.end(isText ? body : JSON.stringify(body));
}
