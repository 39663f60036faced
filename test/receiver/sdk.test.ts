import { credentials } from '@grpc/grpc-js';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as HttpExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { TracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace';
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { decodeRequest } from '../otlp/oracle.ts';
import { until } from '../until.ts';
import { accepted, openEdge, type Edge, type EdgeOptions } from './edge.ts';
import { openClient } from './grpc-client.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function edgeWith(options: EdgeOptions = {}): Promise<Edge> {
  const edge = await openEdge(options);
  closing.push(() => edge.close());
  return edge;
}

const pem = (name: string): string => new URL(`tls/${name}`, import.meta.url).pathname;

/** One span of a traced program, sent by a released exporter. */
async function traceOnce(exporter: SpanExporter): Promise<void> {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'clerk' }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const span = provider.getTracer('test').startSpan('execute_tool search', { kind: SpanKind.CLIENT });
  span.setAttribute('gen_ai.tool.name', 'search');
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'no luck' });
  span.end();
  await provider.forceFlush();
  await provider.shutdown();
}

describe.each(['grpc', 'http'] as const)('the OpenTelemetry exporter for %s', (transport) => {
  const exporterFor = (edge: Edge): SpanExporter =>
    transport === 'grpc'
      ? new GrpcExporter({ url: `http://${edge.grpcAddress}`, credentials: credentials.createInsecure() })
      : new HttpExporter({ url: `${edge.httpUrl}/v1/traces` });

  it('delivers its spans', async () => {
    const edge = await edgeWith();
    await traceOnce(exporterFor(edge));
    const [group] = decodeRequest(edge.requests[0] ?? Buffer.alloc(0)).resourceSpans ?? [];
    expect(group?.resource?.attributes).toContainEqual({
      key: 'service.name',
      value: { stringValue: 'clerk' },
    });
    expect(group?.scopeSpans?.[0]?.spans?.[0]).toMatchObject({
      name: 'execute_tool search',
      kind: 3,
      status: { code: 2 },
    });
  });

  it('survives a receiver that is full for a moment', async () => {
    const edge = await edgeWith({ budgetBytes: 1000 });
    const room = await edge.budget.acquire(1000, 0, new AbortController().signal);
    const delivered = traceOnce(exporterFor(edge));
    await until('the request asks for room', () => edge.budget.asked === 2);
    expect(edge.requests).toEqual([]);
    room.release();
    await delivered;
    expect(edge.requests).toHaveLength(1);
  });
});

it('the OpenTelemetry exporter for HTTP repeats a batch that was refused as overloaded', async () => {
  let refusals = 0;
  const edge = await edgeWith({
    exportTraces: () =>
      refusals++ === 0
        ? Promise.reject(new Failure('overloaded', 'full', { retryAfterMs: 1 }))
        : Promise.resolve(accepted),
  });
  await traceOnce(new HttpExporter({ url: `${edge.httpUrl}/v1/traces` }));
  expect(edge.requests).toHaveLength(2);
  expect(edge.requests[1]).toEqual(edge.requests[0]);
});

describe('TLS', () => {
  const tls = { certFile: pem('server.pem'), keyFile: pem('server.key.pem') };
  const ca = readFileSync(pem('ca.pem'));
  const client = { key: readFileSync(pem('client.key.pem')), cert: readFileSync(pem('client.pem')) };

  async function over(
    edge: Edge,
    own?: typeof client,
  ): Promise<{ code: number; greeting: string | undefined }> {
    const caller = openClient(
      edge.grpcAddress,
      { 'grpc.ssl_target_name_override': 'localhost' }, // SNI has no IP addresses
      credentials.createSsl(ca, own?.key ?? null, own?.cert ?? null),
    );
    closing.push(() => caller.close());
    const { code } = await caller.call(Buffer.from('x'), { deadlineMs: 5000 });
    const request = get(edge.httpUrl, { ca, agent: false, servername: 'localhost', ...own });
    const greeting = await once(request, 'response').then(
      ([response]) => text(response),
      () => undefined,
    );
    return { code, greeting };
  }

  it('protects both receivers', async () => {
    expect(await over(await edgeWith({ tls }))).toMatchObject({
      code: 0,
      greeting: expect.stringContaining('Plimsoll'),
    });
  });

  it('demands a certificate of the client when given authorities to trust', async () => {
    const edge = await edgeWith({ tls: { ...tls, clientCaFile: pem('ca.pem') } });
    expect(await over(edge, client)).toMatchObject({
      code: 0,
      greeting: expect.stringContaining('Plimsoll'),
    });
    expect(await over(edge)).toEqual({ code: 14, greeting: undefined });
    expect(edge.requests).toHaveLength(1);
  });

  it('names the file and the config key when it cannot read one', async () => {
    const broken = openEdge({ tls: { ...tls, keyFile: '/nowhere/key.pem' } });
    await expect(broken).rejects.toThrow(
      /^receivers::otlp::protocols::\w+::tls::key_file: cannot read \/nowhere\/key.pem: give a PEM file/,
    );
  });
});
