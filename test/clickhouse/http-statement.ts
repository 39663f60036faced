import type { IncomingMessage } from 'node:http';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { clauseOf, type Statement } from './engine.ts';

/** An error that the server itself raises. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: number;
  readonly type: string;

  constructor(code: number, type: string, message: string) {
    super(message);
    this.code = code;
    this.type = type;
  }
}

/** Whoever may use the server. */
export interface User {
  readonly name: string;
  readonly password: string;
  /** Whether it has the setting `readonly = 1`, so that it may neither write nor send settings. */
  readonly isReader?: boolean;
}

/** Parameters of a URL that are no settings. */
const reserved = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'user',
  'password',
  'role',
  'quota_key',
]);

/** The one of `users` that the request shows; throws where it shows none. */
export function authenticate({ headers }: IncomingMessage, url: URL, users: readonly User[]): User {
  const basic = /^Basic +(.*)$/i.exec(headers.authorization ?? '')?.[1];
  const [, basicName, basicPassword] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(basic ?? '', 'base64').toString()) ?? [];
  const name = headers['x-clickhouse-user'] ?? basicName ?? url.searchParams.get('user') ?? 'default';
  const password = headers['x-clickhouse-key'] ?? basicPassword ?? url.searchParams.get('password') ?? '';
  const shown = users.find((user) => name === user.name && password === user.password);
  if (shown) return shown;
  throw new ServerError(
    516,
    'AUTHENTICATION_FAILED',
    `${String(name)}: Authentication failed: password is incorrect, or there is no user with such name.`,
  );
}

/** The statement that `request` asks to run. Rejects with a ServerError for what the server does not take. */
export async function statementOf(
  request: IncomingMessage,
  url: URL,
  { isReader = false }: User,
): Promise<Statement> {
  const { headers } = request;
  const settings: Record<string, string> = {};
  const parameters: Record<string, string> = {};
  for (const [name, value] of url.searchParams)
    if (/^param_\w+$/.test(name)) parameters[name.slice('param_'.length)] = value;
    else if (name === 'session_id')
      throw new ServerError(48, 'NOT_IMPLEMENTED', 'this server has no sessions');
    else if (!reserved.has(name)) settings[name] = value;
  const database = url.searchParams.get('database') ?? headers['x-clickhouse-database'];
  const format = url.searchParams.get('default_format') ?? headers['x-clickhouse-format'];
  return {
    ...split(url.searchParams.get('query') ?? '', await bodyOf(request)),
    database: typeof database === 'string' && database !== '' ? database : undefined,
    isReading: isReader,
    settings,
    parameters,
    defaultFormat: typeof format === 'string' ? format : 'TabSeparated',
  };
}

/** Whether a statement writes rows. */
export function isInsert({ sql }: Statement): boolean {
  return /^\s*INSERT\b/i.test(sql.replaceAll(/--.*\n|\/\*.*?\*\//gs, ''));
}

/** What is statement and what is data: a query may be in the URL, in the body, or begin there and go on here. */
function split(query: string, body: Buffer): Pick<Statement, 'sql' | 'data'> {
  const text = Buffer.concat([Buffer.from(query === '' ? '' : `${query}\n`), body]);
  const latin = text.toString('latin1'); // a byte is a character, so that places are the same
  const isInserting = /^\s*INSERT\b/i.test(latin);
  const clause = isInserting ? clauseOf(latin, 'FORMAT') : undefined;
  if (clause !== undefined) {
    const [head = ''] = /^FORMAT\s+\w+[ \t]*\n?/i.exec(latin.slice(clause)) ?? [];
    const end = clause + head.length;
    return { sql: text.subarray(0, end).toString().trimEnd(), data: text.subarray(end) };
  }
  const sql = text.toString().trim();
  const semicolon = isInserting ? undefined : secondStatement(sql);
  if (semicolon) throw new ServerError(62, 'SYNTAX_ERROR', 'Multi-statements are not allowed');
  return { sql, data: undefined };
}

function secondStatement(sql: string): boolean {
  const rest = sql.replaceAll(
    /'(?:\\.|''|[^'\\])*'|`(?:\\.|``|[^`\\])*`|"(?:\\.|""|[^"\\])*"|--.*|\/\*.*?\*\//gsu,
    '',
  );
  return /;\s*\S/.test(rest);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  const decoders = { identity: undefined, gzip: createGunzip, zstd: createZstdDecompress };
  if (!Object.hasOwn(decoders, encoding))
    throw new ServerError(89, 'UNKNOWN_COMPRESSION_METHOD', `Unknown compression method ${encoding}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was just looked up
  const decoder = decoders[encoding as keyof typeof decoders]?.();
  const chunks: Buffer[] = [];
  const stream: AsyncIterable<Buffer> = decoder ? request.pipe(decoder) : request;
  for await (const chunk of stream) chunks.push(chunk);
  if (!request.complete) throw new ServerError(33, 'CANNOT_READ_ALL_DATA', 'the client has gone');
  return Buffer.concat(chunks);
}
