import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeRequest, type OracleSpan } from '../otlp/oracle.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

let place: Place;
let program: Program;

beforeAll(async () => {
  place = new Place();
  program = await Program.start(place);
});
afterAll(async () => {
  await program.kill('SIGKILL');
  place.remove();
});

function spanOf(over: OracleSpan = {}): OracleSpan {
  const nanos = `${Date.now()}000000`;
  return {
    traceId: randomBytes(16),
    spanId: randomBytes(8),
    name: 'a span',
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    ...over,
  };
}

const requestOf = (...spans: OracleSpan[]) =>
  Buffer.from(encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
const jsonSpan = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', name: 'a' };

interface Post {
  readonly body: Uint8Array | string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly path?: string;
}

async function post({
  body,
  headers = {},
  method = 'POST',
  path = '/v1/traces',
}: Post): Promise<{ status: number; text: string }> {
  const type = typeof body === 'string' ? 'application/json' : 'application/x-protobuf';
  const response = await fetch(`${program.url('OTLP HTTP')}${path}`, {
    method,
    headers: { 'content-type': type, ...headers },
    ...(method === 'GET' ? {} : { body: typeof body === 'string' ? body : Buffer.from(body) }),
  });
  return { status: response.status, text: await response.text() };
}

const logs = Buffer.from('0a1812160a0012120901000000000000002a070a0568656c6c6f', 'hex');
const deepGroup = Buffer.alloc(100_000, 0x0b);
const bomb = gzipSync(Buffer.alloc(70 << 20), { level: 9 });

test.each<[string, () => Post, number, RegExp]>([
  ['a truncated request', () => ({ body: requestOf(spanOf()).subarray(0, -3) }), 400, /./],
  ['an overlong varint', () => ({ body: Buffer.from('0affffffffffffffffffffffff01', 'hex') }), 400, /./],
  ['groups nested a hundred thousand deep', () => ({ body: deepGroup }), 400, /./],
  ['JSON nested a hundred thousand deep', () => ({ body: '['.repeat(100_000) }), 400, /./],
  ['JSON that is none', () => ({ body: '{"resourceSpans": oops' }), 400, /./],
  ['a zip bomb', () => ({ body: bomb, headers: { 'content-encoding': 'gzip' } }), 413, /67108864 bytes/],
  ['65 MiB', () => ({ body: Buffer.alloc(65 << 20) }), 413, /67108864 bytes/],
  [
    'gzip that is none',
    () => ({ body: Buffer.from('not gzip'), headers: { 'content-encoding': 'gzip' } }),
    400,
    /./,
  ],
  ['logs posted as traces', () => ({ body: logs }), 400, /log records, not spans/],
  ['metrics posted where none are taken', () => ({ body: logs, path: '/v1/metrics' }), 404, /metrics/],
  [
    'an unknown content type',
    () => ({ body: 'hello', headers: { 'content-type': 'text/plain' } }),
    415,
    /application\/json/,
  ],
  ['an unknown content encoding', () => ({ body: 'x', headers: { 'content-encoding': 'br' } }), 415, /gzip/],
  ['a GET', () => ({ body: '', method: 'GET' }), 405, /POST/],
  ['an unknown path', () => ({ body: '{}', path: '/v2/traces' }), 404, /./],
])('%s is refused with a sentence', async (_, request, status, sentence) => {
  const answer = await post(request());
  expect(answer.status).toBe(status);
  expect(answer.text).toMatch(sentence);
});

function notUtf8(): Buffer {
  const request = requestOf(spanOf({ name: 'latin?1 name' }), spanOf({ name: 'sibling' }));
  request[request.indexOf('latin?1') + 5] = 0xe9;
  return request;
}

const jsonWith = (span: object) =>
  JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span, { ...jsonSpan, name: 'sibling' }] }] }] });

async function siblings(): Promise<number> {
  return (await program.query("SELECT 1 FROM otel_traces WHERE SpanName = 'sibling'")).length;
}

