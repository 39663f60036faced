import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import type { NewRecord } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import type { ExportRequest } from '../../src/receiver/export.ts';
import { RefusedSpans } from '../../src/receiver/export.ts';
import { Ingest } from '../../src/receiver/ingest.ts';
import { constructedLogs } from '../fixtures.ts';
import { decodeRequest, encodeLogs, encodeRequest } from '../otlp/oracle.ts';
import { openEdge, type Edge, type EdgeOptions } from './edge.ts';
import { openClient, type CallOptions } from './grpc-client.ts';
import { unlimited } from '../../src/enrich/claims.ts';
import { decodeAs, decodeStatus } from './rpc-oracle.ts';

const method = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const responseType = 'opentelemetry.proto.collector.logs.v1.ExportLogsServiceResponse';
const protobuf = 'application/x-protobuf';
const json = 'application/json';
const never = new AbortController().signal;
const logs = new Map(
  constructedLogs().map((request) => [request.name.replace('.logs.json', ''), request.json]),
);
const codexJson = logs.get('codex-events')!;
const codex = Buffer.from(jsonToProtobuf(Buffer.from(codexJson), 'logs').bytes);

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function edgeWith(options: EdgeOptions = {}): Promise<Edge> {
  const edge = await openEdge(options);
  closing.push(() => edge.close());
  return edge;
}

/** An edge over a real ingest, and the records that reach the stream. */
async function edgeOverIngest() {
  const appended: NewRecord[] = [];
  const consume = (records: readonly NewRecord[]) =>
    Promise.resolve(
      void appended.push(...records.map((one) => ({ ...one, payload: Buffer.from(one.payload) }))),
    );
  const ingest = new Ingest({
    enricher: new Enricher({ content: { mode: 'drop' } }),
    stream: { partitions: 1, recordLimitBytes: 1 << 20, fault: undefined, consume },
    telemetry: new Telemetry(),
    clock: { nowMs: () => 0 },
  });
  const edge = await edgeWith({ exportLogs: ingest.exportLogs, coalesceWindowMs: 0 });
  return { edge, appended };
}

function post(edge: Edge, body: Uint8Array | string, type: string, headers: Record<string, string> = {}) {
  const bytes = typeof body === 'string' ? body : new Uint8Array(body);
  return fetch(`${edge.httpUrl}/v1/logs`, {
    method: 'POST',
    body: bytes,
    headers: { 'content-type': type, ...headers },
  });
}

async function callGrpc(edge: Edge, bytes: Uint8Array, options: CallOptions = {}) {
  const client = openClient(edge.grpcAddress);
  closing.push(() => client.close());
  return client.call(bytes, { method, ...options });
}

const refuse: ExportRequest = () => Promise.reject(new RefusedSpans(7, new Failure('overloaded', 'full')));

const partialSuccess = {
  rejectedLogRecords: '2',
  errorMessage: expect.stringMatching(
    /^2 log records: not stored: .*codex\.conversation_starts, codex\.sse_event$/,
  ),
};

