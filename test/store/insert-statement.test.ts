import { expect, test } from 'vitest';
import { insertBefore, insertFromFile, pinnedSettings } from '../../src/store/insert-statement.ts';

const insert = {
  table: 't',
  format: 'Native',
  columns: [
    { name: 'a', type: 'UInt8' },
    { name: 'Events.Name', type: 'Array(LowCardinality(String))' },
  ],
  settings: { insert_deduplication_token: 'x', async_insert: 1, max_block_size: 10 },
} as const;
const pinned =
  "SETTINGS `insert_deduplication_token` = 'x', `async_insert` = 0, `max_block_size` = 1048576, `insert_deduplicate` = 1, " +
  '`max_insert_block_size` = 1048576, `min_insert_block_size_rows` = 1048576, `min_insert_block_size_bytes` = 0, ' +
  '`max_insert_threads` = 1';

test('an insert is one chunk whatever the defaults of the engine and the caller ask', () => {
  expect(insertFromFile(insert, '/a b/1.native')).toBe(
    `INSERT INTO \`t\` (\`a\`, \`Events.Name\`) FROM INFILE '/a b/1.native' ${pinned} FORMAT Native`,
  );
});

test('rows of JSON say so', () => {
  const rows = { ...insert, format: 'JSONEachRow' } as const;
  expect(insertFromFile(rows, '/1')).toMatch(/ FORMAT JSONEachRow$/);
  expect(insertBefore(rows, 0, pinnedSettings)).toMatch(/ FORMAT JSONEachRow\n$/);
});

test('an insert over HTTP is too late by the clock of ClickHouse, as it looks when it has the block', () => {
  expect(insertBefore(insert, 1_764_000_000_999, { ...pinnedSettings, deduplicate_insert: 'enable' })).toBe(
    'INSERT INTO `t` (`a`, `Events.Name`) SELECT `a`, `Events.Name` ' +
      "FROM input('`a` UInt8, `Events.Name` Array(LowCardinality(String))') " +
      "WHERE throwIf(nowInBlock() > toDateTime(1764000000), 'the insert came after its deadline') = 0 " +
      `${pinned}, \`deduplicate_insert\` = 'enable' FORMAT Native\n`,
  );
});
