import { afterAll, beforeAll, expect, test } from 'vitest';
import { rollbackColumns } from '../../src/core/rollback-columns.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';
import { planWith, requestWith, Site } from './site.ts';

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

test('ClickHouse tells of each policy how often it would have rolled back, and what people said of that', async () => {
  const site = new Site();
  site.plan = planWith({ policy: 'search-agent', mode: 'dry_run' });
  try {
    const executor = site.executor();
    const ids = [];
    for (const release of ['v2', 'v3', 'v4']) {
      const outcome = await executor.request(requestWith({ agent: 'search', release }));
      ids.push('id' in outcome ? outcome.id : '');
      await executor.round();
    }
    await executor.decisions.review(ids[0]!, 'ana', 'wrong', '');
    await executor.decisions.review(ids[0]!, 'bo', 'right', 'it failed for all');
    await executor.decisions.review(ids[1]!, 'ana', 'wrong', "the tool's fault");
    await executor.round();
    const rows = site.rows.map(({ row }) => row);
    await clickhouse.command(`INSERT INTO rollbacks FORMAT JSONEachRow ${rows.join('\n')}`);
    expect(
      await clickhouse.query(
        "SELECT Actor, Reason, State, ToRelease FROM rollback_events WHERE Event = 'reviewed' AND Policy = 'search-agent' ORDER BY Seq",
      ),
    ).toMatchObject([
      { Actor: 'ana', Reason: '', State: '', ToRelease: 'v1' },
      { Actor: 'bo', Reason: 'it failed for all' },
      { Actor: 'ana', Reason: "the tool's fault" },
    ]);
    expect(
      await clickhouse.query(`
        SELECT Policy, count() AS times, countIf(review = 'right') AS right, countIf(review = 'wrong') AS wrong
        FROM (
          SELECT RollbackId, any(Policy) AS Policy, countIf(State = 'dry_run' AND ToRelease != '') > 0 AS wouldHave,
            argMaxIf(JSONExtractString(Evidence, 'review'), Seq, Event = 'reviewed') AS review
          FROM rollback_events WHERE RollbackId != '' GROUP BY RollbackId
        ) WHERE wouldHave GROUP BY Policy`),
    ).toMatchObject([{ Policy: 'search-agent', times: 3, right: 1, wrong: 1 }]);
  } finally {
    site.remove();
  }
});
