import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { Tables } from '../../src/store/tables.ts';
import { silentLog, startClickHouse } from './embedded.ts';

let clickhouse: ClickHouse;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ clickhouse, remove } = await startClickHouse());
});
afterAll(async () => remove());

const open = async (): Promise<void> =>
  new Tables({
    clickhouse,
    cluster: undefined,
    isServer: false,
    isOnlyAsked: true,
    log: silentLog,
  }).start();

async function tables(): Promise<number> {
  return (await clickhouse.query('SELECT name FROM system.tables WHERE database = currentDatabase()')).length;
}

test('tables that are only asked are refused where they are not there or older, and are not made', async () => {
  await expect(open()).rejects.toThrow('the tables are not there: start the pipeline that stores');
  expect(await tables()).toBe(0);
  const migrations = await readMigrations();
  await migrate(clickhouse, migrations.slice(0, 3), aloneDialect, silentLog);
  const before = await tables();
  await expect(open()).rejects.toThrow(
    `the tables are older than this program, which has ${migrations.length - 3} more migrations`,
  );
  expect(await tables()).toBe(before);
  await migrate(clickhouse, migrations, aloneDialect, silentLog);
  await open();
});
