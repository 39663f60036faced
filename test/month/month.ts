import type { TableRow } from '../../src/core/table-row.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import { incidentRows } from './incidents.ts';
import { policyRows } from './policies.ts';
import { rollbackRows } from './rollbacks.ts';
import { allRuns } from './runs.ts';

/** Rows of one table, each as a line of JSON by the names of its columns. */
interface TableOfMonth {
  readonly table: string;
  readonly rows: readonly string[];
}

const rowsOf = (rows: readonly TableRow[]): readonly string[] => rows.map(({ row }) => row);

/**
 * A month of five agents, October 2026, with the three before it and two days after: every row of every table, the same
 * each time, and such that tables agree with each other (a run's calls, tokens and costs are the sums of its spans').
 * `agents.ts` says what the agents are, `incidents.ts` and `rollbacks.ts` what befell them.
 */
export function tablesOfMonth(): readonly TableOfMonth[] {
  const runs = allRuns();
  return [
    { table: 'otel_traces', rows: runs.flatMap(({ spans }) => spans) },
    { table: 'agent_runs', rows: rowsOf(runs.map(({ run }) => run)) },
    { table: 'incidents', rows: rowsOf(incidentRows()) },
    { table: 'rollbacks', rows: rowsOf(rollbackRows()) },
    { table: 'policies', rows: rowsOf(policyRows()) },
  ];
}

const limitRows = 2000;

/** Inserts `tables` into the migrated tables of `clickhouse`. */
export async function insertRows(
  clickhouse: Pick<ClickHouse, 'command'>,
  tables: readonly TableOfMonth[],
): Promise<void> {
  for (const { table, rows } of tables)
    for (let from = 0; from < rows.length; from += limitRows) {
      const some = rows.slice(from, from + limitRows);
      await clickhouse.command(`INSERT INTO ${table} FORMAT JSONEachRow ${some.join('\n')}`);
    }
}

/** Inserts the month into the migrated tables of `clickhouse`. */
export async function insertMonth(clickhouse: Pick<ClickHouse, 'command'>): Promise<void> {
  await insertRows(clickhouse, tablesOfMonth());
}
