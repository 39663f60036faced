import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { addAbortSignal } from 'node:stream';
import { ByteBudget } from '../core/budget.ts';
import type { Component } from '../core/component.ts';
import { cutAt } from '../core/cut-at.ts';
import { Failure } from '../core/failure.ts';
import { isLoopback } from '../core/foreign-request.ts';
import { listen, reachableUrl, type ListenAddress } from '../core/listen.ts';
import type { Log } from '../core/log.ts';
import { clickHouseErrorCode, loggable } from './clickhouse-fault.ts';
import { SqlError } from './sql-guard.ts';
import { sqlErrorOf, SqlReader, type QueryLimits, type SqlResult } from './sql-reader.ts';
import { authenticate, bodyOf, queryOf, refuseForeign } from './sql-request.ts';

/** What a SQL port is told. */
export interface SqlPortOptions extends ListenAddress {
  /** Of the embedded ClickHouse that is open in this process. */
  readonly directory: string;
  /** Whoever shows it may read; undefined when everybody on this machine may. */
  readonly token: string | undefined;
  /** Names besides the loopback ones under which this port may be addressed, in lower case and without port. */
  readonly hosts: readonly string[];
  /** How many queries run at once; the next ones wait. Each keeps one of Node's four pool threads busy. */
  readonly concurrentQueries: number;
  /** How long a query waits for its turn, in milliseconds. */
  readonly waitMs: number;
  /** How long a client may take to read an answer, in milliseconds: until then the answer keeps its place in memory. */
  readonly readMs: number;
  readonly limits: QueryLimits;
  readonly log: Log;
}

const bodyLimitBytes = 1 << 20;
const requestTimeoutMs = 30_000;
const connectionsLimit = 128;

/** What is wrong with these options, as one sentence that names the fix; undefined when nothing is. */
export function sqlPortFault(options: Pick<SqlPortOptions, 'host' | 'token'>): string | undefined {
  if (isLoopback(options.host) || (options.token !== undefined && options.token !== '')) return undefined;
  return `${options.host} can be reached from other machines and everybody there could read every table: set a token, or bind 127.0.0.1`;
}

/**
 * ClickHouse's HTTP interface to the embedded tables, for reading: curl, Grafana over JSON, `@clickhouse/client`.
 * It never writes: see `readingStatement` for what it runs and `SqlReader` for what one query may take.
 */
