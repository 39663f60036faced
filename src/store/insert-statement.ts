import type { BlockInsert, Settings } from './clickhouse.ts';
import { quoteIdentifier, quoteString } from './sql-text.ts';

/**
 * What makes one insert one chunk. ClickHouse identifies an insert by token and number of chunks read, so
 * a token alone names a block only while there is one chunk; and an asynchronous insert has other token rules.
 */
export const pinnedSettings: Settings = {
  async_insert: 0,
  insert_deduplicate: 1,
  max_block_size: 1_048_576,
  max_insert_block_size: 1_048_576,
  min_insert_block_size_rows: 1_048_576,
  min_insert_block_size_bytes: 0,
  max_insert_threads: 1,
};

/**
 * Pinned besides, where a ClickHouse knows them: newer versions decide by these whether a token counts. A SELECT from
 * `input` is not stable in their sense, but the token says which rows it means.
 */
export const newerSettings: Settings = {
  deduplicate_insert: 'enable',
  deduplicate_insert_select: 'enable_even_for_bad_queries',
};

type Statement = Pick<BlockInsert, 'table' | 'columns' | 'format' | 'settings'>;

/** The INSERT of a block whose bytes are in `file`. */
export function insertFromFile(insert: Statement, file: string): string {
  const settings = settingsClause({ ...insert.settings, ...pinnedSettings });
  return `${insertInto(insert)} FROM INFILE ${quoteString(file)} ${settings} FORMAT ${insert.format}`;
}

/**
 * The INSERT of a block whose bytes follow the statement, which ClickHouse refuses once its clock is past `deadlineMs`.
 * It looks at the clock when it has the whole block and before it writes any of it. `pinned` are the pinned settings of
 * that version.
 */
export function insertBefore(insert: Statement, deadlineMs: number, pinned: Settings): string {
  const names = insert.columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  const structure = insert.columns.map(({ name, type }) => `${quoteIdentifier(name)} ${type}`).join(', ');
  const deadline = `toDateTime(${Math.floor(deadlineMs / 1000)})`;
  return [
    `${insertInto(insert)} SELECT ${names} FROM input(${quoteString(structure)})`,
    `WHERE throwIf(nowInBlock() > ${deadline}, 'the insert came after its deadline') = 0`,
    settingsClause({ ...insert.settings, ...pinned }),
    `FORMAT ${insert.format}\n`,
  ].join(' ');
}

/** A SETTINGS clause. */
export function settingsClause(settings: Settings): string {
  const assignments = Object.entries(settings).map(
    ([name, value]) => `${quoteIdentifier(name)} = ${typeof value === 'number' ? value : quoteString(value)}`,
  );
  return `SETTINGS ${assignments.join(', ')}`;
}

function insertInto({ table, columns }: Statement): string {
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ');
  return `INSERT INTO ${quoteIdentifier(table)} (${names})`;
}
