import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { GrpcLoad } from '../../bench/grpc-load.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { encodeRequest } from '../otlp/oracle.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

const spansPerRequest = 100;

/** A request of fresh spans of one run, and their ids. */
function freshRequest(): { readonly request: Uint8Array; readonly ids: readonly string[] } {
  const now = Date.now();
  const traceId = randomBytes(16);
  const spans = Array.from({ length: spansPerRequest }, () => ({
    traceId,
    spanId: randomBytes(8),
    name: 'execute_tool search',
    kind: 1,
    startTimeUnixNano: `${now - 50}000000`,
    endTimeUnixNano: `${now}000000`,
    attributes: [{ key: 'gen_ai.tool.name', value: { stringValue: 'search' } }],
  }));
  const ids = spans.map(({ spanId }) => spanId.toString('hex'));
  return { request: encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), ids };
}

describe.skipIf(kafkaMissing)('the roles as processes around Apache Kafka', () => {
  const brokers = testCluster(1);
  const places: Place[] = [];
  const running = new Set<Program>();
  afterAll(async () => {
    await Promise.all([...running].map(async (program) => program.kill('SIGKILL')));
    for (const place of places) place.remove();
  });

  function placeOf(config: string, topic: string): Place {
    const kafka = {
      brokers: brokers(),
      topic,
      dead_letter_topic: `${topic}-dlq`,
      replication: 1,
      partitions: 3,
      session_timeout: '6s',
      groups: { store: `${topic}-store`, assess: `${topic}-assess` },
    };
    const place = new Place(JSON.stringify({ connectors: { kafka } }), config);
    places.push(place);
    return place;
  }

  async function start(place: Place): Promise<Program> {
    const program = await Program.start(place);
    running.add(program);
    return program;
  }

  async function kill(program: Program, signal: NodeJS.Signals) {
    running.delete(program);
    return program.kill(signal);
  }

  test('every acknowledged span has one row and is assessed, though store and ingest are killed', async () => {
    const topic = `e2e-${randomBytes(4).toString('hex')}`;
    const [ingestPlace, storePlace] = [placeOf('ingest.yaml', topic), placeOf('store.yaml', topic)];
    let ingest = await start(ingestPlace);
    let store = await start(storePlace);
    const assess = await start(placeOf('assess.yaml', topic));
    const acknowledged = new Set<string>();
    let load = new GrpcLoad(ingest.url('OTLP gRPC'), 1);
    for (let n = 0; n < 150; n++) {
      const { request, ids } = freshRequest();
      const sent = load.send(request).catch(() => undefined); // the kill: nobody knows what became of it
      if (n === 50) {
        await kill(store, 'SIGKILL');
        store = await start(storePlace);
      }
      if (n === 100) {
        await kill(ingest, 'SIGKILL');
        ingest = await start(ingestPlace);
        load = new GrpcLoad(ingest.url('OTLP gRPC'), 1);
      }
      if ((await sent) === 0) for (const id of ids) acknowledged.add(id);
    }
    expect(acknowledged.size).toBeGreaterThan(100 * spansPerRequest);

    const rows = await until('a row of every acknowledged span', async () => {
      const found = await store.query<{ SpanId: string }>('SELECT SpanId FROM otel_traces');
      const ids = new Set(found.map(({ SpanId }) => SpanId));
      return acknowledged.isSubsetOf(ids) && found.map(({ SpanId }) => SpanId);
    });
    expect(new Set(rows).size).toBe(rows.length);
    await until('every span to be assessed', async () => {
      const [, count] = /^plimsoll_assess_spans_total (\d+)$/m.exec(await assess.metrics()) ?? [];
      return Number(count) >= rows.length;
    });
    for (const program of [ingest, store, assess]) {
      await until('health', async () => (await fetch(program.url('health'))).status === 200);
      expect((await kill(program, 'SIGTERM')).code).toBe(0);
    }
  });
});
