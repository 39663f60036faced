import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { credentials } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import type { NewRecord } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { Claims } from '../../src/enrich/claims.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { Ingest } from '../../src/receiver/ingest.ts';
import type { SenderOptions } from '../../src/receiver/senders.ts';
import { attributesOf } from '../enrich/one-span.ts';
import { decodeRequest, encodeLogs, encodeRequest } from '../otlp/oracle.ts';
import { openEdge, type Edge, type EdgeOptions } from './edge.ts';
import { openClient } from './grpc-client.ts';
import { decodeAs } from './rpc-oracle.ts';

const responseType = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse';
const pem = (name: string): string => new URL(`tls/${name}`, import.meta.url).pathname;
const tls = { certFile: pem('server.pem'), keyFile: pem('server.key.pem'), clientCaFile: pem('ca.pem') };
const shown = {
  ca: readFileSync(pem('ca.pem')),
  key: readFileSync(pem('client.key.pem')),
  cert: readFileSync(pem('client.pem')), // of the common name client
};

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const refundOnly = new Claims('the bearer "refund-team"', { agent: ['refund'] });
const tokens = [
  { token: new Secret('mine'), claims: refundOnly },
  { token: new Secret('all') },
  { token: new Secret('staging'), claims: new Claims('the bearer "ci"', { environment: ['staging'] }) },
];

/** An edge over a real ingest, and the agents of the spans that reach the stream. */
async function place(senders: SenderOptions, options: EdgeOptions = {}) {
  const agents: unknown[] = [];
  const consume = (records: readonly NewRecord[]): Promise<void> => {
    for (const { payload } of records)
      for (const { resource } of decodeRequest(payload).resourceSpans ?? [])
        agents.push(resource?.attributes?.[0]?.value?.stringValue);
    return Promise.resolve();
  };
  const ingest = new Ingest({
    enricher: new Enricher({ content: { mode: 'drop' } }),
    stream: { partitions: 1, recordLimitBytes: 1 << 20, fault: undefined, consume },
    telemetry: new Telemetry(),
    clock: { nowMs: () => 0 },
  });
  const { exportTraces, exportLogs } = ingest;
  const edge = await openEdge({ exportTraces, exportLogs, senders, ...options });
  closing.push(() => edge.close());
  return { edge, agents };
}

const spans = [{ traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1), name: 'x' }];
const resourceOf = (agent: string) => ({ attributes: attributesOf({ 'service.name': agent }) });
const requestOf = (...agents: string[]): Uint8Array =>
  encodeRequest({
    resourceSpans: agents.map((agent) => ({ resource: resourceOf(agent), scopeSpans: [{ spans }] })),
  });

async function call(edge: Edge, body: Uint8Array, token?: string, tlsOf?: Partial<typeof shown>) {
  const channel = tlsOf && credentials.createSsl(shown.ca, tlsOf.key ?? null, tlsOf.cert ?? null);
  const named = tlsOf ? { 'grpc.ssl_target_name_override': 'localhost' } : {};
  const client = openClient(edge.grpcAddress, named, channel);
  closing.push(() => client.close());
  const { code, body: answer } = await client.call(body, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    deadlineMs: 5000,
  });
  return { code, answer: answer ? decodeAs(responseType, answer) : undefined };
}

