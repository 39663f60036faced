import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, createServer as createNetServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { RefusedSpans } from '../../src/receiver/export.ts';
import { HttpReceiver } from '../../src/receiver/http.ts';
import { capturedRequests } from '../fixtures.ts';
import { decodeRequest } from '../otlp/oracle.ts';
import { until } from '../until.ts';
import { accepted, gate, openEdge, portOf, type Edge, type EdgeOptions } from './edge.ts';
import { decodeAs, decodeStatus } from './rpc-oracle.ts';

const responseType = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse';
const protobuf = 'application/x-protobuf';
const json = 'application/json';
const pem = (name: string): string => new URL(`tls/${name}`, import.meta.url).pathname;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function edgeWith(options: EdgeOptions = {}): Promise<Edge> {
  const edge = await openEdge(options);
  closing.push(() => edge.close());
  return edge;
}

function post(
  edge: Edge,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
  path = '/v1/traces',
) {
  const bytes = typeof body === 'string' ? body : new Uint8Array(body);
  return fetch(edge.httpUrl + path, {
    method: 'POST',
    body: bytes,
    headers: { 'content-type': protobuf, ...headers },
  });
}

const bytesOf = async (response: Response): Promise<Uint8Array> =>
  new Uint8Array(await response.arrayBuffer());

