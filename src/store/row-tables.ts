import { rollbackColumns } from '../core/rollback-columns.ts';
import { incidentColumns } from '../incidents/incident-row.ts';
import { policyColumns } from '../policy/policy-row.ts';
import { runColumns } from '../runs/run-row.ts';

/** The types of columns that rows are checked for before they are inserted, by ClickHouse's names. */
export type RowColumnType =
  | 'String'
  | 'LowCardinality(String)'
  | "DateTime64(3, 'UTC')"
  | "Nullable(DateTime64(3, 'UTC'))"
  | 'Decimal(18, 9)'
  | 'UInt32'
  | 'UInt64'
  | 'Float64'
  | 'Bool'
  | 'Array(String)'
  | 'Array(LowCardinality(String))'
  | 'Map(LowCardinality(String), Float64)';

/** A table whose rows replace each other by key and `Version`. */
export interface RowShape {
  /** The columns that a row may say, in table order. */
  readonly columns: readonly { readonly name: string; readonly type: RowColumnType }[];
  /** The columns that a row must say, `Version` beside them: what it is of. */
  readonly key: readonly string[];
}

/** The tables whose rows come by the stream of rows, by name. */
export const rowTables: ReadonlyMap<string, RowShape> = new Map<string, RowShape>([
  ['agent_runs', { columns: runColumns, key: ['RunId'] }],
  ['incidents', { columns: incidentColumns, key: ['IncidentId'] }],
  ['policies', { columns: policyColumns, key: ['PolicyRevision'] }],
  ['rollbacks', { columns: rollbackColumns, key: ['Seq', 'Hash'] }],
]);

/** Settings of an insert of rows: a row that a newer version wrote may say more than this one knows. */
export const rowSettings = { input_format_skip_unknown_fields: 1 } as const;
