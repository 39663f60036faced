import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

const kills = 10;
const spansPerRequest = 200;
const place = new Place('exporters: { clickhouse: { flush_interval: 200ms } }');

afterAll(() => place.remove());

function hex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

/** A request of fresh spans, and their ids. */
function freshRequest(): { readonly body: string; readonly ids: readonly string[] } {
  const now = Date.now();
  const ids = Array.from({ length: spansPerRequest }, () => hex(8));
  const traceId = hex(16);
  const spans = ids.map((spanId, i) => ({
    traceId,
    spanId,
    name: 'execute_tool search',
    kind: 1,
    startTimeUnixNano: `${now - 50 + (i % 50)}000000`,
    endTimeUnixNano: `${now}000000`,
    attributes: [
      { key: 'gen_ai.operation.name', value: { stringValue: 'execute_tool' } },
      { key: 'gen_ai.tool.name', value: { stringValue: 'search' } },
    ],
  }));
  return { body: JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), ids };
}

/** What a sender knows of its spans. */
class Ledger {
  readonly acknowledged = new Set<string>();
  /** Sent, and the connection died before an answer: they may be stored or not, but at most once. */
  readonly unanswered = new Set<string>();

  async send(url: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { body, ids } = freshRequest();
      for (const id of ids) this.unanswered.add(id);
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/v1/traces`, { method: 'POST', headers, body }).catch(
        (error: unknown) => Failure.from(error),
      );
      if (response instanceof Failure) return;
      await response.arrayBuffer();
      if (response.status !== 200) continue;
      for (const id of ids) {
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
    const stopped = new AbortController();
    const before = ledger.acknowledged.size;
    const senders = Array.from({ length: 4 }, () => ledger.send(program.url('OTLP HTTP'), stopped.signal));
    const enough = before + 2000 + Math.floor(Math.random() * 8000);
    await until(`${enough} acknowledged spans`, () => ledger.acknowledged.size >= enough);
    await program.kill('SIGKILL');
    stopped.abort();
    await Promise.all(senders);
  }
  const program = await Program.start(place);
  const count = async (): Promise<{ rows: number; ids: number }> => {
    const [row] = await program.query<{ rows: string; ids: string }>(
      'SELECT count() AS rows, uniqExact(SpanId) AS ids FROM otel_traces',
    );
    return { rows: Number(row?.rows), ids: Number(row?.ids) };
  };
  await until('the backlog to be stored', async () => (await count()).ids >= ledger.acknowledged.size);
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
}, 300_000);
