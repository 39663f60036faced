import type { TableRow } from '../../src/core/table-row.ts';
import { readRow } from '../../src/store/read-row.ts';
import { rowTables } from '../../src/store/row-tables.ts';

interface RollbackRow {
  readonly Seq: number;
  readonly Hash: string;
  readonly PrevHash: string;
  readonly Event: string;
  readonly State: string;
}

/** The rows as ClickHouse takes them: each event once, by its place. */
export function rollbackTable(rows: readonly TableRow[]): readonly RollbackRow[] {
  const shape = rowTables.get('rollbacks')!;
  const read = rows.map(({ row }): RollbackRow => JSON.parse(readRow(row, shape) ?? 'null'));
  return [...new Map(read.map((row) => [row.Hash, row])).values()].toSorted((a, b) => a.Seq - b.Seq);
}
