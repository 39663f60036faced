import type { Http2SecureServer, Http2Server, Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { Sockets } from './sockets.ts';

/** How long HTTP/2 connections live, and how a dead peer is noticed. */
export interface ConnectionLife {
  /** A connection that showed no life for this long is pinged. */
  readonly keepaliveMs: number;
  /** … and destroyed when the ping stays unanswered for this long, or when it said goodbye and did not hang up. */
  readonly keepaliveTimeoutMs: number;
  /** A connection older than this is told to go away, so that load balancers spread senders anew; undefined is never. */
  readonly maxAgeMs: number | undefined;
  /** How long calls in flight may take once a connection was told to go away for its age. */
  readonly maxAgeGraceMs: number;
}

const sweepEveryMs = 1000;

interface Peer {
  readonly socket: Socket;
  readonly openedMs: number;
  seenMs: number;
  pingedMs: number | undefined;
  retiredMs: number | undefined;
  overMs: number | undefined;
}

/** The open connections of one HTTP/2 server. */
export class Connections {
  readonly #life: ConnectionLife;
  readonly #peers = new Map<Http2Session, Peer>();
  #sockets: Sockets | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #retiring = false;

  constructor(life: ConnectionLife) {
    this.#life = life;
  }

  /** Takes care of the connections of `server`, which does not listen yet. */
  watch(server: Http2Server | Http2SecureServer, secure: boolean): void {
    this.#sockets = new Sockets(server);
    let opened: Socket | undefined; // Node begins the session while it tells of the socket
    const event = secure ? 'secureConnection' : 'connection';
    server.prependListener(event, (socket: Socket) => (opened = socket));
    server.on('session', (session: Http2Session) => opened && this.#add(session, opened));
  }

  #add(session: Http2Session, socket: Socket): void {
    const nowMs = performance.now();
    const peer: Peer = {
      socket,
      openedMs: nowMs,
      seenMs: nowMs,
      pingedMs: undefined,
      retiredMs: undefined,
      overMs: undefined,
    };
    this.#peers.set(session, peer);
    session.once('close', () => this.#peers.delete(session));
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepEveryMs).unref();
    if (this.#retiring) this.#retire(session, peer);
  }

  /** A sign of life. */
  seen(session: Http2Session | undefined): void {
    const peer = session && this.#peers.get(session);
    if (peer) peer.seenMs = performance.now();
  }

  /**
   * Tells every peer to go away, now and from now on. The GOAWAY names the last call that was taken: those are answered,
   * and later ones are refused as never begun, which gRPC clients resend elsewhere by themselves (RFC 9113 §6.8).
   */
  retireAll(): void {
    this.#retiring = true;
    for (const [session, peer] of this.#peers) this.#retire(session, peer);
  }

  /** Cuts every connection. */
  destroyAll(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    for (const session of this.#peers.keys()) session.destroy();
    this.#sockets?.destroyAll();
  }

  #retire(session: Http2Session, peer: Peer): void {
    if (peer.retiredMs !== undefined) return;
    peer.retiredMs = performance.now();
    if (session.destroyed) peer.socket.destroy();
    else session.close();
  }

  #sweep(): void {
    const nowMs = performance.now();
    const { keepaliveMs, keepaliveTimeoutMs, maxAgeMs = Infinity, maxAgeGraceMs } = this.#life;
    for (const [session, peer] of this.#peers) {
      if (session.destroyed) {
        peer.overMs ??= nowMs; // its socket stays open until the peer hangs up as well
        if (nowMs - peer.overMs > keepaliveTimeoutMs) this.#forget(session, peer);
        continue;
      }
      if (nowMs - peer.openedMs > maxAgeMs) this.#retire(session, peer);
      const overstayed =
        !this.#retiring && peer.retiredMs !== undefined && nowMs - peer.retiredMs > maxAgeGraceMs;
      const silent = peer.pingedMs !== undefined && nowMs - peer.pingedMs > keepaliveTimeoutMs;
      if (overstayed || silent) session.destroy();
      else if (peer.pingedMs === undefined && nowMs - peer.seenMs > keepaliveMs)
        this.#ping(session, peer, nowMs);
    }
  }

  #forget(session: Http2Session, peer: Peer): void {
    this.#peers.delete(session);
    peer.socket.destroy();
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