test.each<[string, () => Uint8Array | string, RegExp]>([
  [
    'a trace id of 3 bytes',
    () => requestOf(spanOf({ traceId: randomBytes(3) }), spanOf({ name: 'sibling' })),
    /trace/i,
  ],
  ['no span id', () => requestOf(spanOf({ spanId: Buffer.alloc(0) }), spanOf({ name: 'sibling' })), /span/i],
  ['a name that is not UTF-8', notUtf8, /UTF-8/],
  ['attributes as an object', () => jsonWith({ ...jsonSpan, attributes: { key: 'value' } }), /attributes/],
  [
    'snake_case keys',
    () => jsonWith({ trace_id: jsonSpan.traceId, span_id: jsonSpan.spanId, name: 'a' }),
    /traceId/,
  ],
])('a span with %s is rejected alone, and its sender is told', async (_, body, reason) => {
  const before = await siblings();
  const request = body();
  const { status, text } = await post({ body: request });
  expect(status).toBe(200);
  expect(text).toMatch(reason);
  if (typeof request === 'string')
    expect(JSON.parse(text)).toMatchObject({ partialSuccess: { rejectedSpans: '1' } });
  await until('the sibling to have a row', async () => (await siblings()) === before + 1);
});

test('spans from 1970 and 2100 are kept on the day they came, with the time they said', async () => {
  const [y1970, y2100] = [
    spanOf({ startTimeUnixNano: '1000' }),
    spanOf({ startTimeUnixNano: '4102444800000000000' }),
  ];
  expect((await post({ body: requestOf(y1970, y2100) })).status).toBe(200);
  const ids = [y1970, y2100].map(({ spanId }) => `'${Buffer.from(spanId ?? []).toString('hex')}'`);
  const rows = await until('both rows', async () => {
    const found = await program.query<{ today: number; said: string }>(
      `SELECT abs(dateDiff('day', Timestamp, now())) <= 1 AS today, SpanAttributes['plimsoll.original_start_unix_nano'] AS said FROM otel_traces WHERE SpanId IN (${ids.join()}) ORDER BY said`,
    );
    return found.length === 2 && found;
  });
  expect(rows).toEqual([
    { today: 1, said: '1000' },
    { today: 1, said: '4102444800000000000' },
  ]);
});

test('a span with 10,000 attributes is stored whole', async () => {
  const attributes = Array.from({ length: 10_000 }, (_, i) => ({
    key: `key ${i}`,
    value: { intValue: String(i) },
  }));
  const many = spanOf({ attributes });
  expect((await post({ body: requestOf(many) })).status).toBe(200);
  const id = Buffer.from(many.spanId ?? []).toString('hex');
  await until('the row', async () => {
    const [row] = await program.query<{ keys: number }>(
      `SELECT length(SpanAttributes) AS keys FROM otel_traces WHERE SpanId = '${id}'`,
    );
    return Number(row?.keys) === 10_000;
  });
});

test('after all that the process is healthy and stores what it is sent', async () => {
  expect((await fetch(program.url('health'))).status).toBe(200);
  const last = spanOf({ name: 'after all that' });
  expect((await post({ body: requestOf(last) })).status).toBe(200);
  await until(
    'the row',
    async () =>
      (await program.query("SELECT 1 FROM otel_traces WHERE SpanName = 'after all that'")).length === 1,
  );
  const [duplicates] = await program.query<{ rows: number }>(
    'SELECT count() - uniqExact(StreamOffset, StreamIndex) AS rows FROM otel_traces',
  );
  expect(Number(duplicates?.rows)).toBe(0);
});

test('with a full disk input is refused as retryable and health says why; with room again it flows, and nothing is lost', async () => {
  const full = new Place();
  const headers = { 'content-type': 'application/x-protobuf' };
  const send = async (to: Program, name: string): Promise<Response> =>
    fetch(`${to.url('OTLP HTTP')}/v1/traces`, { method: 'POST', headers, body: requestOf(spanOf({ name })) });
  const before = await Program.start(full);
  expect((await send(before, 'before')).status).toBe(200);
  await before.kill('SIGKILL');

  full.configure('connectors: { embedded: { min_free_disk: 900TiB } }');
  const during = await Program.start(full);
  const refused = await send(during, 'during');
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  const health = await fetch(during.url('health'));
  expect(health.status).toBe(503);
  expect(await health.text()).toMatch(/MB free and must keep/);
  await during.kill('SIGTERM');

  full.configure('');
  const after = await Program.start(full);
  expect((await send(after, 'after')).status).toBe(200);
  await until('both rows and no third', async () => {
    const rows = await after.query<{ SpanName: string }>(
      'SELECT SpanName FROM otel_traces ORDER BY SpanName',
    );
    return rows.map(({ SpanName }) => SpanName).join() === 'after,before';
  });
  await after.kill('SIGTERM');
  full.remove();
});
