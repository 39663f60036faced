import type { Component } from '../core/component.ts';
import type { Column } from '../otlp/row-columns.ts';

/** Values of one statement's SETTINGS clause, by setting name. */
export type Settings = Readonly<Record<string, string | number>>;

/** One block of rows for one table. */
export interface BlockInsert {
  readonly table: string;
  /** Those of the block, in its order; the table may have more. A row of JSON may leave some out. */
  readonly columns: readonly Column[];
  /** How the body is to be read. */
  readonly format: 'Native' | 'JSONEachRow';
  /** On top of the pinned ones, such as `insert_deduplication_token`. */
  readonly settings: Settings;
  /** Nothing lands later, in Unix milliseconds by the clock that `nowMs` reads. An engine that dies with this process may ignore it. */
  readonly deadlineMs: number;
  /** Ends the wait for an answer: nobody knows then what has landed. An engine in this process cannot be interrupted. */
  readonly signal?: AbortSignal;
  /** The block's bytes in order; owned by the callee until the promise settles. */
  readonly body: readonly Uint8Array[];
}

/**
 * The tables, written and read by SQL. Every method rejects with a ClickHouseFault where one is known, else with the
 * engine's own error; `clickHouseErrorCode` tells the code of both. Statements carry their settings inline: a setting
 * given beside a statement may stick to the connection, and a deduplication token that sticks swallows later inserts.
 */
export interface ClickHouse extends Component {
  /** Runs a statement that returns nothing. */
  command(sql: string): Promise<void>;
  /**
   * Rows of one SELECT without FORMAT clause. `params` fill placeholders such as `{partition:UInt16}`. Integers
   * beyond 2^53 lose digits: select them `toString`. Rows are buffered, so the query bounds them.
   */
  query<Row>(sql: string, params?: Readonly<Record<string, unknown>>): Promise<readonly Row[]>;
  /** Inserts the block as one chunk; durable when resolved. After a rejection nothing, some or all of it may be there. */
  insertBlock(insert: BlockInsert): Promise<void>;
  /** ClickHouse's own clock, in Unix milliseconds: never later than it is. */
  nowMs(): number;
}

/** The tables where they are only read. */
export type ClickHouseReader = Component & Pick<ClickHouse, 'query'>;
