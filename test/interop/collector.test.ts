import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { enrichedHeader } from '../../src/enrich/enricher.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { partitioners } from '../../src/otlp/partition.ts';
import type { StreamRecord } from '../../src/core/stream.ts';
import { Place, Program } from '../e2e/program.ts';
import { freePorts } from '../free-ports.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { decodeRequest, encodeRequest, type OracleAttribute, type OracleRequest } from '../otlp/oracle.ts';
import { kafkaStream } from '../stream/kafka-place.ts';
import { until } from '../until.ts';
import { Collector, collectorProgram } from './collector.ts';
import { collectorConfig, kafkaRoutes, otlpRoutes, type Route } from './routes.ts';
import { Sink } from './sink.ts';
import { largeRequest, requestsOf, spansOf } from './spans.ts';

const partitions = 3;
const recordLimitBytes = 8 * 2 ** 20;
const buildMs = 900_000;
const manySpansMs = 180_000;

describe.skipIf(kafkaMissing)('beside an OpenTelemetry Collector', () => {
  const brokers = testCluster(1);
  const id = randomBytes(4).toString('hex');
  /** What the Collector writes and we read, and what we write and the Collector reads. */
  const topics = { theirs: `theirs-${id}`, ours: `ours-${id}` };
  const places: Place[] = [];
  const programs: Program[] = [];
  let collector: Collector;
  let sink: Sink;
  let reference: Program;
  let aroundKafka: Program;
  let ingest: Program;
  let routes: readonly Route[];
  let ports: readonly number[];

  async function start(config: string, over: object): Promise<Program> {
    const place = new Place(JSON.stringify(over), config);
    places.push(place);
    const program = await Program.start(place);
    programs.push(program);
    return program;
  }

  const kafka = (topic: string, more: object) => ({
    kafka: {
      brokers: brokers(),
      topic,
      dead_letter_topic: `${topic}-dlq`,
      runs_topic: `${topic}-runs`,
      state_topic: `${topic}-state`,
      rollback_topic: `${topic}-rollbacks`,
      groups: { store: `${topic}-store`, assess: `${topic}-assess`, runs: `${topic}-runs` },
      replication: 1,
      partitions,
      ...more,
    },
  });

  beforeAll(async () => {
    await collectorProgram();
    [reference, aroundKafka, ingest] = await Promise.all([
      start('plimsoll.yaml', {}),
      start('all-kafka.yaml', {
        connectors: kafka(topics.theirs, {}),
        exporters: { clickhouse: { url: '', username: '', password: '', database: '' } }, // embedded
        service: { extensions: ['health_check', 'sql'] },
      }),
      start('ingest.yaml', {
        connectors: kafka(topics.ours, { partitioner: 'fnv1a' }),
        processors: { enrich: { content: 'keep' } },
      }),
    ]);
    sink = await Sink.listen();
    routes = [
      ...kafkaRoutes(brokers(), topics.theirs, recordLimitBytes),
      ...otlpRoutes(aroundKafka.url('OTLP gRPC'), aroundKafka.url('OTLP HTTP')),
    ];
    ports = await freePorts(routes.length);
    const receiver = {
      brokers: brokers(),
      group_id: `${topics.ours}-collector`,
      initial_offset: 'earliest',
      traces: { topics: [topics.ours] },
    };
    const out = { endpoint: sink.url, compression: 'none', sending_queue: { enabled: false } };
    collector = await Collector.start(
      collectorConfig(routes, ports, {
        receivers: { 'kafka/ours': receiver },
        exporters: { 'otlp_http/sink': out },
        pipelines: { 'traces/ours': { receivers: ['kafka/ours'], exporters: ['otlp_http/sink'] } },
      }),
    );
  }, buildMs);

  afterAll(async () => {
    await collector?.stop();
    sink?.close();
    await Promise.all(programs.map(async (program) => program.kill('SIGKILL')));
    for (const place of places) place.remove();
  });

  type Row = Readonly<Record<string, unknown>>;
  const rowsOf = async (program: Program) =>
    program.query<Row>(
      'SELECT * EXCEPT (StreamId, StreamPartition, StreamOffset, StreamIndex) FROM otel_traces ORDER BY TraceId, SpanId, SpanName',
    );

  /** Everything on our own topic or theirs, by partition. */
  async function recordsOf(topic: string): Promise<ReadonlyMap<number, readonly StreamRecord[]>> {
    const groups = { check: { id: `${topic}-check`, assignment: 'incumbent' } } as const;
    const stream = kafkaStream(brokers(), { topic, partitions, groups, maxRecordBytes: recordLimitBytes });
    await stream.start();
    const records = new Map<number, StreamRecord[]>();
    const done = new Map<number, boolean>();
    const consumer = stream.consumer('check', async (claim) => {
      const read: StreamRecord[] = [];
      const { end } = await claim.bounds();
      for (let next = 0; next < end; next = (read.at(-1)?.offset ?? 0) + 1)
        for (const record of await claim.read(next, 2 ** 20, 1000))
          read.push({ ...record, payload: Buffer.from(record.payload) });
      records.set(claim.partition, read);
      done.set(claim.partition, true);
    });
    await consumer.start();
    await until('every partition to be read', () => done.size === partitions);
    await consumer.stop(AbortSignal.timeout(1000));
    await stream.stop(AbortSignal.timeout(1000));
    return records;
  }

  test(
    'every span that came through it, whichever way, has the row that it has through our own receiver',
    { timeout: manySpansMs },
    async () => {
      let spans = 0;
      for (const [lane, { name }] of routes.entries()) {
        const requests = [...requestsOf(lane), ...(name === routes[0]?.name ? [largeRequest(8000)] : [])];
        for (const request of requests) {
          await post(`http://127.0.0.1:${ports[lane]}`, request).catch((error: unknown) => {
            throw new Error(`${name}: ${collector.complaints.join('\n')}`, { cause: error });
          });
          await post(reference.url('OTLP HTTP'), request);
          spans += spansOf(request).length;
        }
      }
      const wanted = await until('the rows of our own receiver', async () => {
        const rows = await rowsOf(reference);
        return rows.length === spans && rows;
      });
      const found = await until('a row of every span', async () => {
        const [count] = await aroundKafka.query<{ n: string }>('SELECT count() AS n FROM otel_traces');
        return Number(count?.n) >= spans && rowsOf(aroundKafka);
      });
      expect(found.length).toBe(spans);
      for (const [at, row] of found.entries()) expect(row).toEqual(wanted[at]);
      const assessed = await until('every span to be assessed', async () => {
        const metrics = await aroundKafka.metrics();
        return metrics.includes(`plimsoll_assess_spans_total ${spans}\n`) && metrics;
      });
      expect(assessed).not.toMatch(/^plimsoll_assess_undecodable_records_total [1-9]/m);
      expect(assessed).not.toMatch(/^plimsoll_store_dead_letters_total [1-9]/m);
    },
  );

  test('its keyed records are where our partitioners put their traces', async () => {
    const records = await recordsOf(topics.theirs);
    const seen = new Set<string>();
    for (const [partition, { headers, payload }] of [...records].flatMap(([n, all]) =>
      all.map((record) => [n, record] as const),
    )) {
      const route = routes.find(({ name }) => name === headers['route']);
      if (!route) {
        expect(headers).toHaveProperty([enrichedHeader]);
        continue;
      }
      seen.add(route.name);
      if (!route.hasher) continue;
      const isJson = route.name.startsWith('otlp_json');
      const partitionOf = partitioners[route.hasher === 'murmur2' ? 'murmur2' : 'fnv1a'];
      const request = decodeRequest(isJson ? jsonToProtobuf(payload).bytes : payload);
      for (const { span } of spansOf(request))
        expect(partitionOf(span.traceId ?? new Uint8Array(16), 0, partitions)).toBe(partition);
    }
    expect([...seen].toSorted()).toEqual(
      routes.flatMap(({ name, exporter: [to] }) => (to.startsWith('kafka/') ? [name] : [])).toSorted(),
    );
  });

  test('it reads every span of ours as it was sent, with what enrichment adds', async () => {
    const requests = requestsOf(routes.length);
    for (const request of requests) await post(ingest.url('OTLP HTTP'), request);
    const sent = byId(requests);
    const received = await until('every span to be received', () => {
      const spans = byId(sink.requests);
      return spans.size >= sent.size && spans;
    });
    const written = new Map<string, unknown>();
    for (const [partition, records] of await recordsOf(topics.ours))
      for (const { payload, headers } of records) {
        expect(headers).toHaveProperty([enrichedHeader]);
        for (const [key, span] of byId([decodeRequest(payload)])) {
          written.set(key, span);
          expect(partitioners.fnv1a(Buffer.from(key, 'hex'), 0, partitions)).toBe(partition);
        }
      }
    expect([...received.keys()].toSorted()).toEqual([...sent.keys()].toSorted());
    for (const [key, span] of received) {
      expect(span).toEqual(written.get(key));
      expect(withoutOurs(span)).toEqual(withoutOurs(sent.get(key)));
    }
    expect(sink.requests.flatMap(spansOf)).toHaveLength(sent.size);
  });
});