async function post(edge: Edge, path: string, body: Uint8Array | string, token: string): Promise<unknown> {
  const type = typeof body === 'string' ? 'application/json' : 'application/x-protobuf';
  const response = await fetch(`${edge.httpUrl}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: { 'content-type': type, authorization: `Bearer ${token}` },
  });
  expect(response.status).toBe(200);
  if (typeof body === 'string') return response.json();
  return decodeAs(responseType, new Uint8Array(await response.arrayBuffer()));
}

const partial = (errorMessage: RegExp) => ({
  partialSuccess: { rejectedSpans: '1', errorMessage: expect.stringMatching(errorMessage) },
});
const notBilling = partial(
  /^1 span: the bearer "refund-team" may not claim the agent "billing", only "refund": correct .*auth of this receiver list it$/,
);

test('of a limited bearer the spans of others are rejected alone, over gRPC and HTTP, and counted', async () => {
  const { edge, agents } = await place({ tokens });
  const mixed = requestOf('refund', 'billing');
  expect(await call(edge, mixed, 'mine')).toEqual({ code: 0, answer: notBilling });
  expect(await post(edge, '/v1/traces', Buffer.concat([mixed, requestOf('refund')]), 'mine')).toEqual(
    notBilling,
  );
  const ids = { traceId: '01'.repeat(16), spanId: '01'.repeat(8) };
  const json = JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'billing' } }] },
        scopeSpans: [{ spans: [ids] }],
      },
    ],
  });
  expect(await post(edge, '/v1/traces', json, 'mine')).toEqual(notBilling);
  expect(agents).toEqual(['refund', 'refund', 'refund']);
  const rejected = 'plimsoll_receiver_rejected_spans_total{receiver="otlp",transport=';
  expect(await edge.metric(`${rejected}"grpc",reason="forbidden"}`)).toBe(1);
  expect(await edge.metric(`${rejected}"http",reason="forbidden"}`)).toBe(2);
  expect(await edge.metric(`${rejected}"http",reason="invalid"}`)).toBe(0);
});

test('log records are spans of whom they name, so they are limited likewise', async () => {
  const { edge, agents } = await place({ tokens });
  const logRecords = [
    {
      timeUnixNano: '1760000000000000000',
      traceId: Buffer.alloc(16, 1),
      spanId: Buffer.alloc(8, 1),
      eventName: 'gen_ai.evaluation.result',
      attributes: attributesOf({ 'gen_ai.evaluation.name': 'helpful', 'gen_ai.evaluation.score.value': 1 }),
    },
  ];
  const logs = encodeLogs({
    resourceLogs: ['refund', 'billing'].map((agent) => ({
      resource: resourceOf(agent),
      scopeLogs: [{ logRecords }],
    })),
  });
  expect(await post(edge, '/v1/logs', logs, 'mine')).toMatchObject({
    partialSuccess: {
      rejectedSpans: '1',
      errorMessage: expect.stringMatching(/^1 log record: the bearer "refund-team"/),
    },
  });
  expect(agents).toEqual(['refund']);
});

test('who repeats what somebody else was refused is not refused with him', async () => {
  const { edge, agents } = await place({ tokens });
  const body = requestOf('billing');
  expect((await call(edge, body, 'mine')).answer).toEqual(notBilling);
  expect((await call(edge, body, 'mine')).answer).toEqual(notBilling);
  expect((await call(edge, body, 'all')).answer).toEqual({});
  expect((await call(edge, body, 'mine')).answer).toEqual(notBilling);
  expect(agents).toEqual(['billing']);
  expect(await edge.metric('plimsoll_receiver_joined_requests_total')).toBe(2);
});

test('a certificate limits its bearer by its common name, also where a connection is taken up again', async () => {
  const claims = new Claims('the bearer of the certificate "cli*"', { agent: ['refund'] });
  const { edge, agents } = await place(
    { tokens: [], certificates: [{ commonName: 'cli*', claims }, { commonName: 'other' }] },
    { tls, coalesceWindowMs: 0 },
  );
  const told = partial(/^1 span: the bearer of the certificate "cli\*" may not claim the agent "billing"/);
  expect(await call(edge, requestOf('billing', 'refund'), undefined, shown)).toEqual({
    code: 0,
    answer: told,
  });
  let session: Buffer | undefined;
  const resumed: boolean[] = [];
  for (const agent of ['billing', 'refund', 'billing']) {
    const options: RequestOptions & { readonly session: Buffer | undefined } = {
      ...shown,
      method: 'POST',
      agent: false,
      servername: 'localhost',
      maxVersion: 'TLSv1.2', // whose tickets come with the handshake
      session,
      headers: { 'content-type': 'application/x-protobuf' },
    };
    const request = httpsRequest(`${edge.httpUrl}/v1/traces`, options);
    request.on('socket', (socket) => socket.on('session', (ticket: Buffer) => (session = ticket)));
    request.end(Buffer.concat([requestOf(agent), requestOf('refund')]));
    const [response] = await once(request, 'response');
    resumed.push(response.socket.isSessionReused());
    response.resume();
    await once(response, 'end');
  }
  expect(resumed).toEqual([false, true, true]);
  expect(agents).toEqual(['refund', 'refund', 'refund', 'refund', 'refund']);
});

test('a certificate of a name that nobody lists does not open the door', async () => {
  const { edge } = await place({ tokens: [], certificates: [{ commonName: 'localhost' }] }, { tls });
  expect(await call(edge, requestOf('refund'), undefined, shown)).toEqual({ code: 16, answer: undefined });
});

test('where a token and a certificate are asked for, both must be shown, and both limit', async () => {
  const certificates = [{ commonName: 'client', claims: refundOnly }];
  const { edge, agents } = await place({ tokens, certificates }, { tls });
  expect((await call(edge, requestOf('refund'), undefined, shown)).code).toBe(16);
  expect((await call(edge, requestOf('billing'), 'all', shown)).answer).toEqual(notBilling);
  expect((await call(edge, requestOf('refund'), 'staging', shown)).answer).toEqual(
    partial(/^1 span: the bearer "ci" may not claim the environment "unknown", only "staging"/),
  );
  const staging = attributesOf({ 'service.name': 'billing', 'deployment.environment.name': 'staging' });
  const billing = { resource: { attributes: staging }, scopeSpans: [{ spans }] };
  const body = encodeRequest({ resourceSpans: [billing] });
  expect((await call(edge, body, 'staging', shown)).answer).toEqual(notBilling);
  expect((await call(edge, requestOf('refund'), 'all', shown)).answer).toEqual({});
  expect(agents).toEqual(['refund']);
});
