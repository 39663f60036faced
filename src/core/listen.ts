import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { Failure } from './failure.ts';

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The path of this address in the config, such as `service::telemetry::metrics::endpoint`, for errors. */
  readonly configPath: string;
}

const faults: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is already in use: stop the other program or choose another port',
  EACCES: 'may not be opened by this user: choose a port above 1023',
  EADDRNOTAVAIL: 'is not an address of this machine: use 127.0.0.1, or 0.0.0.0 for all',
  ENOTFOUND: 'is not a known host name: use 127.0.0.1, or 0.0.0.0 for all',
};

/** Resolves with the bound address. Rejects with one sentence that names the address, the config key and the fix. */
export async function listen(
  server: Server,
  { host, port, configPath }: ListenAddress,
): Promise<AddressInfo> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const fault = faults[code] ?? `cannot be listened on (${String(error)})`;
    throw new Failure('unavailable', `${configPath}: ${host}:${port} ${fault}`, { cause: error });
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error(`${host}:${port} is not a TCP address`);
  return bound;
}

/** An endpoint as the configuration writes it. */
function endpointText({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Where a client on this machine reaches a server at `endpoint`: a wildcard address is one of the loopback ones too. */
export function reachableUrl(
  endpoint: { readonly host: string; readonly port: number },
  scheme: 'http' | 'https' = 'http',
): string {
  const wildcards: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return `${scheme}://${endpointText({ ...endpoint, host: wildcards[endpoint.host] ?? endpoint.host })}`;
}
