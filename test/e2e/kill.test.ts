import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { parseSamples } from '../../src/cli/demo-table.ts';
import { GrpcLoad } from '../../bench/grpc-load.ts';
import { encodeRequest, type OracleSpan } from '../otlp/oracle.ts';
import { called } from '../cli/called.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

const kills = 10;
const spansPerRequest = 200;
const place = new Place('exporters: { clickhouse: { flush_interval: 200ms } }');

afterAll(() => place.remove());

/** A request of fresh spans, and their ids. */
function freshRequest(): { readonly spans: readonly OracleSpan[]; readonly ids: readonly string[] } {
  const now = Date.now();
  const traceId = randomBytes(16);
  const spans = Array.from({ length: spansPerRequest }, (_, i) => ({
    traceId,
    spanId: randomBytes(8),
    name: 'execute_tool search',
    kind: 1,
    startTimeUnixNano: `${now - 50 + (i % 50)}000000`,
    endTimeUnixNano: `${now}000000`,
    attributes: [
      { key: 'gen_ai.operation.name', value: { stringValue: 'execute_tool' } },
      { key: 'gen_ai.tool.name', value: { stringValue: 'search' } },
    ],
  }));
  return { spans, ids: spans.map(({ spanId }) => spanId.toString('hex')) };
}

/** Sends a request and resolves with whether it was acknowledged; rejects when the connection dies before an answer. */
type Send = (spans: readonly OracleSpan[]) => Promise<boolean>;

function overGrpc(program: Program): Send {
  const load = new GrpcLoad(program.url('OTLP gRPC'), 1);
  return async (spans) =>
    (await load.send(encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [...spans] }] }] }))) === 0;
}

/** A span with its ids as OTLP/JSON writes them. */
function hexed(span: OracleSpan) {
  return {
    ...span,
    traceId: Buffer.from(span.traceId ?? []).toString('hex'),
    spanId: Buffer.from(span.spanId ?? []).toString('hex'),
  };
}

function overHttp(program: Program): Send {
  const headers = { 'content-type': 'application/json' };
  return async (spans) => {
    const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: spans.map(hexed) }] }] });
    const response = await fetch(`${program.url('OTLP HTTP')}/v1/traces`, { method: 'POST', headers, body });
    await response.arrayBuffer();
    return response.status === 200;
  };
}

/** What a sender knows of its spans. */
class Ledger {
  readonly acknowledged = new Set<string>();
  /** Sent and not acknowledged: they may be stored or not, but at most once. */
  readonly unanswered = new Set<string>();

  /** Sends until a connection dies. */
  async keepSending(send: Send): Promise<void> {
    for (;;) {
      const { spans, ids } = freshRequest();
      for (const id of ids) this.unanswered.add(id);
      const acknowledged = await send(spans).catch(() => undefined); // the kill: nobody knows what became of them
      if (acknowledged === undefined) return;
      for (const id of acknowledged ? ids : []) {
        this.unanswered.delete(id);
        this.acknowledged.add(id);
      }
    }
  }
}

test('ten times kill -9 under load: every acknowledged span is stored, and no span twice', async () => {
  const ledger = new Ledger();
  for (let kill = 0; kill < kills; kill++) {
    const program = await Program.start(place);
    const before = ledger.acknowledged.size;
    const senders = [overGrpc, overGrpc, overHttp, overHttp].map((via) => ledger.keepSending(via(program)));
    const enough = before + 500 + Math.floor(Math.random() * 2000);
    await until(`${enough} acknowledged spans`, () => ledger.acknowledged.size >= enough);
    await program.kill('SIGKILL');
    await Promise.all(senders);
  }
  const program = await Program.start(place);
  const count = async (): Promise<{ rows: number; ids: number }> => {
    const [row] = await program.query<{ rows: string; ids: string }>(
      'SELECT count() AS rows, uniqExact(SpanId) AS ids FROM otel_traces',
    );
    return { rows: Number(row?.rows), ids: Number(row?.ids) };
  };
  await until('the store to have committed everything that was appended', async () => {
    const samples = parseSamples(await program.metrics());
    const valueOf = (metric: string): number =>
      samples.find(
        ({ name, labels }) => name === metric && (labels['topic'] ?? 'otlp_spans') === 'otlp_spans',
      )?.value ?? 0;
    const appended = valueOf('plimsoll_stream_appended_spans');
    return appended >= ledger.acknowledged.size && valueOf('plimsoll_store_committed_spans') === appended;
  });
  const stored = new Set(
    (await program.query<{ SpanId: string }>('SELECT DISTINCT SpanId FROM otel_traces')).map(
      ({ SpanId }) => SpanId,
    ),
  );
  const lost = [...ledger.acknowledged].filter((id) => !stored.has(id));
  const strangers = [...stored].filter((id) => !ledger.acknowledged.has(id) && !ledger.unanswered.has(id));
  const { rows, ids } = await count();
  expect({ lost: lost.length, duplicated: rows - ids, strangers: strangers.length }).toEqual({
    lost: 0,
    duplicated: 0,
    strangers: 0,
  });
  await program.kill('SIGTERM');
  expect(await called('verify', ...place.words)).toEqual({
    code: 0,
    stdout: `partition 0: ${rows} spans accepted, ${rows} stored, 0 dead-lettered, 0 in flight, none missing\n`,
    stderr: '',
  });
}, 300_000);
