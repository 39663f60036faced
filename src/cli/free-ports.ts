import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** As many ports of `host` as are asked for, which nobody uses now, all different. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<readonly number[]> {
  const servers = await Promise.all(Array.from({ length: count }, async () => listening(host, 0)));
  const ports = servers.map((server) => {
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('a TCP server has a port');
    return address.port;
  });
  await Promise.all(servers.map(closed));
  return ports;
}

/** Whether another program listens at `port` of `host`. */
export async function isTaken(host: string, port: number): Promise<boolean> {
  try {
    await closed(await listening(host, port));
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  }
}

async function listening(host: string, port: number): Promise<Server> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  return server;
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
