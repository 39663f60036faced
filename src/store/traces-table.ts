import type { Position } from '../core/stream.ts';
import { clickHouseErrorCode, ClickHouseFault, remedyOf } from './clickhouse-fault.ts';
import type { ClickHouse } from './clickhouse.ts';
import { PositionSet, type Origin, type Stretch } from './place.ts';
import { quoteString } from './sql-text.ts';
import type { Aged, Marked, RecountedTable } from './recounted-table.ts';
import { removalsOf, ttlOf } from './table-ttl.ts';
import { InsertRejected, type Insert } from './table.ts';
import { traceColumns } from './trace-columns.ts';

/** What every answer says of who gave it. */
interface Answer {
  readonly server: string;
}

/** How far a replica has come with the log of inserts that all replicas have in Keeper, at `path`; 1 is true. */
interface Replica extends Answer {
  readonly isIdle: number;
  readonly hasRead: number;
  readonly isUnread: number;
  readonly path: string;
}

/**
 * `otel_traces` in ClickHouse. Where it is replicated, a replica answers only once it has what all others had when it was
 * asked: one that is behind would have rows inserted again.
 */
export class TracesTable implements RecountedTable {
  readonly #clickhouse: Pick<ClickHouse, 'command' | 'query' | 'insertBlock' | 'nowMs'>;
  readonly #isReplicated: boolean;
  /** The one that has the rows; undefined until it was asked, and where several have them. */
  #server: string | undefined;

  constructor(
    clickhouse: Pick<ClickHouse, 'command' | 'query' | 'insertBlock' | 'nowMs'>,
    { isReplicated = false } = {},
  ) {
    this.#clickhouse = clickhouse;
    this.#isReplicated = isReplicated;
  }

  nowMs(): number {
    return this.#clickhouse.nowMs();
  }

