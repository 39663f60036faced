import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const headers = {
  ':method': 'POST',
  ':path': path,
  'content-type': 'application/grpc',
  te: 'trailers',
  'user-agent': 'plimsoll-bench',
};

/**
 * A sender of OTLP/gRPC requests that costs little itself, so that it can share the machine with what it measures:
 * prepared bytes over node:http2, `connections` of them, each call answered before its place is taken again.
 */
export class GrpcLoad {
  readonly #url: string;
  readonly #sessions: ClientHttp2Session[];
  #next = 0;
  /** What the last answer other than OK said. */
  lastMessage = '';

  constructor(url: string, connections: number) {
    this.#url = url;
    this.#sessions = Array.from({ length: connections }, () => this.#connect());
  }

  #connect(): ClientHttp2Session {
    return connect(this.#url).on('error', () => undefined); // every call on it fails, and says so
  }

  /** The next session in turn: another one in its place when the server has ended it. */
  #session(): ClientHttp2Session {
    const place = this.#next++ % this.#sessions.length;
    const session = this.#sessions[place];
    if (session && !session.closed && !session.destroyed) return session;
    return (this.#sessions[place] = this.#connect());
  }

  /** Sends one request; resolves with its gRPC status, 0 being acknowledged. */
  send(request: Uint8Array): Promise<number> {
    const session = this.#session();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const stream = session.request(headers);
    let status = -1;
    const read = (headersOrTrailers: IncomingHttpHeaders): void => {
      status = Number(headersOrTrailers['grpc-status'] ?? status);
      this.lastMessage = decodeURIComponent(String(headersOrTrailers['grpc-message'] ?? this.lastMessage));
    };
    stream.on('response', read);
    stream.on('trailers', read);
    stream.on('error', reject);
    stream.on('close', () => (status < 0 ? reject(new Error('closed without an answer')) : resolve(status)));
    stream.resume();
    const prefix = Buffer.allocUnsafe(5);
    prefix[0] = 0;
    prefix.writeUInt32BE(request.length, 1);
    stream.write(prefix);
    stream.end(request);
    return promise;
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }
}

/** Sends `count` requests with `inFlight` at once. Throws when one is not acknowledged. */
export async function sendAll(
  load: GrpcLoad,
  next: () => Uint8Array,
  count: number,
  inFlight: number,
): Promise<void> {
  let left = count;
  const sender = async (): Promise<void> => {
    while (left-- > 0) {
      const status = await load.send(next());
      if (status !== 0)
        throw new Error(`a request was answered with gRPC status ${status}: ${load.lastMessage}`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
}
