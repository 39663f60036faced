import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { cutAt } from '../core/cut-at.ts';

/**
 * The open TCP connections of a server, those without a request or a TLS handshake included: Node's servers are not
 * closed before the last of them is, and a peer that never hangs up would hold the process for ever.
 */
export class Sockets {
  readonly #open = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
    });
  }

  /** Cuts every connection. */
  destroyAll(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

/**
 * Closes `server`, idle connections included; resolves when the last request and the last connection are over. At
 * `deadline`, `giveUp` must cut what is left.
 */
export async function closeServer(server: Server, deadline: AbortSignal, giveUp: () => void): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await cutAt(deadline, giveUp, closed);
}
