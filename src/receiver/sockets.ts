import type { Server, Socket } from 'node:net';

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
