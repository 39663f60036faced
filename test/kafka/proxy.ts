import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** The numbers by which Kafka tells its requests apart. */
export const requestKeys = { produce: 0, fetch: 1, offsetCommit: 8 } as const;

/** Where a request says what it is and which, and an answer to which it belongs; each begins with its length. */
const keyAt = 4;
const requestIdAt = 8;
const answerIdAt = 4;

/** How a network fails: connections end, or stay open and nothing comes through. */
export type Cut = 'refuse' | 'silence';

/**
 * Stands before a broker. Requests pass; answers can be made to get lost, and their connections with them; or nothing
 * passes at all.
 */
export class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut: Cut | undefined;
  /** Answers that were lost so far. */
  swallowed = 0;
  readonly #seen = new Map<number, number>();
  readonly #swallow = new Map<number, number>();

  constructor(target: number) {
    this.#server = createServer((client) => this.#join(client, connect(target, '127.0.0.1')));
  }

  async listen(port: number): Promise<void> {
    await once(this.#server.listen(port, '127.0.0.1'), 'listening');
  }

  /** From now on the answers to so many requests of a kind are lost. */
  swallow(key: number, answers: number): void {
    this.#swallow.set(key, answers);
  }

  /** How many requests of a kind went to the broker. */
  seen(key: number): number {
    return this.#seen.get(key) ?? 0;
  }

  /** Until `mend`, clients and broker cannot reach each other. */
  cut(how: Cut): void {
    this.#cut = how;
    for (const socket of this.#sockets)
      if (how === 'refuse') socket.destroy();
      else socket.pause();
  }

  /** What was silent goes on where it was, so that requests may arrive late. */
  mend(): void {
    this.#cut = undefined;
    for (const socket of this.#sockets) socket.resume();
  }

  /** Ends every connection too. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket, broker: Socket): void {
    const doomed = new Set<number>();
    const [requests, answers] = [new Frames(), new Frames()];
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (bytes) => {
      for (const request of requests.take(bytes)) {
        if (this.#see(request.readInt16BE(keyAt))) doomed.add(request.readInt32BE(requestIdAt));
        broker.write(request);
      }
    });
    broker.on('data', (bytes) => {
      for (const answer of answers.take(bytes)) {
        if (doomed.has(answer.readInt32BE(answerIdAt))) client.destroy();
        if (!client.destroyed) client.write(answer);
      }
    });
    if (this.#cut === 'refuse') client.destroy();
    if (this.#cut === 'silence') for (const socket of [client, broker]) socket.pause();
  }

  /** Counts a request; whether its answer must get lost. */
  #see(key: number): boolean {
    this.#seen.set(key, this.seen(key) + 1);
    const left = this.#swallow.get(key) ?? 0;
    this.#swallow.set(key, Math.max(0, left - 1));
    if (left > 0) this.swallowed++;
    return left > 0;
  }
}

/** Cuts what comes over a connection into requests or answers. */
class Frames {
  #rest: Buffer = Buffer.alloc(0);

  *take(bytes: Buffer): Generator<Buffer> {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readInt32BE(0)) {
      const end = 4 + this.#rest.readInt32BE(0);
      yield this.#rest.subarray(0, end);
      this.#rest = this.#rest.subarray(end);
    }
  }
}
