// ClickHouse's HTTP interface over chDB, as a process of its own: it is killed, frozen and started again by `server.ts`.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { clickHouseErrorCode } from '../../src/store/clickhouse-fault.ts';
import { Engine, type Outcome, type Statement } from './engine.ts';
import { errors, statusOf, type Fault } from './faults.ts';
import { authenticate, isInsert, ServerError, statementOf } from './http-statement.ts';
import type { Answer, Ask, ChildOptions } from './server.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- server.ts wrote it
const options = JSON.parse(process.argv[2] ?? '') as ChildOptions;
const engine = new Engine(options.directory, options.skewSeconds ?? 0);
await engine.open();
const version = (await ask<{ v: string }>('SELECT version() AS v'))[0]?.v ?? '';

let fault: Fault | undefined;
const sockets = new Set<Socket>();
/** INSERTs that the fault holds; each is told when it is cleared, and says when it is done. */
const held = new Set<{ readonly release: () => void; readonly done: Promise<void> }>();

const take = (request: IncomingMessage, response: ServerResponse): void => void answer(request, response);
const server = options.tls
  ? createHttpsServer({ cert: readFileSync(options.tls.cert), key: readFileSync(options.tls.key) }, take)
  : createHttpServer(take);
server.requestTimeout = 0;
server.keepAliveTimeout = 10_000; // the server's keep_alive_timeout
server.on('connection', (socket: Socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  if (fault === 'refuse') socket.resetAndDestroy();
});
await once(server.listen(options.port, '127.0.0.1'), 'listening');
const address = server.address();
say({ id: 0, value: typeof address === 'object' && address ? address.port : 0 });

process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- server.ts sent it
  const asked = message as Ask;
  const work =
    asked.kind === 'fault' ? change(asked.fault) : asked.kind === 'held' ? held.size : ask(asked.sql);
  Promise.resolve(work).then(
    (value) => say({ id: asked.id, value }),
    (error: unknown) => say({ id: asked.id, error: String(error) }),
  );
});

function say(message: Answer): void {
  process.send?.(message);
}

async function change(next: Fault | undefined): Promise<void> {
  fault = next;
  if (fault === 'refuse') for (const socket of sockets) socket.resetAndDestroy();
  const waiting = [...held];
  for (const { release } of waiting) release();
  await Promise.all(waiting.map(async ({ done }) => done));
}

async function ask<Row>(sql: string): Promise<readonly Row[]> {
  const plain = {
    data: undefined,
    database: undefined,
    isReading: false,
    settings: {},
    parameters: {},
    defaultFormat: 'JSONEachRow',
  };
  const { body } = await engine.run({ ...plain, sql });
  const lines = body.toString().trimEnd().split('\n');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names the columns it selects
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Row);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  try {
    if (url.pathname === '/ping') return void response.end('Ok.\n');
    const users = options.users ?? [{ name: 'default', password: '' }];
    const statement = await statementOf(request, url, authenticate(request, url, users));
    if (statement.sql === '') return void response.end('Ok.\n');
    await perform(statement, request, response, url);
  } catch (error) {
    fail(error, response);
  }
}

async function perform(
  statement: Statement,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const current = isInsert(statement) ? fault : undefined;
  if (current === 'hang') return hold(async () => void response.destroy());
  if (current === 'late') return hold(async () => send(await engine.run(statement), request, response, url));
  if (current !== undefined && Object.hasOwn(errors, current)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was just looked up
    const { code, type, message } = errors[current as keyof typeof errors];
    throw new ServerError(code, type, message);
  }
  const outcome = await engine.run(statement);
  if (current === 'drop-answer') return void response.destroy();
  send(outcome, request, response, url);
}

/** Keeps what is to be done until the fault is cleared. */
async function hold(work: () => Promise<void>): Promise<void> {
  const cleared = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const entry = { release: cleared.resolve, done: done.promise };
  held.add(entry);
  try {
    await cleared.promise;
    held.delete(entry);
    await work();
  } finally {
    done.resolve();
  }
}

function send(outcome: Outcome, request: IncomingMessage, response: ServerResponse, url: URL): void {
  const accepts = request.headers['accept-encoding'] ?? '';
  const isCompressed = url.searchParams.get('enable_http_compression') === '1' && accepts.includes('gzip');
  response.writeHead(200, {
    ...common(url),
    'x-clickhouse-summary': JSON.stringify(outcome.summary),
    ...(isCompressed && { 'content-encoding': 'gzip' }),
  });
  response.end(isCompressed ? gzipSync(outcome.body) : outcome.body);
}

function common(url?: URL): Record<string, string> {
  return {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-query-id': url?.searchParams.get('query_id') ?? randomUUID(),
    'x-clickhouse-server-display-name': 'loopback',
    'x-clickhouse-timezone': 'UTC',
  };
}

function fail(error: unknown, response: ServerResponse): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof ServerError ? error.code : (clickHouseErrorCode(error) ?? 1002);
  const type = error instanceof Error && 'type' in error ? String(error.type) : 'UNKNOWN_EXCEPTION';
  response.writeHead(statusOf(code), { ...common(), 'x-clickhouse-exception-code': String(code) });
  response.end(`Code: ${code}. DB::Exception: ${message} (${type}) (version ${version} (official build))\n`);
}
