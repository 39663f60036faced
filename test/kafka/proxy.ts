import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** The numbers by which Kafka tells its requests apart. */
export const requestKeys = { produce: 0, fetch: 1, offsetCommit: 8, offsetFetch: 9, heartbeat: 12 } as const;

/** Where a request says what it is and which, and an answer to which it belongs; each begins with its length. */
const keyAt = 4;
const requestIdAt = 8;
const answerIdAt = 4;

type Fate = 'lost' | 'silent';
type Only = (request: Buffer) => boolean;
/** How a network fails: connections end, or stay open and nothing comes through. */
export type Cut = 'refuse' | 'silence';

/** Stands before a broker. Requests pass; answers can be made to get lost, requests to wait, or nothing to pass at all. */
export class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut: Cut | undefined;
  /** Answers that `swallow` has lost so far. */
  swallowed = 0;
  readonly #seen = new Map<number, number>();
  readonly #doomed = new Map<number, { fate: Fate; left: number; only: Only }>();
  readonly #held = new Map<number, (() => void)[]>();
  readonly #slow = new Map<number, number>();

  constructor(target: number) {
    this.#server = createServer((client) => this.#join(client, connect(target, '127.0.0.1')));
  }

  async listen(port: number): Promise<void> {
    await once(this.#server.listen(port, '127.0.0.1'), 'listening');
  }

  /** From now on the answers to so many requests of a kind are lost, and their connections with them. */
  swallow(key: number, answers: number, only: Only = () => true): void {
    this.#doomed.set(key, { fate: 'lost', left: answers, only });
  }

  /** From now on requests of a kind are never answered, and their connections stay. */
  silence(key: number, only: Only = () => true): void {
    this.#doomed.set(key, { fate: 'silent', left: Infinity, only });
  }

  /** From now on requests of a kind wait before the broker, and so does what comes after them on their connection. */
  hold(key: number): void {
    this.#held.set(key, []);
  }

  /** How many connections wait since `hold`. */
  held(key: number): number {
    return this.#held.get(key)?.length ?? 0;
  }

  /** What was held reaches the broker, also when its sender has gone since, as it would from the broker's own buffer. */
  release(key: number): void {
    const held = this.#held.get(key) ?? [];
    this.#held.delete(key);
    for (const goOn of held) goOn();
  }

  /** From now on each request of a kind takes so long, and what comes after it on its connection waits meanwhile. */
  slow(key: number, delayMs: number): void {
    this.#slow.set(key, delayMs);
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
    const doomed = new Map<number, Fate>();
    const waiting: Buffer[] = [];
    const [requests, answers] = [new Frames(), new Frames()];
    const pass = (request: Buffer): void => {
      const fate = this.#see(request);
      if (fate) doomed.set(request.readInt32BE(requestIdAt), fate);
      broker.write(request);
    };
    const goOn = (): void => {
      for (const request of waiting.splice(0)) pass(request);
      if (client.destroyed) broker.end();
    };
    const goOnSlowly = (): void => {
      const [done, next] = [waiting.shift(), waiting[0]];
      if (done) pass(done);
      if (next) setTimeout(goOnSlowly, this.#slow.get(next.readInt16BE(keyAt)) ?? 0);
      else if (client.destroyed) broker.end();
    };
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket));
    }
    client.on('close', () => waiting.length > 0 || broker.destroy());
    broker.on('close', () => client.destroy());
    client.on('data', (bytes) => {
      for (const request of requests.take(bytes)) {
        const key = request.readInt16BE(keyAt);
        const [held, slowMs] = [this.#held.get(key), this.#slow.get(key) ?? 0];
        if (waiting.length > 0) waiting.push(request);
        else if (held) {
          waiting.push(request);
          held.push(goOn);
        } else if (slowMs > 0) {
          waiting.push(request);
          setTimeout(goOnSlowly, slowMs);
        } else pass(request);
      }
    });
    broker.on('data', (bytes) => {
      for (const answer of answers.take(bytes)) {
        const fate = doomed.get(answer.readInt32BE(answerIdAt));
        if (fate === 'lost') client.destroy();
        if (fate === undefined && !client.destroyed) client.write(answer);
      }
    });
    if (this.#cut === 'refuse') client.destroy();
    if (this.#cut === 'silence') for (const socket of [client, broker]) socket.pause();
  }

  /** Counts a request; what becomes of its answer. */
  #see(request: Buffer): Fate | undefined {
    const key = request.readInt16BE(keyAt);
    this.#seen.set(key, this.seen(key) + 1);
    const doom = this.#doomed.get(key);
    if (!doom || doom.left <= 0 || !doom.only(request)) return undefined;
    doom.left--;
    if (doom.fate === 'lost') this.swallowed++;
    return doom.fate;
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
