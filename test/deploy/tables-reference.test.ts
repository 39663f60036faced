import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { aloneDialect, migrate, readMigrations } from '../../src/store/migrations.ts';
import { markdownTable } from '../markdown-table.ts';
import { silentLog, startClickHouse } from '../store/embedded.ts';

const intro = `# Tables and views

Made by \`npx vitest run -u --config .config/vitest.config.ts test/deploy/tables-reference.test.ts\` from the tables as
ClickHouse has them; \`DESCRIBE runs\` says the same. Questions, with the SQL that answers them: \`cookbook.md\`.

Ask views where there are any: a table whose rows replace each other (by \`Version\`) may hold several of one thing until
ClickHouse merges them. Columns are empty (\`''\`, 0 or \`NULL\`) as they say. Times of \`otel_traces\` are in the time zone of
the server as ClickHouse shows them, all others in UTC.`;

/** The views that are asked in place of a table. */
const viewOf: Readonly<Record<string, string>> = {
  agent_runs: 'runs',
  incidents: 'incidents_now',
  rollbacks: 'rollback_events',
};

interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly comment: string;
}

let clickhouse: ClickHouse;
let remove: () => Promise<void>;
let tables: readonly { readonly name: string; readonly engine: string; readonly comment: string }[];
let columns: ReadonlyMap<string, readonly Column[]>;

beforeAll(async () => {
  ({ clickhouse, remove } = await startClickHouse());
  await migrate(clickhouse, await readMigrations(), aloneDialect, silentLog);
  // A materialized view only fills its table; nobody asks it.
  tables = await clickhouse.query(
    "SELECT name, engine, comment FROM system.tables WHERE database = currentDatabase() AND engine != 'MaterializedView' ORDER BY name",
  );
  columns = Map.groupBy(
    await clickhouse.query<Column>(
      'SELECT table, name, type, comment FROM system.columns WHERE database = currentDatabase() ORDER BY table, position',
    ),
    ({ table }) => table,
  );
});
afterAll(async () => remove());

const columnsOf = (table: string): readonly Column[] => columns.get(table) ?? [];

test('every table, view and column says what it means', () => {
  expect(tables.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['otel_traces', 'runs', 'incidents_now']),
  );
  const undescribed = tables.flatMap(({ name, comment }) => [
    ...(comment === '' ? [name] : []),
    ...(viewOf[name] === undefined ? columnsOf(name) : [])
      .filter((column) => column.comment === '')
      .map((column) => `${name}.${column.name}`),
  ]);
  expect(undescribed).toEqual([]);
});

test('a view that is asked in place of a table has all its columns', () => {
  for (const [table, view] of Object.entries(viewOf)) {
    const said = columnsOf(table).map(({ name, type }) => ({ name, type }));
    expect(said.length).toBeGreaterThan(10);
    expect(columnsOf(view).map(({ name, type }) => ({ name, type }))).toEqual(said);
  }
});

test('deploy/sql/tables.md says what there is (else: run this with -u)', async () => {
  const sections = tables.map(({ name, engine, comment }) => {
    const head = `## \`${name}\`\n\n${engine === 'View' ? 'View.' : 'Table.'} ${comment}`;
    const view = viewOf[name];
    if (view !== undefined) return `${head} Its columns are those of \`${view}\`.`;
    const rows = columnsOf(name).map((column) => [
      `\`${column.name}\``,
      `\`${column.type}\``,
      column.comment,
    ]);
    return `${head}\n\n${markdownTable(['column', 'type', 'meaning'], rows)}`;
  });
  await expect(`${[intro, ...sections].join('\n\n')}\n`).toMatchFileSnapshot('../../deploy/sql/tables.md');
});
