import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** An order to go back to a release, as a target gets it. */
export interface Order {
  readonly key: string;
  readonly target: string;
  readonly from: string;
  readonly to: string;
}

/** What deploys agents, as a webhook target: it says what each runs, and does an order once, however often it comes. */
export class Deployment {
  /** What each target runs. */
  readonly running = new Map<string, string>();
  /** Orders that were done, and how many requests brought them. */
  readonly done: Order[] = [];
  requests = 0;
  /** Called when an order is done and not yet answered. */
  onDone: (order: Order) => void = () => {};
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));
  #port = 0;

  async start(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    this.#port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Options of the webhook target `name`. */
  target(name: string): Readonly<Record<string, unknown>> {
    const url = `http://127.0.0.1:${this.#port}/${name}`;
    return { type: 'webhook', url, current_url: url, secret: 'a secret of this test', repeatable: true };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = (request.url ?? '').slice(1);
    if (request.method === 'POST') {
      this.requests++;
      const body: { from_release: string; to_release: string } = JSON.parse(await text(request));
      const order = {
        key: String(request.headers['idempotency-key']),
        target,
        from: body.from_release,
        to: body.to_release,
      };
      if (!this.done.some(({ key }) => key === order.key)) {
        this.done.push(order);
        this.running.set(target, order.to);
        this.onDone(order);
      }
    }
    response.end(JSON.stringify({ release: this.running.get(target) }));
  }
}