async function post(url: string, request: OracleRequest): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf' };
  const body = encodeRequest(request);
  const response = await fetch(`${url}/v1/traces`, { method: 'POST', headers, body });
  expect([response.status, await response.text()]).toEqual([200, expect.any(String)]);
}

/** The spans of `requests` by their ids, without what says nothing: the Collector writes an empty status, and an empty value. */
function byId(requests: readonly OracleRequest[]): ReadonlyMap<string, unknown> {
  const spans = requests.flatMap((request) => spansOf(decodeRequest(encodeRequest(request))));
  return new Map(
    spans.map((place) => {
      const { traceId, spanId } = place.span;
      const ids = [traceId, spanId].map((bytes) => Buffer.from(bytes ?? []).toString('hex'));
      return [ids.join(''), withoutNothing(place)];
    }),
  );
}

function withoutNothing(message: unknown): unknown {
  if (Array.isArray(message)) return message.map(withoutNothing);
  if (message === null || typeof message !== 'object' || message instanceof Uint8Array) return message;
  return Object.fromEntries(
    Object.entries(message).flatMap(([name, value]: [string, unknown]) => {
      const inner = withoutNothing(value);
      const isNothing = (name === 'value' || name === 'status') && isDeepStrictEqual(inner, {});
      return isNothing ? [] : [[name, inner]];
    }),
  );
}

/** A message without the attributes under our prefix. */
function withoutOurs(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOurs);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
      if (name !== 'attributes' || !Array.isArray(inner)) return [[name, withoutOurs(inner)]];
      const theirs = inner.filter(({ key }: OracleAttribute) => !key?.startsWith('plimsoll.'));
      return theirs.length > 0 ? [[name, theirs.map(withoutOurs)]] : [];
    }),
  );
}
