import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clickHouseErrorCode } from '../../src/store/clickhouse-fault.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { numbersBlock, numbersInsert } from './embedded.ts';
import { engines } from './engines.ts';

const range = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);

describe.each(engines)('ClickHouse $name', ({ start }) => {
  let clickhouse: ClickHouse;
  let remove: () => Promise<void>;
  let tables = 0;

  beforeAll(async () => {
    ({ clickhouse, remove } = await start());
  });
  afterAll(async () => {
    await remove();
  });

  const createTable = async (): Promise<string> => {
    const table = `numbers_${tables++}`;
    await clickhouse.command(
      `CREATE TABLE ${table} (value UInt64, other String DEFAULT 'x') ENGINE = MergeTree ORDER BY value SETTINGS non_replicated_deduplication_window = 100`,
    );
    return table;
  };
  const insert = async (table: string, values: readonly number[], token?: string): Promise<void> =>
    clickhouse.insertBlock(numbersInsert(table, values, token));
  const count = async (table: string): Promise<number> => {
    const [row] = await clickhouse.query<{ rows: number | string }>(`SELECT count() AS rows FROM ${table}`);
    return Number(row?.rows ?? -1);
  };

  test('stores a block that comes in several pieces, and fills the columns it does not have', async () => {
    const table = await createTable();
    await insert(table, [3, 1, 2]);
    expect(
      await clickhouse.query(`SELECT toUInt8(value) AS value, other FROM ${table} ORDER BY value`),
    ).toEqual([
      { value: 1, other: 'x' },
      { value: 2, other: 'x' },
      { value: 3, other: 'x' },
    ]);
  });

  test('takes a block once under one token, and the next block without a token always', async () => {
    const table = await createTable();
    await insert(table, [1, 2], 'a token');
    await insert(table, [1, 2], 'a token');
    expect(await count(table)).toBe(2);
    await insert(table, [1, 2]);
    await insert(table, [1, 2, 3]);
    expect(await count(table)).toBe(7);
  });

  test('takes a block once when it comes three times at once', async () => {
    const table = await createTable();
    await Promise.all([1, 2, 3].map(async () => insert(table, range(50_000), 'at once')));
    expect(await count(table)).toBe(50_000);
  });

  test('knows a token whatever the number of rows that come under it', async () => {
    const table = await createTable();
    await insert(table, range(200_000), 'same');
    await insert(table, range(60_000), 'same');
    expect(await count(table)).toBe(200_000);
    const parts = `SELECT name FROM system.parts WHERE table = '${table}' AND database = currentDatabase()`;
    expect(await clickhouse.query(parts)).toHaveLength(1);
  });

  test('keeps quotes in names and values apart from the statement', async () => {
    const odd = "it's `a` \\ table; DROP";
    const quoted = "`it's \\`a\\` \\\\ table; DROP`";
    await clickhouse.command(
      `CREATE TABLE ${quoted} (${quoted} UInt64) ENGINE = MergeTree ORDER BY tuple() SETTINGS non_replicated_deduplication_window = 100`,
    );
    const block = {
      ...numbersInsert(odd, []),
      columns: [{ name: odd, type: 'UInt64' }],
      body: numbersBlock(odd, [5]),
    };
    await clickhouse.insertBlock({ ...block, settings: { insert_deduplication_token: `${odd}'` } });
    await clickhouse.insertBlock({ ...block, settings: { insert_deduplication_token: `${odd}'` } });
    await clickhouse.insertBlock({ ...block, settings: { insert_deduplication_token: odd } });
    expect(await count(quoted)).toBe(2);
  });

  test('says why a statement failed, by a code and a sentence', async () => {
    const failure = await insert('nowhere', [1]).catch((error: unknown) => error);
    expect(clickHouseErrorCode(failure)).toBe(60);
    expect(failure).toMatchObject({ message: expect.stringMatching(/^a table is missing: restore it/) });
  });

  test('takes values of placeholders as values', async () => {
    const text = "it's \\ a\ttab {x:String}";
    expect(
      await clickhouse.query('SELECT {text:String} AS text, {n:UInt16} + toUInt8(1) AS n', { text, n: 6 }),
    ).toEqual([{ text, n: 7 }]);
  });

  test('inserts while a long query runs', async () => {
    const table = await createTable();
    let isRunning = true;
    const query = clickhouse.query('SELECT sleep(2)').finally(() => {
      isRunning = false;
    });
    await insert(table, [1]);
    expect(isRunning).toBe(true);
    await query;
  });
});