describe('export over HTTP', () => {
  it('hands protobuf on as it came and answers in protobuf', async () => {
    const edge = await edgeWith();
    const response = await post(edge, Buffer.from('any bytes'));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(protobuf);
    expect(await bytesOf(response)).toHaveLength(0);
    expect(edge.requests).toEqual([Buffer.from('any bytes')]);
    expect(
      await edge.metric('plimsoll_receiver_accepted_spans_total{receiver="otlp",transport="http"}'),
    ).toBe(1);
  });

  it('turns JSON into protobuf and answers in JSON, whatever charset the type names', async () => {
    const edge = await edgeWith();
    for (const captured of capturedRequests()) {
      const response = await post(edge, captured.json, { 'content-type': 'Application/JSON; charset=utf-8' });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(json);
      expect(await response.json()).toEqual({});
      const spans = decodeRequest(edge.requests.at(-1) ?? Buffer.alloc(0)).resourceSpans ?? [];
      expect(spans.length).toBeGreaterThan(0);
    }
  });

  it.each([protobuf, json])('takes an empty request as %s', async (type) => {
    const edge = await edgeWith();
    const response = await post(edge, type === json ? '{}' : Buffer.alloc(0), { 'content-type': type });
    expect(response.status).toBe(200);
    expect(edge.requests).toEqual([Buffer.alloc(0)]);
  });

  it('takes gzip and zstd', async () => {
    const edge = await edgeWith();
    const body = Buffer.alloc(3 << 20, 'compresses well, ');
    expect((await post(edge, gzipSync(body), { 'content-encoding': 'gzip' })).status).toBe(200);
    expect(edge.requests).toEqual([body]);
    const other = Buffer.alloc(3 << 20, 'compresses well too, ');
    expect((await post(edge, zstdCompressSync(other), { 'content-encoding': 'zstd' })).status).toBe(200);
    expect(edge.requests[1]?.equals(other)).toBe(true);
  });

  it('takes a body of unknown length', async () => {
    const edge = await edgeWith();
    const request = httpRequest(`${edge.httpUrl}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': protobuf },
    });
    for (let index = 0; index < 100; index++) request.write(Buffer.alloc(10_000, index));
    request.end();
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(edge.requests[0]?.length).toBe(1_000_000);
    expect(edge.budget.usedBytes).toBe(0);
  });

  it('says how many spans were rejected and why, in both encodings', async () => {
    const edge = await edgeWith({
      exportTraces: () => Promise.resolve({ accepted: 2, rejected: 3, message: 'ids must have 16 bytes' }),
    });
    const partialSuccess = { rejectedSpans: '3', errorMessage: 'ids must have 16 bytes' };
    expect(decodeAs(responseType, await bytesOf(await post(edge, Buffer.from('x'))))).toEqual({
      partialSuccess,
    });
    expect(await (await post(edge, '{"resourceSpans":[]}', { 'content-type': json })).json()).toEqual({
      partialSuccess,
    });
  });

  it('keeps the good spans of a JSON request whose other spans are wrong', async () => {
    const edge = await edgeWith();
    const good = { traceId: 'A'.repeat(32), spanId: 'b'.repeat(16), name: 'good' };
    const spans = [good, { ...good, attributes: { a: 1 } }, { ...good, trace_id: 'x' }];
    const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    const response = await post(edge, body, { 'content-type': json });
    expect(response.status).toBe(200);
    const answer = await response.text();
    expect(JSON.parse(answer)).toMatchObject({ partialSuccess: { rejectedSpans: '2' } });
    const sentences = answer.replaceAll('\\"', '"');
    expect(sentences).toContain('spans[1].attributes: must be a list such as');
    expect(sentences).toContain('spans[2]: has "trace_id": OTLP/JSON spells it "traceId"');
    const [taken] =
      decodeRequest(edge.requests[0] ?? Buffer.alloc(0)).resourceSpans?.[0]?.scopeSpans?.[0]?.spans ?? [];
    expect(taken).toEqual({ traceId: Buffer.alloc(16, 0xaa), spanId: Buffer.alloc(8, 0xbb), name: 'good' });
  });

  it('greets whoever opens it in a browser', async () => {
    const edge = await edgeWith();
    const response = await fetch(edge.httpUrl);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('POST /v1/traces');
  });

  it('joins a repeated body to the first answer, and takes it once', async () => {
    const edge = await edgeWith({
      exportTraces: () => Promise.resolve({ accepted: 5, rejected: 1, message: 'why' }),
    });
    const bodies = await Promise.all([post(edge, 'same'), post(edge, 'same')]);
    const later = await post(edge, gzipSync('same'), { 'content-encoding': 'gzip' });
    const answers = await Promise.all([...bodies, later].map(bytesOf));
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(edge.requests).toHaveLength(1);
    expect(await edge.metric('plimsoll_receiver_accepted_spans_total')).toBe(5);
    expect(await edge.metric('plimsoll_receiver_joined_requests_total')).toBe(2);
  });
});

describe('refusals over HTTP', () => {
  it.each([
    ['invalid', 400, 3, 'google.rpc.BadRequest'],
    ['overloaded', 503, 14, 'google.rpc.RetryInfo'],
    ['unavailable', 503, 14, 'google.rpc.RetryInfo'],
  ] as const)(
    'answers an %s request with %i and a Status in the type of the request',
    async (kind, status, code, detail) => {
      const edge = await edgeWith({ exportTraces: () => Promise.reject(new Failure(kind, 'because')) });
      const binary = await post(edge, Buffer.from('x'));
      expect(binary.status).toBe(status);
      expect(binary.headers.get('content-type')).toBe(protobuf);
      const decoded = decodeStatus(await bytesOf(binary));
      expect(decoded).toMatchObject({ code, message: 'because' });
      expect(decoded.details.map(({ type }) => type)).toEqual([detail]);
      const textual = await post(edge, '{}', { 'content-type': json });
      expect(textual.status).toBe(status);
      expect(textual.headers.get('content-type')).toBe(json);
      expect(await textual.json()).toMatchObject({
        code,
        message: 'because',
        details: [{ '@type': `type.googleapis.com/${detail}` }],
      });
      const retryAfter = textual.headers.get('retry-after');
      if (status === 503) expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
      else expect(retryAfter).toBeNull();
    },
  );

  it('answers 413 to a body over the limit, declared or not, and lets the sender read it', async () => {
    const edge = await edgeWith();
    const large = Buffer.alloc(65 << 20);
    const declared = await post(edge, large);
    expect(declared.status).toBe(413);
    expect(decodeStatus(await bytesOf(declared))).toMatchObject({ code: 8, details: [] });
    const request = httpRequest(`${edge.httpUrl}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': protobuf },
    });
    for (let sent = 0; sent < large.length; sent += 1 << 20)
      request.write(large.subarray(sent, sent + (1 << 20)));
    request.end();
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(413);
    response.resume();
    expect(edge.requests).toEqual([]);
    await until('room is given back', () => edge.budget.usedBytes === 0);
  });

  it('lets a sender that reads only after it has written all get its 413', async () => {
    const edge = await edgeWith({ limitBytes: 1000 });
    const socket = connect({ port: edge.http.address?.port ?? 0, host: '127.0.0.1' });
    const body = Buffer.alloc(32 << 20);
    const head = `POST /v1/traces HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: ${protobuf}\r\ncontent-length: ${body.length}\r\n\r\n`;
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.write(Buffer.concat([Buffer.from(head), body]), () => resolve());
    });
    expect(await text(socket)).toMatch(/^HTTP\/1.1 413/);
  });

  it('answers 413 to a bomb of gzip or zstd, without inflating all of it', async () => {
    const edge = await edgeWith();
    const zeros = Buffer.alloc(200 << 20);
    const gzip = await post(edge, gzipSync(zeros), { 'content-encoding': 'gzip' });
    const zstd = await post(edge, zstdCompressSync(zeros), { 'content-encoding': 'zstd' });
    expect([gzip.status, zstd.status]).toEqual([413, 413]);
    expect(edge.budget.usedBytes).toBe(0);
  });

  it.each([
    ['damaged gzip', Buffer.from('no gzip'), { 'content-encoding': 'gzip' }, 400],
    [
      'truncated zstd',
      zstdCompressSync(Buffer.alloc(1000, 'x')).subarray(0, 12),
      { 'content-encoding': 'zstd' },
      400,
    ],
    ['text that is no JSON', Buffer.from('{"resourceSpans":['), { 'content-type': json }, 400],
    ['JSON that is no UTF-8', Buffer.of(0x22, 0xff, 0x22), { 'content-type': json }, 400],
    ['JSON in snake_case', Buffer.from('{"resource_spans":[]}'), { 'content-type': json }, 400],
    ['JSON logs', Buffer.from('{"resourceLogs":[]}'), { 'content-type': json }, 400],
    ['an unknown content type', Buffer.from('x'), { 'content-type': 'text/xml' }, 415],
    ['an unknown compression', Buffer.from('x'), { 'content-encoding': 'br' }, 415],
  ] as const)('answers %s with a sentence and code %i', async (_, body, headers, status) => {
    const edge = await edgeWith();
    const response = await post(edge, body, headers);
    expect(response.status).toBe(status);
    const isJson = response.headers.get('content-type') === json;
    const bytes = await bytesOf(response);
    const answer: { message?: string } = isJson
      ? JSON.parse(Buffer.from(bytes).toString())
      : decodeStatus(bytes);
    expect(answer.message?.length).toBeGreaterThan(10);
    expect(edge.requests).toEqual([]);
    expect(edge.budget.usedBytes).toBe(0);
  });

  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])(
    'answers %s with 405 and the method it takes',
    async (method) => {
      const edge = await edgeWith();
      const response = await fetch(`${edge.httpUrl}/v1/traces`, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
      expect(await response.json()).toMatchObject({ code: 12 });
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
    },
  );

  it.each(['/v1/metrics', '/v1development/profiles'])('tells a sender to %s where to go', async (path) => {
    const edge = await edgeWith();
    const response = await post(edge, 'x', {}, path);
    expect(response.status).toBe(404);
    expect(decodeStatus(await bytesOf(response)).message).toMatch(
      /traces and logs only.*OTEL_EXPORTER_OTLP_\w+_ENDPOINT/,
    );
  });

  it('answers 404 elsewhere', async () => {
    const edge = await edgeWith();
    expect((await post(edge, 'x', {}, '/api/v2/spans')).status).toBe(404);
  });

  it('opens only to a known token when tokens are set, before it reads the body', async () => {
    const edge = await edgeWith({ tokens: ['right'] });
    const none = await post(edge, Buffer.from('x'));
    expect(none.status).toBe(401);
    expect(none.headers.get('www-authenticate')).toBe('Bearer');
    expect((await post(edge, 'x', { authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await post(edge, 'x', { authorization: 'Bearer right' })).status).toBe(200);
    expect(edge.requests).toHaveLength(1);
  });

  it('refuses before a careful sender has sent its body', async () => {
    const edge = await edgeWith({ limitBytes: 10 });
    const headers = { 'content-type': protobuf, expect: '100-continue', 'content-length': '1000' };
    const refused = httpRequest(`${edge.httpUrl}/v1/traces`, { method: 'POST', headers });
    let continued = false;
    refused.on('continue', () => (continued = true));
    refused.flushHeaders();
    const [response] = await once(refused, 'response');
    expect([response.statusCode, continued]).toEqual([413, false]);
    refused.destroy();
    const taken = httpRequest(`${edge.httpUrl}/v1/traces`, {
      method: 'POST',
      headers: { ...headers, 'content-length': '3' },
    });
    taken.on('continue', () => taken.end('abc'));
    taken.flushHeaders();
    const [second] = await once(taken, 'response');
    expect(second.statusCode).toBe(200);
    second.resume();
  });

  it('tells the sender of a body that trickles to come back', async () => {
    const edge = await edgeWith({ patience: { bodyMs: 50 } });
    const headers = { 'content-type': protobuf, 'content-length': '1000' };
    const request = httpRequest(`${edge.httpUrl}/v1/traces`, { method: 'POST', headers });
    request.write('a');
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(503);
    expect(Number(response.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    request.destroy();
    await until('room is given back', () => edge.budget.usedBytes === 0);
  });

  it('hangs up on headers that trickle', async () => {
    const edge = await edgeWith({ patience: { headersMs: 50 } });
    const socket = connect(edge.http.address?.port ?? 0, '127.0.0.1');
    socket.write('POST /v1/traces HTTP/1.1\r\nhost: a\r\n');
    expect(await text(socket)).toContain('408');
  });

  it('gives room back when the sender hangs up', async () => {
    const edge = await edgeWith();
    const headers = { 'content-type': protobuf, 'content-length': '1000' };
    const request = httpRequest(`${edge.httpUrl}/v1/traces`, { method: 'POST', headers });
    request.on('error', () => undefined);
    request.write('a');
    await until('room is taken', () => edge.budget.usedBytes === 1000);
    request.destroy();
    await until('room is given back', () => edge.budget.usedBytes === 0);
    expect(edge.requests).toEqual([]);
  });

  it('gives its place up when the sender hangs up while it waits for room', async () => {
    const edge = await edgeWith({ budgetBytes: 1000, maxWaitMs: 60_000 });
    const room = await edge.budget.acquire(1000, 0, new AbortController().signal);
    const headers = { 'content-type': protobuf, 'content-length': '1000' };
    const request = httpRequest(`${edge.httpUrl}/v1/traces`, { method: 'POST', headers });
    request.on('error', () => undefined);
    request.write('a');
    await until('it asks for room', () => edge.budget.asked === 2);
    request.destroy();
    const rejected = 'plimsoll_receiver_requests_total{receiver="otlp",transport="http",outcome="rejected"}';
    await until('it gives up', () => edge.metric(rejected));
    room.release();
    expect(edge.budget.usedBytes).toBe(0);
  });

  const plain = Buffer.alloc(1 << 20, 'compresses well');
  const packed = gzipSync(plain);
  it.each([
    ['of unknown length', plain, {}],
    ['that inflates', packed, { 'content-encoding': 'gzip', 'content-length': String(packed.length) }],
  ])('holds a body %s to the room there is when it proves large', async (_, body, headers) => {
    const edge = await edgeWith({ budgetBytes: 128 << 10, maxWaitMs: 50 });
    const never = new AbortController().signal;
    const room = await edge.budget.acquire(1, 0, never);
    const begin = () => {
      const request = httpRequest(`${edge.httpUrl}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': protobuf, ...headers },
      });
      request.write(body.subarray(0, 1));
      return request;
    };
    const refused = begin();
    await until('it has room for its first bytes', () => edge.budget.usedBytes > 1);
    await room.grow(1 << 20, 0, never); // more than there is: nobody else may grow
    refused.end(body.subarray(1));
    const [answer] = await once(refused, 'response');
    expect(answer.statusCode).toBe(503);
    answer.resume();
    expect(edge.requests).toEqual([]);
    room.release();
    const taken = begin();
    taken.end(body.subarray(1));
    const [later] = await once(taken, 'response');
    expect(later.statusCode).toBe(200);
    later.resume();
    expect(edge.requests[0]?.equals(plain)).toBe(true);
    expect(edge.budget.usedBytes).toBe(0);
  });

  it('counts the spans it could not take, once', async () => {
    const edge = await edgeWith({
      exportTraces: () => Promise.reject(new RefusedSpans(7, new Failure('overloaded', 'full'))),
    });
    expect((await post(edge, 'x')).status).toBe(503);
    expect(await edge.metric('plimsoll_receiver_refused_spans_total{receiver="otlp",transport="http"}')).toBe(
      7,
    );
  });

  it('does not take an empty JSON body for the empty protobuf one before it', async () => {
    const edge = await edgeWith();
    expect((await post(edge, '')).status).toBe(200);
    expect((await post(edge, '', { 'content-type': json })).status).toBe(400);
  });

  it('waits for room, then refuses with Retry-After', async () => {
    const edge = await edgeWith({ budgetBytes: 1000, maxWaitMs: 50 });
    const room = await edge.budget.acquire(1000, 0, new AbortController().signal);
    const response = await post(edge, Buffer.from('x'));
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    room.release();
    expect((await post(edge, Buffer.from('x'))).status).toBe(200);
  });
});

describe('the life of the HTTP receiver', () => {
  it('answers what is in flight when it stops, then closes the connection', async () => {
    const work = gate();
    const edge = await edgeWith({ exportTraces: () => work.opened.then(() => accepted) });
    const answer = post(edge, Buffer.from('in flight'));
    await until('the request is in flight', () => edge.requests.length === 1);
    const stopped = edge.http.stop(new AbortController().signal);
    work.open();
    const response = await answer;
    expect(response.status).toBe(200);
    expect(response.headers.get('connection')).toBe('close');
    await stopped;
    await expect(post(edge, Buffer.from('too late'))).rejects.toThrow();
  });

  it('cuts everything off at the deadline', async () => {
    const edge = await edgeWith({ exportTraces: () => new Promise(() => undefined) });
    const answer = post(edge, Buffer.from('never')).catch(() => 'cut off');
    await until('the request is in flight', () => edge.requests.length === 1);
    const deadline = new AbortController();
    const stopped = edge.http.stop(deadline.signal);
    deadline.abort();
    await stopped;
    expect(await answer).toBe('cut off');
  });

  it('names the address and the config key when the port is in use', async () => {
    const squatter = createNetServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    closing.push(() => squatter.close());
    const port = portOf(squatter);
    const edge = await edgeWith();
    const listener = { host: '127.0.0.1', port, configPath: 'receivers::otlp::protocols::http' };
    const receiver = new HttpReceiver({ listener, intake: edge.intake });
    await expect(receiver.start()).rejects.toThrow(
      `receivers::otlp::protocols::http::endpoint: 127.0.0.1:${port} is already in use`,
    );
    await receiver.stop(AbortSignal.abort());
  });

  it('stops at the deadline though a peer of TLS never begins its handshake', async () => {
    const edge = await edgeWith({ tls: { certFile: pem('server.pem'), keyFile: pem('server.key.pem') } });
    const socket = connect(edge.http.address?.port ?? 0, '127.0.0.1');
    closing.push(() => socket.destroy());
    await once(socket, 'connect');
    const deadline = new AbortController();
    const stopped = edge.http.stop(deadline.signal);
    deadline.abort();
    await stopped;
  });

  it('keeps a connection for the next request', async () => {
    const edge = await edgeWith();
    const socket = connect(edge.http.address?.port ?? 0, '127.0.0.1');
    const head = `POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: ${protobuf}\r\ncontent-length: 1\r\n\r\n`;
    socket.write(`${head}a${head}b`);
    await until('both requests', () => edge.requests.length === 2);
    socket.destroy();
  });
});