describe('log records', () => {
  it('over HTTP in protobuf and JSON and over gRPC become the same spans, and what is not stored is said', async () => {
    const { edge, appended } = await edgeOverIngest();
    const inJson = await post(edge, codexJson, json);
    expect([inJson.status, inJson.headers.get('content-type')]).toEqual([200, json]);
    expect(await inJson.json()).toEqual({ partialSuccess });
    const inProtobuf = await post(edge, gzipSync(codex), protobuf, { 'content-encoding': 'gzip' });
    expect([inProtobuf.status, inProtobuf.headers.get('content-type')]).toEqual([200, protobuf]);
    expect(decodeAs(responseType, new Uint8Array(await inProtobuf.arrayBuffer()))).toEqual({
      partialSuccess,
    });
    const overGrpc = await callGrpc(edge, codex);
    expect(decodeAs(responseType, overGrpc.body!)).toEqual({ partialSuccess });

    expect(appended.map(({ spans }) => spans)).toEqual([7, 7, 7]);
    expect(decodeRequest(appended[1]!.payload)).toEqual(decodeRequest(appended[0]!.payload));
    expect(decodeRequest(appended[2]!.payload)).toEqual(decodeRequest(appended[0]!.payload));
    for (const transport of ['http', 'grpc']) {
      const of = (what: string) =>
        edge.metric(`plimsoll_receiver_${what}_log_records_total{receiver="otlp",transport="${transport}"}`);
      const requests = transport === 'http' ? 2 : 1;
      expect([await of('accepted'), await of('unstored'), await of('rejected')]).toEqual([
        7 * requests,
        2 * requests,
        0,
      ]);
    }
    expect(await edge.metric('plimsoll_receiver_accepted_spans_total')).toBe(0);
  });

  it('that are all stored are answered with nothing to say', async () => {
    const { edge, appended } = await edgeOverIngest();
    const request = encodeLogs({
      resourceLogs: [
        {
          scopeLogs: [{ logRecords: [{ eventName: 'gemini_cli.tool_call', traceId: Buffer.alloc(16, 1) }] }],
        },
      ],
    });
    expect(await (await post(edge, request, protobuf)).arrayBuffer()).toEqual(new ArrayBuffer(0));
    expect((await callGrpc(edge, request)).body).toHaveLength(0);
    expect(await (await post(edge, '{}', json)).json()).toEqual({});
    expect(appended).toHaveLength(2);
  });

  it('that are wrong cost only themselves, and are counted apart', async () => {
    const { edge } = await edgeOverIngest();
    const good = { traceId: '0102030405060708090a0b0c0d0e0f10', eventName: 'gemini_cli.tool_call' };
    const logRecords = [
      good,
      { ...good, traceId: 'xyz' },
      { ...good, traceId: undefined },
      { eventName: 'other' },
    ];
    const response = await post(
      edge,
      JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }),
      json,
    );
    expect(await response.json()).toEqual({
      partialSuccess: {
        rejectedLogRecords: '3',
        errorMessage: expect.stringMatching(
          /32 hex digits.*neither a trace id nor a session.*not stored: .*other/,
        ),
      },
    });
    expect(await edge.metric('plimsoll_receiver_rejected_log_records_total')).toBe(2);
    expect(await edge.metric('plimsoll_receiver_unstored_log_records_total')).toBe(1);
  });

  it.each(['http', 'grpc'] as const)('that are none at all are refused over %s', async (transport) => {
    const { edge } = await edgeOverIngest();
    const span = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1), name: 'a span' };
    const spans = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    for (const [bytes, why] of [
      [Buffer.from('0aff', 'hex'), /ExportLogsServiceRequest is broken at byte 0/],
      [codex.subarray(0, -3), /broken/],
      [spans, /spans, not log records/],
    ] as const) {
      const status =
        transport === 'grpc'
          ? (await callGrpc(edge, bytes)).status
          : decodeStatus(new Uint8Array(await (await post(edge, bytes, protobuf)).arrayBuffer()));
      expect(status).toMatchObject({
        code: 3,
        message: expect.stringMatching(why),
        details: [{ value: { fieldViolations: [{ field: 'resource_logs' }] } }],
      });
    }
  });

  it('come in by the same tokens, limits and backpressure as spans', async () => {
    const edge = await edgeWith({ tokens: ['right'], limitBytes: 5000, exportLogs: refuse });
    const authorization = 'Bearer right';
    expect((await post(edge, codex, protobuf)).status).toBe(401);
    expect((await callGrpc(edge, codex)).code).toBe(16);
    expect((await post(edge, Buffer.alloc(6000), protobuf, { authorization })).status).toBe(413);
    const full = await post(edge, codex.subarray(0, 100), protobuf, { authorization });
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, expect.stringMatching(/^\d+$/)]);
    expect((await callGrpc(edge, codex.subarray(0, 100), { headers: { authorization } })).code).toBe(14);
    expect(await edge.metric('plimsoll_receiver_refused_log_records_total')).toBe(14);
    expect((await fetch(`${edge.httpUrl}/v1/logs`)).status).toBe(405);
  });

  it('sent twice are taken once, and never for spans of the same bytes', async () => {
    let exported = 0;
    const count: ExportRequest = () => {
      exported++;
      return Promise.resolve({ accepted: 1, rejected: 0, message: '' });
    };
    const edge = await edgeWith({ exportLogs: count });
    for (let k = 0; k < 3; k++) expect((await post(edge, codex, protobuf)).status).toBe(200);
    expect(exported).toBe(1);
    await fetch(`${edge.httpUrl}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': protobuf },
      body: new Uint8Array(codex),
    });
    expect([exported, edge.requests.length]).toEqual([1, 1]);
  });
});

it('a request of log records is appended before it is answered', async () => {
  const full = new Failure('overloaded', 'the disk is full');
  const ingest = new Ingest({
    enricher: new Enricher({ content: { mode: 'drop' } }),
    stream: {
      partitions: 1,
      recordLimitBytes: 1 << 20,
      fault: undefined,
      consume: () => Promise.reject(full),
    },
    telemetry: new Telemetry(),
    clock: { nowMs: () => 0 },
  });
  await expect(ingest.exportLogs(codex, never, unlimited)).rejects.toMatchObject({
    kind: 'overloaded',
    spans: 7,
  });
});