  async insert({ body, token, deadlineMs, signal }: Insert): Promise<void> {
    const settings = { insert_deduplication_token: token };
    try {
      await this.#clickhouse.insertBlock({
        table: 'otel_traces',
        columns: traceColumns,
        format: 'Native',
        settings,
        deadlineMs,
        signal,
        body,
      });
    } catch (error) {
      if (remedyOf(error) !== 'rows') throw error;
      throw new InsertRejected(error instanceof Error ? error.message : '');
    }
  }

  async held(origin: Origin, stretch: Stretch): Promise<Marked> {
    const held = await this.#ask<Record<keyof Marked, string | number>>(
      'count() AS rows, uniqExact(StreamOffset, StreamIndex) AS positions, sum(mixed * mixed % 16777213) AS mark', // as `markOf` does
      `(SELECT StreamOffset, StreamIndex, toUInt64(((StreamOffset - ${stretch.from.offset}) * 69069 + StreamIndex * 1327217 + 12345) % 16777213) AS mixed FROM otel_traces WHERE ${within(origin, stretch)})`,
    );
    return { rows: Number(held.rows), positions: Number(held.positions), mark: Number(held.mark) };
  }

  async positions(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly rows: number; readonly present: PositionSet }> {
    const { records } = await this.#ask<{ records: readonly string[] }>(
      `groupArray(concat(toString(offset), ':', arrayStringConcat(indexes, ','))) AS records`,
      `(SELECT StreamOffset AS offset, groupArray(StreamIndex) AS indexes FROM otel_traces WHERE ${within(origin, stretch)} GROUP BY StreamOffset)`,
    );
    const present = new PositionSet();
    let rows = 0;
    for (const record of records) {
      const [offset, indexes = ''] = record.split(':');
      for (const index of indexes.split(',')) {
        present.add(Number(offset), Number(index));
        rows++;
      }
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
    const { rows, offset, index } = await this.#ask<Record<'rows' | 'offset' | 'index', string | number>>(
      'count() AS rows, max(StreamOffset) AS offset, argMax(StreamIndex, (StreamOffset, StreamIndex)) AS index',
      `otel_traces WHERE ${of(origin)} AND ${notBefore(from)}`,
    );
    return Number(rows) === 0 ? undefined : { offset: Number(offset), index: Number(index) };
  }

  async count(origin: Origin, stretch: Stretch): Promise<number> {
    const { rows } = await this.#ask<{ rows: string | number }>(
      'count() AS rows',
      `otel_traces WHERE ${within(origin, stretch)}`,
    );
    return Number(rows);
  }

  async doubled(origin: Origin, stretch: Stretch, limit: number): Promise<readonly Position[]> {
    const rows = await this.#clickhouse.query<{ readonly offset: string | number; readonly index: number }>(
      `SELECT StreamOffset AS offset, StreamIndex AS index FROM otel_traces WHERE ${within(origin, stretch)} GROUP BY offset, index HAVING count() > 1 ORDER BY offset, index LIMIT ${limit}`,
    );
    return rows.map(({ offset, index }) => ({ offset: Number(offset), index }));
  }

  async oldest(
    origin: Origin,
    stretch: Stretch,
  ): Promise<{ readonly offset: number; readonly timeMs: number } | undefined> {
    const { rows, offset, timeMs } = await this.#ask<Record<'rows' | 'offset' | 'timeMs', string | number>>(
      'count() AS rows, min(StreamOffset) AS offset, toUnixTimestamp64Milli(min(Timestamp)) AS timeMs',
      `otel_traces WHERE ${within(origin, stretch)}`,
    );
    return Number(rows) === 0 ? undefined : { offset: Number(offset), timeMs: Number(timeMs) };
  }

  async aged(): Promise<Aged> {
    const [table] = await this.#clickhouse.query<{ readonly engine: string }>(
      `SELECT engine_full AS engine FROM system.tables WHERE database = currentDatabase() AND name = 'otel_traces'`,
    );
    const ttl = ttlOf(table?.engine ?? '');
    const removals = removalsOf(ttl);
    if (removals?.length === 0) return { beforeMs: -Infinity, unclearTtl: '' };
    const unclear = { beforeMs: Infinity, unclearTtl: ttl };
    if (removals === undefined) return unclear;
    try {
      // Of each day of a year and more: a time may begin at a month, and a month has more days than another.
      const [kept] = await this.#clickhouse.query<{ readonly beforeMs: string | number }>(
        `SELECT toUnixTimestamp64Milli(now64(3)) - 1000 * min(least(${removals.map((removal) => `toInt64(toUnixTimestamp(${removal}))`).join(', ')}) - toInt64(toUnixTimestamp(Timestamp))) AS beforeMs FROM (SELECT now64(9) - toIntervalDay(number) AS Timestamp FROM numbers(400))`,
      );
      return { beforeMs: Number(kept?.beforeMs), unclearTtl: '' };
    } catch (error) {
      if (remedyOf(error) === 'time' || clickHouseErrorCode(error) === undefined) throw error;
      return unclear; // other columns say, too
    }
  }

  async rederive(origin: Origin, stretch: Stretch): Promise<void> {
    const replica = this.#isReplicated ? await this.#caughtUp() : undefined;
    const only =
      replica === undefined
        ? ''
        : // A query of its own, which is made also where there is no row.
          ` AND (SELECT throwIf(toString(serverUUID()) != ${quoteString(replica)}, 'another replica answers')) = 0`;
    await this.#clickhouse.command(
      // Without deduplication: a table may remember the block of a statement whose part a crash took.
      `INSERT INTO otel_traces_trace_id_ts SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM otel_traces WHERE TraceId != '' AND ${within(origin, stretch)}${only} GROUP BY TraceId SETTINGS async_insert = 0, insert_deduplicate = 0`,
    );
  }

  /** The one row that aggregates of `from` give. */
  async #ask<Row>(aggregates: string, from: string): Promise<Row> {
    const replica = this.#isReplicated ? await this.#caughtUp() : undefined;
    const [row] = await this.#clickhouse.query<Row & Answer>(
      `SELECT ${aggregates}, toString(serverUUID()) AS server FROM ${from}`,
    );
    if (row === undefined) throw new Error('ClickHouse gave no row for an aggregate');
    if (!this.#isReplicated && row.server !== (this.#server ??= row.server))
      throw new ClickHouseFault(
        'operator',
        `another server answers than at first, and it has other rows: let ${this.#server} answer, or restart to use ${row.server}`,
        {},
      );
    if (replica !== undefined && row.server !== replica)
      throw new ClickHouseFault(
        'time',
        'two replicas of otel_traces answered, and one must: it is asked again',
        {},
      );
    return row;
  }

  /** Which replica answers, now that it has every part that was inserted anywhere before this was called. */
  async #caughtUp(): Promise<string> {
    const [replica] = await this.#clickhouse.query<Replica>(
      `SELECT toString(serverUUID()) AS server, NOT is_readonly AND NOT is_session_expired AND inserts_in_queue = 0 AS isIdle, log_pointer > log_max_index AS hasRead, log_pointer = 0 AND log_max_index = 0 AS isUnread, zookeeper_path AS path FROM system.replicas WHERE database = currentDatabase() AND table = 'otel_traces'`,
    );
    if (replica === undefined)
      throw new ClickHouseFault(
        'operator',
        'otel_traces is not a replicated table although a cluster is configured: make it one, or remove cluster',
        {},
      );
    const { server, isIdle, hasRead, isUnread, path } = replica;
    if (isIdle === 1 && (hasRead === 1 || (isUnread === 1 && (await this.#isLogEmpty(path))))) return server;
    throw new ClickHouseFault('time', 'the replica of otel_traces that answers is behind the others', {});
  }

  /**
   * Whether nothing was ever inserted. The highest index of a log is reported as 0 also while there is no entry, so only
   * Keeper knows whether there is one that nobody has read.
   */
  async #isLogEmpty(path: string): Promise<boolean> {
    const [log] = await this.#clickhouse.query<{ entries: string | number }>(
      `SELECT count() AS entries FROM system.zookeeper WHERE path = ${quoteString(`${path}/log`)}`,
    );
    return log !== undefined && Number(log.entries) === 0;
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
