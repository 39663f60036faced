import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clickHouseErrorCode } from '../../src/store/clickhouse-fault.ts';
import { until } from '../until.ts';
import { ClickHouseServer } from './server.ts';

/** How many bytes nobody has read yet that were sent to the server at `url`. */
async function bytesWaiting(url: string): Promise<number> {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, '0');
  const sockets = (await readFile('/proc/net/tcp', 'utf8')).matchAll(
    new RegExp(`: 0100007F:${port} \\S+ 01 \\S+:([0-9A-F]+)`, 'g'),
  );
  return sockets.reduce((sum, [, waiting = '0']) => sum + Number.parseInt(waiting, 16), 0);
}

const codeOf = async (asked: Promise<unknown>): Promise<number | undefined> =>
  clickHouseErrorCode(await asked.catch((error: unknown) => error));

describe('the loopback server', () => {
  let server: ClickHouseServer;
  let client: ClickHouseClient;
  beforeAll(async () => {
    server = await ClickHouseServer.start({
      users: [
        { name: 'default', password: '' },
        { name: 'reader', password: '', isReader: true },
      ],
    });
    client = createClient({ url: server.url, log: { level: 127 } });
    await client.command({
      query:
        'CREATE TABLE t (value UInt64) ENGINE = MergeTree ORDER BY value SETTINGS fsync_after_insert = 1',
    });
  });
  afterAll(async () => {
    await client.close();
    await server.stop();
  });

  let inserted = 0;
  const insert = async (): Promise<number> => {
    const value = ++inserted;
    await client.insert({ table: 't', values: [{ value }], format: 'JSONEachRow' });
    return value;
  };
  const code = async (): Promise<number | undefined> => codeOf(insert());
  const has = async (value: number): Promise<boolean> =>
    (await server.query(`SELECT 1 FROM t WHERE value = ${value}`)).length === 1;

  test('keeps what it acknowledged when it is killed, on the same port', async () => {
    const { url } = server;
    const value = await insert();
    await server.restart();
    expect(server.url).toBe(url);
    expect(await has(value)).toBe(true);
  });

  test('takes from a reader neither rows nor settings', async () => {
    const reader = createClient({ url: server.url, username: 'reader', log: { level: 127 } });
    const query = 'SELECT value FROM t WHERE value > {least:UInt64}';
    const asked = { query, query_params: { least: 0 } };
    expect(await (await reader.query(asked)).json()).toMatchObject({ data: expect.any(Array) });
    const max_execution_time = 60;
    expect([
      await codeOf(reader.insert({ table: 't', values: [{ value: 999 }], format: 'JSONEachRow' })),
      await codeOf(reader.query({ ...asked, clickhouse_settings: { max_execution_time } })),
      await codeOf(reader.query({ query: `SELECT 1 SETTINGS max_execution_time = ${max_execution_time}` })),
    ]).toEqual([164, 164, 164]);
    expect(await has(999)).toBe(false);
    await reader.close();
  });

  test('answers with an error of ClickHouse and applies nothing', async () => {
    await server.fault('too-many-parts');
    expect(await code()).toBe(252);
    expect(await has(inserted)).toBe(false);
    await server.fault(undefined);
    expect(await has(await insert())).toBe(true);
  });

  test('refuses connections', async () => {
    await server.fault('refuse');
    await expect(insert()).rejects.toThrow(/ECONNRESET|hang up/);
    expect((await client.ping()).success).toBe(false);
    await server.fault(undefined);
    expect(await has(inserted)).toBe(false);
  });

  test('applies rows and says nothing', async () => {
    await server.fault('drop-answer');
    await expect(insert()).rejects.toThrow('hang up');
    await server.fault(undefined);
    expect(await has(inserted)).toBe(true);
  });

  test.each([
    ['hang', false],
    ['late', true],
  ] as const)(
    '%s: holds an insert whose client has gone, and applies it afterwards: %s',
    async (kind, applies) => {
      await server.fault(kind);
      const gone = new AbortController();
      const value = ++inserted;
      const inserting = client
        .insert({ table: 't', values: [{ value }], format: 'JSONEachRow', abort_signal: gone.signal })
        .catch((error: unknown) => error);
      await until('the server holds it', async () => (await server.held()) === 1);
      gone.abort();
      await inserting;
      expect(await has(value)).toBe(false);
      await server.fault(undefined);
      expect(await has(value)).toBe(applies);
    },
  );

  test('stands still', async () => {
    const isStill = async (): Promise<boolean> =>
      / T /.test(await readFile(`/proc/${server.pid}/stat`, 'utf8'));
    expect(await isStill()).toBe(false);
    server.freeze();
    await until('it is stopped', isStill);
    let isPending = true;
    const inserting = insert().finally(() => (isPending = false));
    await until('the insert is sent', async () => (await bytesWaiting(server.url)) > 0);
    expect(isPending).toBe(true);
    server.wake();
    expect(await has(await inserting)).toBe(true);
  });
});
