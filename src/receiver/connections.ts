import type { Http2Session } from 'node:http2';

/** How long HTTP/2 connections live, and how a dead peer is noticed. */
export interface ConnectionLife {
  /** A connection that showed no life for this long is pinged. */
  readonly keepaliveMs: number;
  /** … and destroyed when the ping stays unanswered for this long. */
  readonly keepaliveTimeoutMs: number;
  /** A connection older than this is told to go away, so that load balancers spread senders anew; undefined is never. */
  readonly maxAgeMs: number | undefined;
  /** How long calls in flight may take once a connection was told to go away for its age. */
  readonly maxAgeGraceMs: number;
}

/** Every announced stream id is below this: "go away, but nothing you sent is lost" (RFC 9113 §6.8). */
const everyStreamId = 2 ** 31 - 1;
/** A peer that does not answer the ping after the first GOAWAY gets the second one anyway. */
const retireWaitMs = 1000;
const sweepEveryMs = 1000;

interface Peer {
  readonly openedMs: number;
  seenMs: number;
  pingedMs: number | undefined;
  retiredMs: number | undefined;
}

/** The open connections of one HTTP/2 server. */
export class Connections {
  readonly #life: ConnectionLife;
  readonly #peers = new Map<Http2Session, Peer>();
  #sweeper: NodeJS.Timeout | undefined;
  #retiring = false;

  constructor(life: ConnectionLife) {
    this.#life = life;
  }

  add(session: Http2Session): void {
    const nowMs = performance.now();
    this.#peers.set(session, { openedMs: nowMs, seenMs: nowMs, pingedMs: undefined, retiredMs: undefined });
    session.once('close', () => this.#peers.delete(session));
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepEveryMs).unref();
    if (this.#retiring) void this.#retire(session);
  }

  /** A sign of life. */
  seen(session: Http2Session | undefined): void {
    const peer = session && this.#peers.get(session);
    if (peer) peer.seenMs = performance.now();
  }

  /**
   * Tells every peer to go away, now and from now on, without losing what it has just sent: a first GOAWAY names no
   * last stream, a ping makes sure it arrived, and only the second refuses streams (gRPC, A9 and RFC 9113 §6.8).
   * Resolves when every peer knows; the connections close when their last call is answered.
   */
  async retireAll(): Promise<void> {
    this.#retiring = true;
    await Promise.all([...this.#peers.keys()].map((session) => this.#retire(session)));
  }

  /** Cuts every connection. */
  destroyAll(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    for (const session of this.#peers.keys()) session.destroy();
  }

  async #retire(session: Http2Session): Promise<void> {
    const peer = this.#peers.get(session);
    if (!peer || peer.retiredMs !== undefined || session.destroyed) return;
    peer.retiredMs = performance.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, retireWaitMs);
    session.once('close', resolve);
    session.goaway(0, everyStreamId);
    if (!session.ping(() => resolve())) resolve();
    await promise;
    clearTimeout(timer);
    session.close();
  }

  #sweep(): void {
    const nowMs = performance.now();
    const { keepaliveMs, keepaliveTimeoutMs, maxAgeMs = Infinity, maxAgeGraceMs } = this.#life;
    for (const [session, peer] of this.#peers) {
      if (nowMs - peer.openedMs > maxAgeMs) void this.#retire(session);
      const overstayed = !this.#retiring && peer.retiredMs !== undefined && nowMs - peer.retiredMs > maxAgeGraceMs;
      const silent = peer.pingedMs !== undefined && nowMs - peer.pingedMs > keepaliveTimeoutMs;
      if (overstayed || silent) session.destroy();
      else if (peer.pingedMs === undefined && nowMs - peer.seenMs > keepaliveMs) this.#ping(session, peer, nowMs);
    }
  }

  #ping(session: Http2Session, peer: Peer, nowMs: number): void {
    peer.pingedMs = nowMs;
    session.ping((error) => {
      if (error) return; // the connection is closing already
      peer.pingedMs = undefined;
      peer.seenMs = performance.now();
    });
  }
}
