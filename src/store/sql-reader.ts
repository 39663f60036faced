import { messageOf } from '../core/failure.ts';
import type { ClickHouseClient, DataFormat } from '@clickhouse/client';
import { randomUUID } from 'node:crypto';
import { connectEmbedded } from './clickhouse-embedded.ts';
import { clickHouseErrorCode } from './clickhouse-fault.ts';
import { formatOf, reachingFunctionsOf, readingStatement, SqlError } from './sql-guard.ts';
import { quoteIdentifier, quoteString } from './sql-text.ts';

/** What one query may take. */
export interface QueryLimits {
  readonly memoryBytes: number;
  readonly timeMs: number;
  readonly resultRows: number;
  readonly resultBytes: number;
  readonly threads: number;
}

/** One query as somebody asked it. */
export interface SqlQuery {
  readonly sql: string;
  readonly database: string | undefined;
  /** Used when the statement has no FORMAT clause. */
  readonly defaultFormat: string;
  /** Allowed names only; the caller has checked them. */
  readonly settings: Readonly<Record<string, string>>;
  /** Values of placeholders, escaped as in tab-separated text. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** What came out, whole: `limits` bound it. */
export interface SqlResult {
  readonly format: string;
  readonly chunks: readonly Uint8Array[];
  readonly summary: Readonly<Record<string, string>>;
}

/**
 * Runs other people's queries on the tables of an embedded ClickHouse that is open in this process. Every query
 * has a connection of its own, which is given its limits and then made read-only, so nobody inherits a setting.
 */
export class SqlReader {
  readonly #directory: string;
  readonly #limits: QueryLimits;
  #control: ClickHouseClient | undefined;
  #reaching: ReadonlySet<string> = new Set();
  #version = '';

  constructor(directory: string, limits: QueryLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  /** The engine's version, known once open. */
  get version(): string {
    return this.#version;
  }

  async open(): Promise<void> {
    const control = await connectEmbedded(this.#directory);
    this.#control = control;
    this.#reaching = await reachingFunctionsOf((sql) => lines(control, sql));
    this.#version = (await lines(control, 'SELECT version()')).join('');
  }

  async close(): Promise<void> {
    await this.#control?.close();
    this.#control = undefined;
  }

  /**
   * The result of `query`. Rejects with SqlError when it is not allowed, with the engine's error when it fails. When
   * `signal` aborts the engine is told to stop, and the promise settles once it has.
   */
  async run(query: SqlQuery, signal: AbortSignal): Promise<SqlResult> {
    const tag = randomUUID();
    const cancel = (): void => void this.#kill(tag);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      signal.throwIfAborted();
      // Without the query's own settings: some of them change how the engine answers what the guard asks it.
      const statement = await this.#reading(query, {}, tag, (connection) =>
        readingStatement(query.sql, this.#reaching, (sql) => lines(connection, sql)),
      );
      return await this.#reading(query, query.settings, tag, (connection) => {
        signal.throwIfAborted();
        return resultOf(connection, statement, query.defaultFormat);
      });
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  /** Lends `work` a connection that is bound to the limits and cannot write. */
  async #reading<T>(
    query: SqlQuery,
    settings: SqlQuery['settings'],
    tag: string,
    work: (connection: ClickHouseClient) => Promise<T>,
  ): Promise<T> {
    const connection = await connectEmbedded(this.#directory);
    try {
      await connection.command({ query: preparation(query, settings, this.#limits, tag) });
      return await work(connection);
    } finally {
      await connection.close();
    }
  }

  /** Asynchronous: waiting for the query to end would block in the engine for ever. */
  async #kill(tag: string): Promise<void> {
    const query = `KILL QUERY WHERE Settings['log_comment'] = ${quoteString(tag)} ASYNC`;
    await this.#control?.command({ query }).catch(() => undefined); // the query's own time limit ends it
  }
}

/** Statements that prepare a connection for one query. The last one makes it read-only for good. */
function preparation(
  query: SqlQuery,
  settings: SqlQuery['settings'],
  limits: QueryLimits,
  tag: string,
): string {
  const assignments = Object.entries({
    ...settings,
    max_query_size: 16 << 20, // the text travels once more as a string literal, escaped
    max_memory_usage: limits.memoryBytes,
    max_execution_time: limits.timeMs / 1000,
    max_result_rows: limits.resultRows,
    max_result_bytes: limits.resultBytes,
    result_overflow_mode: 'throw',
    max_threads: limits.threads,
    max_temporary_data_on_disk_size_for_query: limits.memoryBytes,
    log_comment: tag,
  }).map(([name, value]) => `${quoteIdentifier(name)} = ${quoteString(String(value))}`);
  const parameters = Object.entries(query.parameters).map(
    ([name, value]) => `SET param_${name} = ${quoteString(value)}`,
  );
  const use = query.database === undefined ? [] : [`USE ${quoteIdentifier(query.database)}`];
  return [`SET ${assignments.join(', ')}`, ...parameters, ...use, 'SET readonly = 1'].join('; ');
}

async function resultOf(
  client: ClickHouseClient,
  statement: string,
  defaultFormat: string,
): Promise<SqlResult> {
  const { stream, summary } = await client.exec({
    query: statement,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the engine knows which formats there are, and says so
    clickhouse_settings: { default_format: defaultFormat as DataFormat },
  });
  const chunks = await chunksOf(stream);
  return { format: formatOf(statement) ?? defaultFormat, chunks, summary: { ...summary } };
}

async function lines(client: ClickHouseClient, sql: string): Promise<readonly string[]> {
  // Not by a FORMAT clause: an EXPLAIN AST would take it for a part of what it explains.
  const { stream } = await client.exec({
    query: sql,
    clickhouse_settings: { default_format: 'TabSeparatedRaw' },
  });
  return Buffer.concat(await chunksOf(stream))
    .toString()
    .trimEnd()
    .split('\n');
}

async function chunksOf(stream: AsyncIterable<Buffer>): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** The HTTP statuses that ClickHouse gives its error codes; 500 for any other. */
const codesByStatus = new Map<number, readonly number[]>([
  [400, [6, 26, 27, 36, 38, 41, 43, 53, 62, 69, 72, 117, 306, 427, 456, 457]],
  [403, [164, 497]],
  [404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115]],
  [408, [159]],
  [501, [48]],
]);

/** Any failure of a query as an SqlError. */
export function sqlErrorOf(error: unknown): SqlError {
  if (error instanceof SqlError) return error;
  const code = clickHouseErrorCode(error);
  const message = messageOf(error);
  if (code === undefined) return new SqlError(1002, 'UNKNOWN_EXCEPTION', 500, message, { cause: error });
  const type =
    error instanceof Error && 'type' in error && typeof error.type === 'string'
      ? error.type
      : 'UNKNOWN_EXCEPTION';
  const [status] = [...codesByStatus].find(([, codes]) => codes.includes(code)) ?? [];
  // What the guard asked about the query is none of its author's business.
  const [own = message] = message.split(/: In scope SELECT formatQuerySingleLine\(/u, 1);
  return new SqlError(code, type, status ?? 500, own.trim(), { cause: error });
}
