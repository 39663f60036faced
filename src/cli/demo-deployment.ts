import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';

const orderBody = z.object({ from_release: z.string(), to_release: z.string() });

/**
 * A make-believe deployment of one agent: a share of its runs goes to a canary, until somebody orders it back by a webhook
 * on a loopback port. GET says what it runs; POST of `from_release` and `to_release` is answered 409 when it runs
 * something else.
 */
export class DemoDeployment {
  readonly #server: Server;
  readonly #baseline: string;
  #canary: { readonly release: string; readonly share: number } | undefined;
  #orders = 0;

  /** All runs go to `baseline`. */
  constructor(baseline: string) {
    this.#baseline = baseline;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** The release that is being rolled out, or the one that all runs go to. */
  get #release(): string {
    return this.#canary?.release ?? this.#baseline;
  }

  /** Orders that were carried out. */
  get orders(): number {
    return this.#orders;
  }

  /** From now on `share` of the runs go to `release`. */
  ship(release: string, share: number): void {
    this.#canary = { release, share };
  }

  /** The share of the runs that `release` gets, 0 to 1. */
  shareOf(release: string): number {
    const share = this.#canary?.share ?? 0;
    if (release === this.#canary?.release) return share;
    return release === this.#baseline ? 1 - share : 0;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const status = await this.#statusOf(request).catch(() => 400);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ release: this.#release }));
  }

  async #statusOf(request: IncomingMessage): Promise<number> {
    if (request.method !== 'POST') return 200;
    const said = orderBody.parse(JSON.parse(await text(request)));
    if (said.from_release !== this.#release || said.to_release !== this.#baseline) return 409;
    this.#canary = undefined;
    this.#orders++;
    return 200;
  }

  /** Listens on a loopback port; resolves with its URL. */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('a TCP server has a port');
    return `http://127.0.0.1:${address.port}/`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
