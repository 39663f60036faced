import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { text } from 'node:stream/consumers';
import type { Secret } from '../core/secret.ts';
import { clickHouseErrorCode, ClickHouseFault, faultOf, silenceOf } from './clickhouse-fault.ts';
import type { BlockInsert, ClickHouse, ClickHouseReader, Settings } from './clickhouse.ts';
import { FarClock } from './far-clock.ts';
import { contentEncoding, insertBody, type Compression } from './insert-body.ts';
import { insertBefore, newerSettings, pinnedSettings, settingsClause } from './insert-statement.ts';
import { quoteString } from './sql-text.ts';

/** Where a server is and how to come in. */
export interface ServerOptions {
  /** http or https, host and port. */
  readonly url: string;
  readonly username: string;
  readonly password: Secret | undefined;
  readonly database: string;
  /** PEM files, read at the start: authorities to trust instead of the system's, and a certificate of our own with its key. */
  readonly tls:
    | {
        readonly caFile: string | undefined;
        readonly certFile: string | undefined;
        readonly keyFile: string | undefined;
      }
    | undefined;
  readonly compression: Compression;
  /** How long an insert may go without an answer, in milliseconds: longer than until its deadline, or it is repeated beside itself. */
  readonly answerMs: number;
}

/** A statement that asks takes seconds; one that is not answered for so long is asked again. */
const askMs = 60_000;
/** What nobody waits for any more ends; ClickHouse ends it with the connection only when it may but read. */
const askSettings = {
  max_execution_time: askMs / 1000,
  readonly: '2',
  cancel_http_readonly_queries_on_client_close: 1,
} as const;
const connections = 64;
const clockAgeMs = 60_000;
const tooLate = 395;
/** ClickHouse has one of these in every answer to a query. */
const headers = ['x-clickhouse-summary', 'x-clickhouse-query-id'];

/**
 * A ClickHouse server over its HTTP interface. Nothing is opened before `start`, which asks the server who it is and may
 * be repeated when it does not answer.
 */
export function openClickHouseServer(options: ServerOptions): ClickHouse {
  return new ServerClickHouse(options, askSettings);
}

/**
 * A ClickHouse server that is only asked. Neither its start nor its queries need a setting of their own, so that a user
 * with the setting `readonly = 1`, of whom ClickHouse takes none, is enough.
 */
export function openClickHouseReader(options: ServerOptions): ClickHouseReader {
  return new ServerClickHouse(options, undefined);
}

interface Clients {
  readonly asking: ClickHouseClient;
  readonly writing: ClickHouseClient;
}

class ServerClickHouse implements ClickHouse {
  readonly name = 'clickhouse';
  readonly #options: ServerOptions;
  /** Of each query; undefined where it is only asked, and no setting may be sent. */
  readonly #askSettings: typeof askSettings | undefined;
  readonly #clock = new FarClock(() => performance.now());
  #clients: Clients | undefined;
  #pinned: Settings = pinnedSettings;
  #reading: Promise<void> | undefined;

  constructor(options: ServerOptions, settings: typeof askSettings | undefined) {
    this.#options = options;
    this.#askSettings = settings;
  }

