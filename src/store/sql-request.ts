import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { foreignBy } from '../core/foreign-request.ts';
import { bodyWithin } from '../core/http-body.ts';
import { Secret } from '../core/secret.ts';
import { Tokens } from '../core/tokens.ts';
import { SqlError } from './sql-guard.ts';
import type { SqlQuery } from './sql-reader.ts';

/** Settings a request may give, each of which only changes how results look or shrinks a limit. */
const allowedSettings = new Set([
  'date_time_output_format',
  'session_timezone',
  'extremes',
  'join_use_nulls',
  'group_by_use_nulls',
  'output_format_json_quote_64bit_integers',
  'output_format_json_quote_64bit_floats',
  'output_format_json_quote_decimals',
  'output_format_json_quote_denormals',
  'output_format_json_array_of_rows',
  'output_format_json_named_tuples_as_objects',
  'output_format_json_escape_forward_slashes',
  'output_format_decimal_trailing_zeros',
  'output_format_pretty_color',
  'output_format_pretty_max_rows',
  'output_format_pretty_max_column_pad_width',
  'output_format_pretty_max_value_width',
  'output_format_pretty_row_numbers',
  'output_format_write_statistics',
]);

/** What clients send by habit and this port does not act on: results are whole, plain and without CORS headers anyway. */
const ignoredNames = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'user',
  'password',
  'readonly',
  'wait_end_of_query',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'enable_http_compression',
  'add_http_cors_header',
  'buffer_size',
  'client_protocol_version',
  'session_id',
  'session_timeout',
  'log_queries',
]);

/** The query that `request` asks, with what came as `body`. Throws SqlError for a setting that is not allowed. */
export function queryOf(
  headers: IncomingHttpHeaders,
  url: URL,
  body: string,
): SqlQuery & { readonly queryId: string } {
  const given = url.searchParams;
  // The engine would colour by the terminal of this process, which is not where the answer is read.
  const settings: Record<string, string> = { output_format_pretty_color: '0' };
  const parameters: Record<string, string> = {};
  for (const [name, value] of given) {
    if (/^param_\w+$/.test(name)) parameters[name.slice('param_'.length)] = value;
    else if (allowedSettings.has(name)) settings[name] = value;
    else if (!ignoredNames.has(name))
      throw new SqlError(
        164,
        'READONLY',
        403,
        `the setting ${name} cannot be set through this port: remove it from the URL`,
      );
  }
  const queryId = given.get('query_id') ?? '';
  return {
    sql: [given.get('query') ?? '', body].filter((part) => part !== '').join('\n'),
    database: given.get('database') ?? textOf(headers['x-clickhouse-database']),
    defaultFormat: given.get('default_format') ?? textOf(headers['x-clickhouse-format']) ?? 'TabSeparated',
    settings,
    parameters,
    queryId: /^[\w.:-]{1,128}$/.test(queryId) ? queryId : randomUUID(),
  };
}

/** Throws SqlError for what a web page in somebody's browser could have sent: see `foreignBy`. */
export function refuseForeign(headers: IncomingHttpHeaders, hosts: readonly string[]): void {
  const by = foreignBy(headers, hosts);
  if (by === undefined) return;
  const sentence =
    by === 'host'
      ? `the Host ${JSON.stringify(headers.host ?? '')} is not served here: use a loopback address, or list it in the configuration`
      : 'requests from web pages of other origins are not served';
  throw new SqlError(497, 'ACCESS_DENIED', 403, sentence);
}

/** Throws SqlError unless the request shows `token` as a bearer, a password or a ClickHouse key. */
export function authenticate(headers: IncomingHttpHeaders, url: URL, token: string | undefined): void {
  if (token === undefined) return;
  const [, scheme, credentials = ''] = /^(\S+) +(.*)$/.exec(headers.authorization ?? '') ?? [];
  const basic = Buffer.from(credentials, 'base64').toString();
  const shown = [
    scheme?.toLowerCase() === 'bearer' ? credentials : undefined,
    scheme?.toLowerCase() === 'basic' ? basic.slice(basic.indexOf(':') + 1) : undefined,
    textOf(headers['x-clickhouse-key']),
    url.searchParams.get('password'),
  ];
  const tokens = new Tokens([new Secret(token)]);
  if (shown.some((value) => typeof value === 'string' && tokens.has(value))) return;
  throw new SqlError(
    516,
    'AUTHENTICATION_FAILED',
    401,
    'this port needs a token: send it as bearer, as password or as X-ClickHouse-Key',
  );
}

/** The body as text. Throws SqlError beyond `limitBytes`, and for a compressed one. */
export async function bodyOf(request: IncomingMessage, limitBytes: number): Promise<string> {
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity')
    throw new SqlError(48, 'NOT_IMPLEMENTED', 415, 'send the query uncompressed');
  const body = await bodyWithin(request, limitBytes);
  if (body === undefined)
    throw new SqlError(307, 'TOO_MANY_BYTES', 413, `the query is larger than ${limitBytes} bytes`);
  return body.toString('utf8');
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
