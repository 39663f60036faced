import { compressionAlgorithms } from '@grpc/grpc-js';
import http2, { type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { connect, createServer as createNetServer } from 'node:net';
import { once } from 'node:events';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { createLog } from '../../src/core/log.ts';
import { GrpcReceiver } from '../../src/receiver/grpc.ts';
import { until } from '../until.ts';
import { accepted, gate, openEdge, portOf, type Edge, type EdgeOptions } from './edge.ts';
import { exportMethod, openClient } from './grpc-client.ts';
import { decodeAs, encodeAs } from './rpc-oracle.ts';

const log = createLog('silent');
const responseType = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse';
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function edgeWith(options: EdgeOptions = {}): Promise<Edge> {
  const edge = await openEdge(options);
  closing.push(() => edge.close());
  return edge;
}

function clientOf(edge: Edge, options: object = {}) {
  const client = openClient(edge.grpcAddress, options);
  closing.push(() => client.close());
  return client;
}

/** Frames as a raw HTTP/2 client sends them, for what a well-behaved one would not. */
function framed(message: Uint8Array, flags = 0, length = message.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

function rawSession(edge: Edge): ClientHttp2Session {
  const session = http2.connect(`http://${edge.grpcAddress}`);
  closing.push(() => session.destroy());
  return session;
}

async function rawCall(
  session: ClientHttp2Session,
  body: Buffer | undefined,
  headers: Record<string, string> = {},
) {
  const stream = session.request({
    ':method': 'POST',
    ':path': exportMethod,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  let answer: IncomingHttpHeaders = {};
  stream.on('response', (found) => (answer = { ...answer, ...found }));
  stream.on('trailers', (found) => (answer = { ...answer, ...found }));
  stream.resume();
  if (body) stream.end(body);
  await once(stream, 'close');
  return answer;
}

describe('export over gRPC', () => {
  it('hands the bytes on as they came, and answers without partial_success when all is accepted', async () => {
    const edge = await edgeWith();
    const request = Buffer.from('any bytes: the receiver does not decode them');
    const answer = await clientOf(edge).call(request);
    expect(answer).toMatchObject({ code: 0, body: Buffer.alloc(0) });
    expect(edge.requests).toEqual([request]);
    expect(
      await edge.metric('plimsoll_receiver_accepted_spans_total{receiver="otlp",transport="grpc"}'),
    ).toBe(1);
  });

  it('takes an empty request', async () => {
    const edge = await edgeWith();
    expect(await clientOf(edge).call(Buffer.alloc(0))).toMatchObject({ code: 0 });
    expect(edge.requests).toEqual([Buffer.alloc(0)]);
  });

  it('takes many calls at once on one connection', async () => {
    const edge = await edgeWith();
    const client = clientOf(edge);
    const bodies = Array.from({ length: 300 }, (_, index) => Buffer.alloc(20_000, index.toString(36)));
    const answers = await Promise.all(bodies.map((body) => client.call(body)));
    expect(answers.every((answer) => answer.code === 0)).toBe(true);
    expect(new Set(edge.requests.map(String))).toEqual(new Set(bodies.map(String)));
  });

  it('says how many spans were rejected and why, and counts them', async () => {
    const edge = await edgeWith({
      exportTraces: () =>
        Promise.resolve({ accepted: 2, rejected: 3, message: 'trace ids must have 16 bytes' }),
    });
    const answer = await clientOf(edge).call(Buffer.from('x'));
    expect(answer.code).toBe(0);
    expect(decodeAs(responseType, answer.body ?? Buffer.alloc(0))).toEqual({
      partialSuccess: { rejectedSpans: '3', errorMessage: 'trace ids must have 16 bytes' },
    });
    expect(
      await edge.metric(
        'plimsoll_receiver_rejected_spans_total{receiver="otlp",transport="grpc",reason="invalid"}',
      ),
    ).toBe(3);
  });

  it('shortens a long reason', async () => {
    const edge = await edgeWith({
      exportTraces: () => Promise.resolve({ accepted: 0, rejected: 1, message: 'long '.repeat(1 << 20) }),
    });
    const answer = await clientOf(edge).call(Buffer.from('x'));
    expect(answer.code).toBe(0);
    expect(answer.body?.length).toBeLessThan(4096);
  });

  it('takes gzip, as grpc-js clients send it', async () => {
    const edge = await edgeWith();
    const body = Buffer.alloc(2 << 20, 'compresses well, ');
    const client = clientOf(edge, { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip });
    expect(await client.call(body)).toMatchObject({ code: 0 });
    expect(edge.requests).toEqual([body]);
  });

  it('takes zstd, as Collectors can send it', async () => {
    const edge = await edgeWith();
    const body = Buffer.alloc(100_000, 'compresses well, ');
    const answer = await rawCall(rawSession(edge), framed(zstdCompressSync(body), 1), {
      'grpc-encoding': 'zstd',
    });
    expect(answer['grpc-status']).toBe('0');
    expect(edge.requests).toEqual([body]);
  });

  it('takes a request in any pieces', async () => {
    const edge = await edgeWith();
    const body = Buffer.from('a request that arrives byte by byte');
    const stream = rawSession(edge).request({
      ':method': 'POST',
      ':path': exportMethod,
      'content-type': 'application/grpc',
    });
    stream.resume();
    for (const byte of framed(body)) {
      const { promise, resolve } = Promise.withResolvers<void>();
      stream.write(Buffer.of(byte), () => resolve());
      await promise;
    }
    stream.end();
    await once(stream, 'close');
    expect(edge.requests).toEqual([body]);
  });
});

describe('refusals over gRPC', () => {
  it.each([
    ['invalid', 3, undefined],
    ['overloaded', 14, 'google.rpc.RetryInfo'],
    ['unavailable', 14, 'google.rpc.RetryInfo'],
  ] as const)('answers an %s request with code %i', async (kind, code, detail) => {
    const edge = await edgeWith({
      exportTraces: () => Promise.reject(new Failure(kind, 'because – ünïcode 100%')),
    });
    const answer = await clientOf(edge).call(Buffer.from('x'));
    expect(answer).toMatchObject({ code, message: 'because – ünïcode 100%' });
    expect(answer.status?.code).toBe(code);
    expect(answer.status?.details.map(({ type }) => type)).toContain(detail ?? 'google.rpc.BadRequest');
    if (detail)
      expect(answer.status?.details[0]?.value).toMatchObject({
        retryDelay: { seconds: expect.stringMatching(/^[12]$/) },
      });
  });

  it('keeps an unforeseen fault retryable, hides its text and logs it', async () => {
    const lines: string[] = [];
    const listening = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
    const edge = await edgeWith({
      log: listening,
      exportTraces: () => Promise.reject(new TypeError('secret of somebody else')),
    });
    const answer = await clientOf(edge).call(Buffer.from('x'));
    expect(answer.code).toBe(14);
    expect(answer.message).not.toContain('secret');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('secret of somebody else');
  });

  it('refuses a request over the limit before it has arrived, and tells nobody to retry it', async () => {
    const edge = await edgeWith();
    const answer = await clientOf(edge).call(Buffer.alloc(65 << 20));
    expect(answer).toMatchObject({ code: 8, status: undefined });
    expect(answer.message).toContain(String(64 << 20));
    expect(edge.requests).toEqual([]);
    expect(edge.budget.usedBytes).toBe(0);
  });

  it('refuses a bomb of gzip or zstd as too large', async () => {
    const edge = await edgeWith({ limitBytes: 8 << 20 });
    const zeros = Buffer.alloc(100 << 20);
    const session = rawSession(edge);
    const gzip = await rawCall(session, framed(gzipSync(zeros), 1), { 'grpc-encoding': 'gzip' });
    const zstd = await rawCall(session, framed(zstdCompressSync(zeros), 1), { 'grpc-encoding': 'zstd' });
    expect([gzip['grpc-status'], zstd['grpc-status']]).toEqual(['8', '8']);
    expect(gzip['grpc-status-details-bin']).toBeUndefined();
    expect(edge.requests).toEqual([]);
    expect(edge.budget.usedBytes).toBe(0);
  });

  it.each([
    ['no message at all', Buffer.alloc(0)],
    ['half a prefix', Buffer.of(0, 0, 0)],
    ['a message cut short', framed(Buffer.from('abc'), 0, 10)],
    ['two messages', Buffer.concat([framed(Buffer.from('abc')), framed(Buffer.from('def'))])],
    ['a compressed message without grpc-encoding', framed(gzipSync(Buffer.from('abc')), 1)],
  ])('answers %s as invalid', async (_, body) => {
    const edge = await edgeWith();
    expect((await rawCall(rawSession(edge), body))['grpc-status']).toBe('3');
    expect(edge.requests).toEqual([]);
    await until('room is given back', () => edge.budget.usedBytes === 0);
  });

  it('answers damaged gzip as invalid', async () => {
    const edge = await edgeWith();
    const damaged = gzipSync(Buffer.alloc(1000, 'x')).subarray(0, 20);
    const answer = await rawCall(rawSession(edge), framed(damaged, 1), { 'grpc-encoding': 'gzip' });
    expect(answer['grpc-status']).toBe('3');
    expect(answer['grpc-message']).toContain('gzip');
  });

  it('names the compressions it knows when it meets another', async () => {
    const edge = await edgeWith();
    const answer = await rawCall(rawSession(edge), framed(Buffer.from('x'), 1), {
      'grpc-encoding': 'snappy',
    });
    expect(answer).toMatchObject({ 'grpc-status': '12', 'grpc-accept-encoding': 'identity,gzip,zstd' });
  });

  it.each(['metrics', 'profiles'])('tells a sender of %s where to send them', async (signal) => {
    const edge = await edgeWith();
    const service = `${signal.charAt(0).toUpperCase()}${signal.slice(1)}Service`;
    const method = `/opentelemetry.proto.collector.${signal}.v1.${service}/Export`;
    const answer = await clientOf(edge).call(Buffer.from('x'), { method });
    expect(answer.code).toBe(12);
    expect(answer.message).toContain(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`);
    expect(edge.requests).toEqual([]);
  });

  it('answers an unknown method as unimplemented', async () => {
    const edge = await edgeWith();
    expect(await clientOf(edge).call(Buffer.from('x'), { method: '/a.B/C' })).toMatchObject({ code: 12 });
  });

  it('tells an HTTP/2 client that is not gRPC which port to use', async () => {
    const edge = await edgeWith();
    const answer = await rawCall(rawSession(edge), Buffer.from('{}'), { 'content-type': 'application/json' });
    expect(answer[':status']).toBe(415);
  });

  it('opens only to a known token when tokens are set', async () => {
    const edge = await edgeWith({ tokens: ['first', 'second'] });
    const client = clientOf(edge);
    const call = (authorization?: string) =>
      client.call(Buffer.from('x'), { headers: authorization === undefined ? {} : { authorization } });
    expect((await call()).code).toBe(16);
    expect((await call('Bearer third')).code).toBe(16);
    expect((await call('Basic first')).code).toBe(16);
    expect(edge.requests).toEqual([]);
    expect((await call('Bearer first')).code).toBe(0);
    expect((await call('bearer second')).code).toBe(0);
  });

  it('answers a sender that never sends its message', async () => {
    const edge = await edgeWith();
    const answer = await rawCall(rawSession(edge), undefined, { 'grpc-timeout': '100m' });
    expect(answer['grpc-status']).toBe('4');
  });
});

describe('overload over gRPC', () => {
  it('holds a call until there is room instead of refusing it', async () => {
    const edge = await edgeWith({ budgetBytes: 1000 });
    const room = await edge.budget.acquire(1000, 0, new AbortController().signal);
    const answer = clientOf(edge).call(Buffer.alloc(500, 'x'));
    await until('the call asks for room', () => edge.budget.asked === 2);
    expect(edge.requests).toEqual([]);
    room.release();
    expect((await answer).code).toBe(0);
    await until('room is given back', () => edge.budget.usedBytes === 0);
  });

  it('holds a large call too, and then takes all of it', async () => {
    const edge = await edgeWith({ budgetBytes: 32 << 20 });
    const room = await edge.budget.acquire(32 << 20, 0, new AbortController().signal);
    const body = Buffer.alloc(20 << 20, 'large');
    const answer = clientOf(edge).call(body);
    await until('the call asks for room', () => edge.budget.asked === 2);
    expect(edge.requests).toEqual([]);
    room.release();
    expect((await answer).code).toBe(0);
    expect(edge.requests[0]?.equals(body)).toBe(true);
    await until('room is given back', () => edge.budget.usedBytes === 0);
  });

  it('refuses a small call that waits behind a large one, though it alone would fit', async () => {
    const edge = await edgeWith({ budgetBytes: 1000, maxWaitMs: 60_000 });
    await edge.budget.acquire(600, 0, new AbortController().signal);
    const session = rawSession(edge);
    const large = rawCall(session, framed(Buffer.alloc(900)), { 'grpc-timeout': '20S' });
    await until('the large call waits', () => edge.budget.asked === 2);
    const headers = { ':method': 'POST', ':path': exportMethod, 'content-type': 'application/grpc' };
    const small = session.request({ ...headers, 'grpc-timeout': '500m' });
    small.write(framed(Buffer.of(1), 0, 100)); // and never ends
    const [answer] = await once(small, 'response');
    expect(answer['grpc-status']).toBe('14');
    session.destroy();
    await large.catch(() => undefined);
  });

  it('holds no memory for a call that waits but what has arrived of it', async () => {
    const edge = await edgeWith({ budgetBytes: 1 << 20 });
    const room = await edge.budget.acquire(1 << 20, 0, new AbortController().signal);
    let taken = 0;
    const { memory } = edge.intake;
    const take = memory.take.bind(memory);
    memory.take = (bytes) => {
      taken += bytes;
      return take(bytes);
    };
    const session = rawSession(edge);
    const stream = session.request({
      ':method': 'POST',
      ':path': exportMethod,
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined);
    stream.write(framed(Buffer.of(1), 0, 1 << 20));
    await until('the call asks for room', () => edge.budget.asked === 2);
    expect(taken).toBe(0);
    room.release();
    await until('the call has room', () => taken === 1 << 20);
  });

  it('refuses with RetryInfo before the deadline of the sender when no room comes', async () => {
    const edge = await edgeWith({ budgetBytes: 1000, maxWaitMs: 60_000 });
    await edge.budget.acquire(1000, 0, new AbortController().signal);
    const answer = await clientOf(edge).call(Buffer.alloc(500, 'x'), { deadlineMs: 3000 });
    expect(answer.code).toBe(14); // 4 would be the client's own verdict
    expect(answer.status?.details[0]?.type).toBe('google.rpc.RetryInfo');
    expect(
      await edge.metric(
        'plimsoll_receiver_requests_total{receiver="otlp",transport="grpc",outcome="refused"}',
      ),
    ).toBe(1);
  });

  it('answers before the deadline when the work takes longer, and joins the repeat to the work', async () => {
    const work = gate();
    const edge = await edgeWith({ exportTraces: () => work.opened.then(() => accepted) });
    const client = clientOf(edge);
    expect((await client.call(Buffer.from('slow'), { deadlineMs: 3000 })).code).toBe(14);
    const repeat = client.call(Buffer.from('slow'));
    await until('the repeat has joined', () => edge.metric('plimsoll_receiver_joined_requests_total'));
    work.open();
    expect((await repeat).code).toBe(0);
    expect(edge.requests).toHaveLength(1);
    expect(await edge.metric('plimsoll_receiver_accepted_spans_total')).toBe(1);
  });

  it('gives room back when the sender hangs up', async () => {
    const edge = await edgeWith();
    const session = rawSession(edge);
    const stream = session.request({
      ':method': 'POST',
      ':path': exportMethod,
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined);
    stream.write(framed(Buffer.from('abc'), 0, 1000));
    await until('room is taken', () => edge.budget.usedBytes === 1000);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await until('room is given back', () => edge.budget.usedBytes === 0);
    expect(edge.requests).toEqual([]);
  });
});

const raw = (bytes: Buffer): Buffer => bytes;
const statusOf = (body: Uint8Array = Buffer.alloc(0)) => decodeAs('grpc.health.v1.HealthCheckResponse', body);

describe('the health service', () => {
  const check = '/grpc.health.v1.Health/Check';

  it('serves for the server and the trace service, and knows no other', async () => {
    const edge = await edgeWith();
    const client = clientOf(edge);
    const ask = (service: string) =>
      client.call(encodeAs('grpc.health.v1.HealthCheckRequest', { service }), { method: check });
    expect(statusOf((await ask('')).body)).toEqual({ status: 1 });
    expect(statusOf((await ask('opentelemetry.proto.collector.trace.v1.TraceService')).body)).toEqual({
      status: 1,
    });
    expect((await ask('somebody.Else')).code).toBe(5);
    expect((await client.call(Buffer.of(10, 200, 1), { method: check })).code).toBe(3);
  });

  it('tells watchers NOT_SERVING when it drains, and lets them go', async () => {
    const edge = await edgeWith();
    const { client } = clientOf(edge);
    const watch = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', raw, raw, Buffer.alloc(0));
    const seen: unknown[] = [];
    watch.on('data', (body: Buffer) => seen.push(statusOf(body)));
    watch.on('error', () => undefined);
    await until('the first status', () => seen.length === 1);
    await edge.grpc.stop(new AbortController().signal);
    await until('the second status', () => seen.length === 2);
    expect(seen).toEqual([{ status: 1 }, { status: 2 }]);
  });
});

/** A peer that says goodbye and leaves its socket open: settings, then GOAWAY. */
function lingering(edge: Edge) {
  const socket = connect({ port: edge.grpc.address?.port ?? 0, host: '127.0.0.1', allowHalfOpen: true });
  closing.push(() => socket.destroy());
  socket.on('error', () => undefined);
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0));
  socket.write(Buffer.of(0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  socket.resume();
  return socket;
}

describe('the life of the gRPC receiver', () => {
  it('answers what is in flight when it stops, then closes', async () => {
    const work = gate();
    const edge = await edgeWith({ exportTraces: () => work.opened.then(() => accepted) });
    const client = clientOf(edge);
    const answer = client.call(Buffer.from('in flight'));
    await until('the request is in flight', () => edge.requests.length === 1);
    const stopped = edge.grpc.stop(new AbortController().signal);
    work.open();
    expect((await answer).code).toBe(0);
    await stopped;
    expect((await client.call(Buffer.from('too late'), { deadlineMs: 500 })).code).not.toBe(0);
    expect(edge.requests).toHaveLength(1);
  });

  it('answers every call it took before the stop, and refuses the others as never begun', async () => {
    const edge = await edgeWith();
    const session = rawSession(edge);
    const calls: Promise<string>[] = [];
    const seen = { goaway: false };
    session.once('goaway', () => (seen.goaway = true));
    let stopped: Promise<void> | undefined;
    while (!seen.goaway) {
      const call = rawCall(session, framed(Buffer.from(`racing ${calls.length}`)));
      calls.push(
        call.then(
          (answer) => `status ${String(answer['grpc-status'])}`,
          (error: Error) => error.message,
        ),
      );
      await new Promise((resolve) => setImmediate(resolve));
      if (edge.requests.length > 10) stopped ??= edge.grpc.stop(new AbortController().signal);
    }
    const answers = await Promise.all(calls);
    await stopped;
    const refused = 'Stream closed with error code NGHTTP2_REFUSED_STREAM'; // gRPC clients resend these by themselves
    expect(answers.filter((answer) => answer !== refused)).toEqual(edge.requests.map(() => 'status 0'));
  });

  it('cuts everything off at the deadline, and tells the work', async () => {
    let aborted = false;
    const edge = await edgeWith({
      exportTraces: (_, signal) => {
        signal.addEventListener('abort', () => (aborted = true));
        return new Promise(() => undefined);
      },
    });
    const answer = clientOf(edge).call(Buffer.from('never'));
    await until('the request is in flight', () => edge.requests.length === 1);
    const deadline = new AbortController();
    const stopped = edge.grpc.stop(deadline.signal);
    deadline.abort();
    await stopped;
    expect((await answer).code).toBe(14);
    expect(aborted).toBe(true);
  });

  it('may be stopped before it starts, and twice', async () => {
    const edge = await edgeWith();
    const receiver = new GrpcReceiver({
      listener: { host: '127.0.0.1', port: 0, configPath: 'x' },
      intake: edge.intake,
      log,
    });
    await receiver.stop(AbortSignal.abort());
    await receiver.stop(AbortSignal.abort());
    expect(receiver.address).toBeUndefined();
  });

  it('names the address and the config key when the port is in use', async () => {
    const squatter = createNetServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    closing.push(() => squatter.close());
    const port = portOf(squatter);
    const edge = await edgeWith();
    const configPath = 'receivers::otlp::protocols::grpc';
    const receiver = new GrpcReceiver({
      listener: { host: '127.0.0.1', port, configPath },
      intake: edge.intake,
      log,
    });
    await expect(receiver.start()).rejects.toThrow(
      `receivers::otlp::protocols::grpc::endpoint: 127.0.0.1:${port} is already in use: stop the other program or choose another port`,
    );
  });

  it('tells a connection beyond its age to go away without failing a call', async () => {
    const edge = await edgeWith({ life: { maxAgeMs: 1 } });
    const session = rawSession(edge);
    const gone = once(session, 'goaway');
    expect((await rawCall(session, framed(Buffer.from('before'))))['grpc-status']).toBe('0');
    const [code] = await gone;
    expect(code).toBe(0);
    const client = clientOf(edge);
    for (let index = 0; index < 20; index++) expect((await client.call(Buffer.of(index))).code).toBe(0);
  });

  it('closes a connection whose peer does not answer pings', async () => {
    const edge = await edgeWith({ life: { keepaliveMs: 1, keepaliveTimeoutMs: 1 } });
    const mute = connect(edge.grpc.address?.port ?? 0, '127.0.0.1');
    mute.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    mute.write(Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0)); // SETTINGS, and nothing ever after
    mute.resume();
    await once(mute, 'end');
    mute.destroy();
  });

  it('cuts off a peer that says goodbye and does not hang up', async () => {
    const edge = await edgeWith({ life: { keepaliveMs: 1, keepaliveTimeoutMs: 1 } });
    const socket = lingering(edge);
    await once(socket, 'end'); // our half is closed
    // whoever writes to a closed socket is told so
    await until('its socket is cut', () => {
      if (!socket.destroyed) socket.write(Buffer.of(0));
      return socket.destroyed;
    });
    expect((await clientOf(edge).call(Buffer.from('still here'))).code).toBe(0);
  });

  it('stops at once though a peer that said goodbye does not hang up', async () => {
    const edge = await edgeWith();
    await once(lingering(edge), 'end');
    await edge.grpc.stop(new AbortController().signal);
  });

  it('stops at the deadline though a peer does not hang up', async () => {
    const edge = await edgeWith();
    const socket = connect({ port: edge.grpc.address?.port ?? 0, host: '127.0.0.1', allowHalfOpen: true });
    closing.push(() => socket.destroy());
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0));
    await once(socket, 'data');
    const deadline = new AbortController();
    const stopped = edge.grpc.stop(deadline.signal);
    socket.resume();
    await once(socket, 'end');
    deadline.abort();
    await stopped;
  });

  it('leaves a connection alone whose peer answers pings', async () => {
    const edge = await edgeWith({ life: { keepaliveMs: 1, keepaliveTimeoutMs: 1500 } });
    const session = rawSession(edge);
    await Promise.all([once(session, 'ping'), rawCall(session, framed(Buffer.from('a')))]);
    await once(session, 'ping');
    expect((await rawCall(session, framed(Buffer.from('b'))))['grpc-status']).toBe('0');
  });
});
