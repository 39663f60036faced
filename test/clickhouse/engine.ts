import type { ClickHouseClient, DataFormat } from '@clickhouse/client';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectEmbedded } from '../../src/store/clickhouse-embedded.ts';
import { quoteIdentifier, quoteString } from '../../src/store/sql-text.ts';

/** One statement as it came over HTTP. */
export interface Statement {
  readonly sql: string;
  /** The rows of an INSERT with a FORMAT clause. */
  readonly data: Uint8Array | undefined;
  readonly database: string | undefined;
  /** Whether it is of a user that may neither write nor send settings. */
  readonly isReading: boolean;
  readonly settings: Readonly<Record<string, string>>;
  /** Values of placeholders, escaped as in tab-separated text. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly defaultFormat: string;
}

/** What a statement gave. */
export interface Outcome {
  readonly body: Buffer;
  readonly summary: Readonly<Record<string, string>>;
}

/** Settings that the HTTP layer of ClickHouse acts on and the engine does not know. */
const httpSettings =
  /^(?:wait_end_of_query|send_progress_in_http_headers|buffer_size|enable_http_compression|client_protocol_version|http_\w+|add_http_cors_header|compress|decompress)$/;

/** chDB as a server runs statements: each on its own, with settings that nobody inherits. */
export class Engine {
  readonly #directory: string;
  readonly #spool: string;
  readonly #serverId: string;
  readonly #skewSeconds: number;
  #control: ClickHouseClient | undefined;
  #spooled = 0;

  constructor(directory: string, skewSeconds: number) {
    this.#directory = directory;
    this.#skewSeconds = skewSeconds;
    this.#spool = join(directory, 'spool');
    rmSync(this.#spool, { recursive: true, force: true });
    mkdirSync(this.#spool, { recursive: true });
    const file = join(directory, 'uuid');
    if (!existsSync(file)) writeFileSync(file, randomUUID());
    this.#serverId = readFileSync(file, 'utf8');
  }

  async open(): Promise<void> {
    this.#control = await connectEmbedded(this.#directory);
  }

  async close(): Promise<void> {
    await this.#control?.close();
  }

  /** Rejects with the engine's error. */
  async run(statement: Statement): Promise<Outcome> {
    const client = await connectEmbedded(this.#directory);
    const file = join(this.#spool, `${this.#spooled++}`);
    try {
      const preparation = preparationOf(statement);
      if (preparation !== '') await client.command({ query: preparation });
      if (statement.data !== undefined) writeFileSync(file, statement.data);
      const sql = statement.data === undefined ? statement.sql : fromFile(statement.sql, file);
      const query = this.#asServer(sql);
      const { stream, summary } = await client.exec({
        query,
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the engine knows which formats there are, and says so
        clickhouse_settings: { default_format: statement.defaultFormat as DataFormat },
      });
      return { body: Buffer.concat(await stream.toArray()), summary: { ...summary } };
    } finally {
      rmSync(file, { force: true });
      await client.close();
    }
  }

  /** The engine has no identity, as a server has, and the clock of this machine. */
  #asServer(sql: string): string {
    const identified = sql.replaceAll('serverUUID()', `toUUID('${this.#serverId}')`);
    if (this.#skewSeconds === 0) return identified;
    return identified.replaceAll(
      /\b(?:now|nowInBlock|now64)\(\d?\)/g,
      (clock) => `(${clock} + toIntervalSecond(${this.#skewSeconds}))`,
    );
  }
}

function preparationOf({ database, isReading, settings, parameters }: Statement): string {
  const assignments = Object.entries(settings)
    .filter(([name]) => !httpSettings.test(name))
    .map(([name, value]) => `${quoteIdentifier(name)} = ${quoteString(value)}`);
  return [
    ...(database === undefined ? [] : [`USE ${quoteIdentifier(database)}`]),
    ...Object.entries(parameters).map(([name, value]) => `SET param_${name} = ${quoteString(value)}`),
    ...(isReading ? ['SET readonly = 1'] : []),
    ...(assignments.length > 0 ? [`SET ${assignments.join(', ')}`] : []),
  ].join('; ');
}

/** The INSERT `sql` with its rows in `file` instead of behind it. */
function fromFile(sql: string, file: string): string {
  const clause = clauseOf(sql, 'FORMAT');
  const format = clause && /^FORMAT\s+(\w+)/i.exec(sql.slice(clause))?.[1];
  if (clause === undefined || format === undefined) throw new Error(`an INSERT without FORMAT: ${sql}`);
  const input = /\binput\s*\(\s*('(?:\\.|''|[^'\\])*')\s*\)/i;
  if (input.test(sql)) {
    const select = sql.slice(0, clause).trimEnd();
    return select.replace(
      input,
      (_, structure: string) => `file(${quoteString(file)}, ${format}, ${structure})`,
    );
  }
  const at = Math.min(clause, clauseOf(sql, 'SETTINGS') ?? clause);
  return `${sql.slice(0, at)} FROM INFILE ${quoteString(file)} ${sql.slice(at)}`;
}

/** Where a clause begins that is not inside quotes or a comment. */
export function clauseOf(sql: string, keyword: string): number | undefined {
  const pieces = /'(?:\\.|''|[^'\\])*'|`(?:\\.|``|[^`\\])*`|"(?:\\.|""|[^"\\])*"|--.*|\/\*.*?\*\/|\w+/gsu;
  for (const piece of sql.matchAll(pieces)) if (piece[0].toUpperCase() === keyword) return piece.index;
  return undefined;
}
