import type { Position } from '../core/stream.ts';
import { clickHouseErrorCode, type ClickHouse } from './clickhouse.ts';
import { PositionSet, type Origin, type Stretch } from './place.ts';
import { quoteString } from './sql-text.ts';
import { InsertRejected, type Held, type Insert, type Table } from './table.ts';
import { traceColumns } from './trace-columns.ts';

/**
 * The codes by which ClickHouse refuses rows for what they are, before it writes a part. Whatever is not here may have
 * written something, or may succeed another time: too many parts (252), memory (241), timeouts (159, 209), disk (243,
 * 1001), unknown tables and columns, anything a view throws.
 */
const rejectingCodes: ReadonlyMap<number, string> = new Map([
  [117, 'INCORRECT_DATA'],
  [128, 'TOO_LARGE_ARRAY_SIZE'],
  [131, 'TOO_LARGE_STRING_SIZE'],
  [321, 'VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE'],
  [407, 'DECIMAL_OVERFLOW'],
  [469, 'VIOLATED_CONSTRAINT'],
]);

const columns = traceColumns.map((column) => column.name);

/**
 * `otel_traces` in a ClickHouse that dies with this process, and every copy of an insert with it, so that deadlines
 * mean nothing here.
 */
export class TracesTable implements Table {
  readonly #clickhouse: Pick<ClickHouse, 'command' | 'query' | 'insertBlock'>;

  constructor(clickhouse: Pick<ClickHouse, 'command' | 'query' | 'insertBlock'>) {
    this.#clickhouse = clickhouse;
  }

  async insert({ body, token }: Insert): Promise<void> {
    try {
      const settings = { insert_deduplication_token: token };
      await this.#clickhouse.insertBlock({ table: 'otel_traces', columns, settings, body });
    } catch (cause) {
      const code = clickHouseErrorCode(cause);
      const name = code === undefined ? undefined : rejectingCodes.get(code);
      if (name === undefined) throw cause;
      throw new InsertRejected(`ClickHouse refused the row: ${name} (${code})`, { cause });
    }
  }

  async held(origin: Origin, stretch: Stretch): Promise<Held> {
    const [held] = await this.#clickhouse.query<Readonly<Record<keyof Held, string | number>>>(
      `SELECT count() AS rows, uniqExact(StreamOffset, StreamIndex) AS positions FROM otel_traces WHERE ${within(origin, stretch)}`,
    );
    return { rows: Number(held?.rows ?? 0), positions: Number(held?.positions ?? 0) };
  }

  async positions(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly rows: number; readonly present: PositionSet }> {
    const records = await this.#clickhouse.query<{
      readonly offset: string | number;
      readonly indexes: readonly number[];
    }>(
      `SELECT StreamOffset AS offset, groupArray(StreamIndex) AS indexes FROM otel_traces WHERE ${within(origin, stretch)} GROUP BY StreamOffset`,
    );
    const present = new PositionSet();
    let rows = 0;
    for (const { offset, indexes } of records) {
      for (const index of indexes) present.add(Number(offset), index);
      rows += indexes.length;
    }
    return { rows, present };
  }

  async rowsAt(origin: Origin, positions: readonly Position[]): Promise<PositionSet> {
    const found = new PositionSet();
    if (positions.length === 0) return found;
    const offsets = new Set(positions.map(({ offset }) => offset)); // by which the index of the table finds them
    const places = positions.map(({ offset, index }) => `(${offset}, ${index})`).join(', ');
    const rows = await this.#clickhouse.query<{ readonly offset: string | number; readonly index: number }>(
      `SELECT DISTINCT StreamOffset AS offset, StreamIndex AS index FROM otel_traces WHERE ${of(origin)} AND StreamOffset IN (${[...offsets].join(', ')}) AND (StreamOffset, StreamIndex) IN (${places})`,
    );
    for (const { offset, index } of rows) found.add(Number(offset), index);
    return found;
  }

  async highest(origin: Origin, from: Position): Promise<Position | undefined> {
    const [row] = await this.#clickhouse.query<{
      readonly offset: string | number;
      readonly index: string | number;
    }>(
      `SELECT StreamOffset AS offset, StreamIndex AS index FROM otel_traces WHERE ${of(origin)} AND ${notBefore(from)} ORDER BY StreamOffset DESC, StreamIndex DESC LIMIT 1`,
    );
    return row && { offset: Number(row.offset), index: Number(row.index) };
  }

  async rederive(origin: Origin, stretch: Stretch): Promise<void> {
    await this.#clickhouse.command(
      // Without deduplication: a table may remember the block of a statement whose part a crash took.
      `INSERT INTO otel_traces_trace_id_ts SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM otel_traces WHERE TraceId != '' AND ${within(origin, stretch)} GROUP BY TraceId SETTINGS async_insert = 0, insert_deduplicate = 0`,
    );
  }
}

function of({ streamId, partition }: Origin): string {
  return `StreamId = ${quoteString(streamId)} AND StreamPartition = ${partition}`;
}

function notBefore({ offset, index }: Position): string {
  return `StreamOffset >= ${offset} AND (StreamOffset > ${offset} OR StreamIndex >= ${index})`;
}

function within(origin: Origin, { from, to }: Stretch): string {
  const before = `StreamOffset <= ${to.offset} AND (StreamOffset < ${to.offset} OR StreamIndex < ${to.index})`;
  return `${of(origin)} AND ${notBefore(from)} AND ${before}`;
}