export class SqlPort implements Component {
  readonly name = 'sql port';
  readonly #options: SqlPortOptions;
  readonly #reader: SqlReader;
  readonly #memory: ByteBudget;
  readonly #server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) =>
    this.#take(request, response),
  );
  readonly #stopping = new AbortController();
  /** Queries whose answer is not made yet, and all requests whose answer is not yet with its client. */
  readonly #making = new Set<Promise<void>>();
  readonly #open = new Set<Promise<void>>();

  constructor(options: SqlPortOptions) {
    this.#options = options;
    this.#reader = new SqlReader(options.directory, options.limits);
    this.#memory = new ByteBudget(options.limits.memoryBytes * options.concurrentQueries);
    this.#server.maxConnections = connectionsLimit;
  }

  /** Where it listens, once started. */
  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the SQL port does not listen');
    return reachableUrl({ host: this.#options.host, port: address.port });
  }

  async start(): Promise<void> {
    const fault = sqlPortFault(this.#options);
    if (fault !== undefined) throw new Error(fault);
    await this.#reader.open();
    await listen(this.#server, this.#options);
  }

  /** Lets clients read the answers under way until `deadline`; then ends what is left, and all connections. */
  async stop(deadline: AbortSignal): Promise<void> {
    if (this.#server.listening) await cutAt(deadline, () => void this.#cut(), this.#closed(deadline));
    await this.#reader.close();
  }

  async #closed(deadline: AbortSignal): Promise<void> {
    const closed = once(this.#server, 'close');
    // Not before: `close` ends connections whose answer was made and is not read yet.
    while (this.#open.size > 0 && !deadline.aborted) await Promise.all(this.#open);
    this.#server.close();
    await closed;
  }

  /** Ends queries with an answer that says so, and then every connection. */
  async #cut(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#making);
    this.#server.closeAllConnections();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { promise: read, resolve } = Promise.withResolvers<void>();
    response.once('close', resolve);
    track(this.#open, read);
    track(this.#making, this.#answer(request, response));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#serve(request, response);
    } catch (error) {
      const fault = sqlErrorOf(error);
      const isOurs = clickHouseErrorCode(error) === undefined; // what the engine says of a query, its sender reads
      if (fault.status >= 500 && isOurs && !response.destroyed)
        this.#options.log.warn(loggable(error), 'a query failed');
      fail(response, fault, this.#reader.version);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    refuseForeign(request.headers, this.#options.hosts);
    if (request.method !== 'GET' && request.method !== 'POST')
      throw new SqlError(48, 'NOT_IMPLEMENTED', 405, 'use GET or POST');
    const isQuestion = request.method === 'POST' || url.searchParams.has('query');
    if (url.pathname === '/ping' || (url.pathname === '/' && !isQuestion)) return void response.end('Ok.\n');
    if (url.pathname !== '/')
      throw new SqlError(48, 'NOT_IMPLEMENTED', 404, `there is nothing at ${url.pathname}: query /`);
    authenticate(request.headers, url, this.#options.token);
    addAbortSignal(this.#stopping.signal, request);
    const query = queryOf(request.headers, url, await bodyOf(request, bodyLimitBytes));

    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, this.#stopping.signal]);
    const { limits, waitMs } = this.#options;
    const lease = await this.#memory.acquire(limits.memoryBytes, waitMs, signal).catch(refuseTurn);
    try {
      const result = await this.#reader.run(query, signal);
      if (response.destroyed) return lease.release();
      const tooSlow = setTimeout(() => response.destroy(), this.#options.readMs).unref();
      response.once('close', () => {
        clearTimeout(tooSlow);
        lease.release();
      });
      send(response, result, query.queryId);
    } catch (error) {
      lease.release();
      throw error;
    }
  }
}

/** Keeps `promise`, which never rejects, in `set` until it settles. */
function track(set: Set<Promise<void>>, promise: Promise<void>): void {
  set.add(promise);
  void promise.then(() => set.delete(promise));
}

function refuseTurn(error: unknown): never {
  if (!(error instanceof Failure)) throw error;
  throw new SqlError(
    202,
    'TOO_MANY_SIMULTANEOUS_QUERIES',
    503,
    'other queries are running: try again later',
    { cause: error },
  );
}

function send(response: ServerResponse, result: SqlResult, queryId: string): void {
  response.writeHead(200, {
    'content-type': contentTypeOf(result.format),
    'content-length': result.chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0),
    'x-clickhouse-format': result.format,
    'x-clickhouse-query-id': queryId,
    'x-clickhouse-server-display-name': 'plimsoll',
    'x-clickhouse-summary': JSON.stringify(result.summary),
    'x-clickhouse-timezone': 'UTC',
  });
  for (const chunk of result.chunks) response.write(chunk);
  response.end();
}

function fail(response: ServerResponse, fault: SqlError, version: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  response.writeHead(fault.status, {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-exception-code': fault.code,
    ...(fault.status === 401 && { 'www-authenticate': 'Basic realm="ClickHouse server HTTP API"' }),
    ...(fault.status === 413 && { connection: 'close' }),
  });
  response.end(`Code: ${fault.code}. DB::Exception: ${fault.message} (${fault.type}) (version ${version})\n`);
}

/** The media type that ClickHouse gives a format. */
function contentTypeOf(format: string): string {
  if (/^JSON.*EachRow|^NDJSON/.test(format)) return 'application/x-ndjson; charset=UTF-8';
  if (format.startsWith('JSON')) return 'application/json; charset=UTF-8';
  if (/^(?:TabSeparated|TSV)/.test(format)) return 'text/tab-separated-values; charset=UTF-8';
  if (format.startsWith('CSV')) return 'text/csv; charset=UTF-8; header=absent';
  if (/^(?:Native|RowBinary|Parquet|Arrow|ORC|Avro|Protobuf|MsgPack|BSON|Npy)/.test(format))
    return 'application/octet-stream';
  return 'text/plain; charset=UTF-8';
}
