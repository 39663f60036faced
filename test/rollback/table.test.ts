import { afterAll, beforeAll, expect, test } from 'vitest';
import { rollbackColumns } from '../../src/core/rollback-columns.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';
import { requestWith, Site } from './site.ts';

let clickhouse: ClickHouse;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ clickhouse, remove } = await startClickHouse());
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
});
afterAll(async () => remove());

test('the table has the columns that rows are written for', async () => {
  const columns = await clickhouse.query<{ name: string; type: string }>('DESCRIBE TABLE rollbacks');
  expect(columns.map(({ name, type }) => ({ name, type }))).toEqual([...rollbackColumns]);
});

test('ClickHouse has each event once, however often its row came, linked to the one before', async () => {
  const site = new Site();
  try {
    for (let restarts = 0; restarts < 2; restarts++) {
      const executor = site.executor();
      await executor.request(requestWith({ reason: 'it\'s "worse"\n😀' }));
      await executor.round();
      await executor.round();
    }
    const rows = site.rows.map(({ row }) => row);
    expect(rows.length).toBeGreaterThan(site.journal.records.length);
    await clickhouse.command(`INSERT INTO rollbacks FORMAT JSONEachRow ${rows.join('\n')}`);
    const events = await clickhouse.query(
      'SELECT Event, State, Reason, neighbor(Hash, -1) = PrevHash OR Seq = 1 AS isLinked FROM rollback_events SETTINGS allow_deprecated_error_prone_window_functions = 1',
    );
    expect(events).toMatchObject([
      { Event: 'requested', State: 'requested', Reason: 'it\'s "worse"\n😀', isLinked: 1 },
      { Event: 'executing', isLinked: 1 },
      { Event: 'acted', State: 'verifying', isLinked: 1 },
      { Event: 'done', isLinked: 1 },
      { Event: 'repeated', State: '', isLinked: 1 },
    ]);
  } finally {
    site.remove();
  }
});
