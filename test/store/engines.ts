import { randomBytes } from 'node:crypto';
import { env } from 'node:process';
import { Secret } from '../../src/core/secret.ts';
import { openClickHouseServer, type ServerOptions } from '../../src/store/clickhouse-server.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { ClickHouseServer } from '../clickhouse/server.ts';
import { startClickHouse } from './embedded.ts';

/** A started ClickHouse whose tables nobody else sees. */
export interface StartedClickHouse {
  readonly clickhouse: ClickHouse;
  readonly remove: () => Promise<void>;
}

/** Every way to have a ClickHouse, for tests of what each of them promises. */
export const engines: readonly { readonly name: string; readonly start: () => Promise<StartedClickHouse> }[] =
  [
    { name: 'embedded', start: startClickHouse },
    { name: 'on a server', start: startServer },
  ];

/** A client of the server at `url`, not started. */
export function clientOf(url: string, changes: Partial<ServerOptions> = {}): ClickHouse {
  return openClickHouseServer({
    url,
    username: 'default',
    password: undefined,
    database: 'default',
    tls: undefined,
    compression: 'zstd',
    answerMs: 20_000,
    ...changes,
  });
}

/**
 * The server of `CLICKHOUSE_URL`, with a database for these tests alone; a loopback server when there is none. `exporter`
 * is what a configuration says of it.
 */
export async function startServer(): Promise<StartedClickHouse & { readonly exporter: object }> {
  const own = env['CLICKHOUSE_URL'] ? undefined : await ClickHouseServer.start();
  const url = own?.url ?? env['CLICKHOUSE_URL'] ?? '';
  const user = {
    username: env['CLICKHOUSE_USERNAME'] ?? 'default',
    password: new Secret(env['CLICKHOUSE_PASSWORD'] ?? ''),
  };
  const database = `plimsoll_test_${randomBytes(6).toString('hex')}`;
  const admin = clientOf(url, own ? {} : user);
  await admin.start();
  await admin.command(`CREATE DATABASE ${database}`);
  const clickhouse = clientOf(url, { ...(own ? {} : user), database });
  await clickhouse.start();
  const remove = async (): Promise<void> => {
    await clickhouse.stop(AbortSignal.timeout(10_000));
    await admin.command(`DROP DATABASE ${database}`);
    await admin.stop(AbortSignal.timeout(10_000));
    await own?.stop();
  };
  const username = own ? '' : user.username;
  const password = own ? '' : user.password.reveal();
  return { clickhouse, remove, exporter: { url, username, password, database } };
}
