import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';
import { insertMonth, tablesOfMonth } from './month.ts';

let clickhouse: ClickHouse;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ clickhouse, remove } = await startClickHouse());
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  await insertMonth(clickhouse);
});
afterAll(async () => remove());

test('the month is the same each time', () => {
  expect(tablesOfMonth()).toEqual(tablesOfMonth());
});

test('every row is in its table', async () => {
  for (const { table, rows } of tablesOfMonth()) {
    const [found] = await clickhouse.query<{ rows: string }>(
      `SELECT count() AS rows FROM ${table} FINAL`.replace('otel_traces FINAL', 'otel_traces'),
    );
    expect([table, Number(found?.rows)]).toEqual([table, rows.length]);
  }
});

test('a run says what its spans say', async () => {
  const differing = await clickhouse.query(`
    SELECT RunId FROM runs AS R INNER JOIN (
      SELECT RunId,
        sumIf(InputTokens, Step = 'llm') AS Input,
        sumIf(CostUsd, Step = 'llm') AS Llm,
        sumIf(CostUsd, Step = 'tool') AS Tool,
        countIf(Step = 'tool') AS Attempts,
        uniqExactIf(ToolCallId, Step = 'tool') AS Calls
      FROM otel_traces GROUP BY RunId
    ) AS S USING RunId
    WHERE Input != InputTokens OR Llm != LlmCostUsd OR Tool != ToolCostUsd OR Attempts != ToolCallAttempts OR Calls != ToolCalls`);
  expect(differing).toEqual([]);
  const [shape] = await clickhouse.query<{ runs: string; october: string; spans: string }>(`
    SELECT count() AS runs, countIf(toStartOfMonth(ClosedTime) = '2026-10-01') AS october, (SELECT count() FROM otel_traces) AS spans
    FROM runs`);
  expect(Number(shape?.runs)).toBeGreaterThan(1500);
  expect(Number(shape?.october)).toBeGreaterThan(800);
  expect(Number(shape?.spans)).toBeGreaterThan(5000);
});
