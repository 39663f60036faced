import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { decodeRequest, type OracleRequest } from '../otlp/oracle.ts';

/** Takes what a Collector exports over OTLP/HTTP. */
export class Sink {
  readonly requests: OracleRequest[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#take(request, response);
    });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(decodeRequest(await buffer(request)));
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  }

  static async listen(): Promise<Sink> {
    const sink = new Sink();
    await once(sink.#server.listen(0, '127.0.0.1'), 'listening');
    return sink;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the sink does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