  async start(): Promise<void> {
    this.#clients ??= clientsOf(this.#options);
    if (this.#askSettings === undefined) return;
    const names = Object.keys(newerSettings).map(quoteString);
    const known = await this.query<{ name: string }>(
      `SELECT name FROM system.settings WHERE name IN (${names.join(', ')})`,
    );
    const newer = known.map(({ name }) => [name, newerSettings[name] ?? '']);
    this.#pinned = { ...pinnedSettings, ...Object.fromEntries(newer) };
    await this.#readBack();
    await this.#readClock();
  }

  async stop(): Promise<void> {
    const clients = this.#clients;
    this.#clients = undefined;
    await clients?.asking.close();
    await clients?.writing.close();
  }

  nowMs(): number {
    // A reading that is old is only too early; that a newer one fails is for the statement to say that is about to be sent.
    if (this.#clock.ageMs > clockAgeMs) this.#readClock().catch(() => undefined);
    const { nowMs } = this.#clock;
    if (Number.isNaN(nowMs)) throw new ClickHouseFault('time', 'the clock of ClickHouse was never read', {});
    return nowMs;
  }

  async command(sql: string): Promise<void> {
    await this.#sent(async ({ writing }) => writing.command({ query: sql }));
  }

  async query<Row>(sql: string, params?: Readonly<Record<string, unknown>>): Promise<readonly Row[]> {
    return this.#sent(async ({ asking }) => {
      const result = await asking.query({
        query: sql,
        format: 'JSONEachRow',
        ...(this.#askSettings && { clickhouse_settings: this.#askSettings }),
        ...(params && { query_params: { ...params } }),
      });
      return result.json<Row>();
    });
  }

  async insertBlock(insert: BlockInsert): Promise<void> {
    const { compression } = this.#options;
    const { signal } = insert;
    // In the body and not in the URL, whose length proxies limit.
    const statement = Buffer.from(insertBefore(insert, insert.deadlineMs, this.#pinned));
    try {
      signal?.throwIfAborted();
      await this.#sent(async ({ writing }) => {
        const { stream, response_headers } = await writing.exec({
          query: '',
          values: insertBody([statement, ...insert.body], compression),
          http_headers: contentEncoding(compression),
          ...(signal && { abort_signal: signal }),
        });
        // A proxy or another service may say 200 to anything.
        const isClickHouse = headers.some((name) => name in response_headers);
        if ((await text(stream)) !== '' || !isClickHouse)
          throw new Error('it acknowledged an insert as ClickHouse does not');
      });
    } catch (error) {
      if (signal?.aborted === true)
        throw new ClickHouseFault('time', 'nobody waits for the insert any more', { cause: error });
      if (clickHouseErrorCode(error) === tooLate) await this.#readClock().catch(() => undefined); // this machine may have slept
      throw error;
    }
  }

  /** Rejects unless a statement's own settings hold in it: a profile, or a proxy between, may forbid or change them. */
  async #readBack(): Promise<void> {
    const names = Object.keys(this.#pinned).map(quoteString);
    const held = await this.query<{ name: string; value: string }>(
      `SELECT name, value FROM system.settings WHERE name IN (${names.join(', ')}) ORDER BY name ${settingsClause(this.#pinned)}`,
    );
    const changed = held.filter(({ name, value }) => value !== String(this.#pinned[name]));
    if (changed.length === 0) return;
    const becoming = changed.map(({ name, value }) => `${name} = ${this.#pinned[name]} becomes ${value}`);
    throw new ClickHouseFault(
      'operator',
      `ClickHouse does not let inserts have the settings they need: ${becoming.join(', ')}: remove what overrides that (a profile, a proxy)`,
      {},
    );
  }

  async #sent<T>(send: (clients: Clients) => Promise<T>): Promise<T> {
    if (this.#clients === undefined) throw new ClickHouseFault('time', 'ClickHouse is not connected', {});
    try {
      return await send(this.#clients);
    } catch (error) {
      throw clickHouseErrorCode(error) === undefined ? silenceOf(error, this.#options.url) : faultOf(error);
    }
  }

  async #readClock(): Promise<void> {
    this.#reading ??= this.query<{ nowMs: string | number }>(
      'SELECT toUnixTimestamp64Milli(now64(3)) AS nowMs',
    )
      .then(([row]) => this.#clock.set(Number(row?.nowMs)))
      .finally(() => (this.#reading = undefined));
    await this.#reading;
  }
}

function clientsOf(options: ServerOptions): Clients {
  const { url, username, password, database, answerMs } = options;
  const agents = { keepAlive: true, maxSockets: connections };
  const tls = url.startsWith('https:') && { ...agents, ...pemsOf(options.tls) };
  // One for each client: a client ends a connection that has been idle for it, also while another client uses it.
  const agent = (): Agent => (tls ? new TlsAgent(tls) : new Agent(agents));
  const common = {
    url,
    username,
    password: password?.reveal() ?? '',
    database,
    application: 'plimsoll',
    keep_alive: { enabled: true, eagerly_destroy_stale_sockets: true },
    log: { level: ClickHouseLogLevel.OFF }, // it throws what it logs
  };
  return {
    asking: createClient({ ...common, http_agent: agent(), request_timeout: Math.min(askMs, answerMs) }),
    writing: createClient({ ...common, http_agent: agent(), request_timeout: answerMs }),
  };
}

function pemsOf(tls: ServerOptions['tls']): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return {
    ...(tls?.caFile !== undefined && { ca: pem(tls.caFile, 'ca_file') }),
    ...(tls?.certFile !== undefined && { cert: pem(tls.certFile, 'cert_file') }),
    ...(tls?.keyFile !== undefined && { key: pem(tls.keyFile, 'key_file') }),
  };
}

function pem(file: string, option: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new Error(`cannot read ${file}: correct tls::${option} (${String(cause)})`, { cause });
  }
}
