import { randomBytes } from 'node:crypto';
import { Consumer, Producer } from '@platformatic/kafka';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deadLetterHeaders } from '../../src/store/dead-letters.ts';
import { spansHeader } from '../../src/stream/kafka-batch.ts';
import { called } from '../cli/called.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { encodeRequest, type OracleSpan } from '../otlp/oracle.ts';
import { startServer } from '../store/engines.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

const startNanos = `${Date.now()}000000`;

function spanOf(name: string, over: OracleSpan = {}): OracleSpan {
  const ids = { traceId: randomBytes(16), spanId: randomBytes(8) };
  return { ...ids, name, startTimeUnixNano: startNanos, endTimeUnixNano: startNanos, ...over };
}

const requestOf = (...spans: readonly OracleSpan[]) =>
  Buffer.from(encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [...spans] }] }] }));

/** OTLP/JSON, in which ids are hex. */
function jsonOf(...spans: readonly object[]): Buffer {
  const text = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
  return Buffer.from(text);
}
const jsonSpan = (name: string) => ({
  ...spanOf(name),
  traceId: randomBytes(16).toString('hex'),
  spanId: randomBytes(8).toString('hex'),
});

const noTrace = { traceId: Buffer.alloc(16) };
/** A metric without points, as a request for metrics. */
const metrics = Buffer.from('0a0d120b12090a036370752a020a00', 'hex');

describe.skipIf(kafkaMissing)('records that other programs write to the topic', () => {
  const brokers = testCluster(1);
  const topic = `foreign-${randomBytes(4).toString('hex')}`;
  let server: Awaited<ReturnType<typeof startServer>>;
  let place: Place;
  let program: Program;
  let producer: Producer;

  beforeAll(async () => {
    const kafka = {
      brokers: brokers(),
      topic,
      dead_letter_topic: `${topic}-dlq`,
      runs_topic: `${topic}-runs`,
      state_topic: `${topic}-state`,
      rollback_topic: `${topic}-rollbacks`,
      replication: 1,
      partitions: 1,
      groups: { store: `${topic}-store`, assess: `${topic}-assess`, runs: `${topic}-runs` },
    };
    server = await startServer();
    const over = { connectors: { kafka }, exporters: { clickhouse: server.exporter } };
    place = new Place(JSON.stringify(over), 'all-kafka.yaml');
    program = await Program.start(place);
    producer = new Producer({ clientId: 'foreign', bootstrapBrokers: [...brokers()] });
  });
  afterAll(async () => {
    await producer.close();
    await program.kill('SIGKILL');
    await server.remove();
    place.remove();
  });

  async function write(
    compression: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd',
    ...values: (Buffer | null)[]
  ) {
    for (const value of values) {
      const message = value === null ? { topic } : { topic, value };
      await producer.send({
        messages: [{ ...message, key: randomBytes(8), partition: 0 }],
        compression,
        acks: -1,
      });
    }
  }

  /** The first so many dead letters. */
  async function deadLetters(count: number) {
    const letters: { key: string | undefined; reason: string | undefined; spans: number; payload: Buffer }[] =
      [];
    const options = { clientId: 'check', groupId: `${topic}-check`, bootstrapBrokers: [...brokers()] };
    const consumer = new Consumer(options);
    for await (const message of await consumer.consume({ topics: [`${topic}-dlq`], mode: 'earliest' })) {
      const headers = new Map([...message.headers].map(([name, value]) => [String(name), String(value)]));
      letters.push({
        key: headers.get(deadLetterHeaders.key)?.replace(/^.*?\//, ''),
        reason: headers.get(deadLetterHeaders.reason),
        spans: Number(headers.get(spansHeader)),
        payload: message.value,
      });
      if (letters.length === count) break;
    }
    await consumer.close(true);
    return letters;
  }

  test('are rows where they hold spans, and dead letters with the reason where they do not', async () => {
    const bad = spanOf('bad', noTrace);
    const oddJson = { ...jsonSpan('odd'), kind: 'WRONG' };
    await write('none', requestOf(spanOf('protobuf'), spanOf('protobuf')), null, Buffer.alloc(0)); // offsets 0 to 2
    await write('snappy', requestOf(spanOf('snappy')), jsonOf(jsonSpan('snappy json')));
    await write('lz4', requestOf(spanOf('lz4')), Buffer.from('not a request'), jsonOf(jsonSpan('lz4 json')));
    await write('gzip', requestOf(spanOf('gzip'), bad, spanOf('gzip')), Buffer.from('{"level":"info"}'));
    await write('zstd', jsonOf(jsonSpan('zstd json'), oddJson), metrics, requestOf(spanOf('last')));

    const rows = await until('the last row', async () => {
      const found = await server.clickhouse.query<{ SpanName: string; n: string }>(
        'SELECT SpanName, count() AS n FROM otel_traces GROUP BY ALL ORDER BY SpanName',
      );
      return found.some(({ SpanName }) => SpanName === 'last') && found;
    });
    expect(Object.fromEntries(rows.map(({ SpanName, n }) => [SpanName, Number(n)]))).toEqual({
      protobuf: 2,
      snappy: 1,
      'snappy json': 1,
      lz4: 1,
      'lz4 json': 1,
      gzip: 2,
      'zstd json': 1,
      last: 1,
    });
    const letters = await deadLetters(5);
    expect(letters.map(({ key, spans }) => [key, spans])).toEqual([
      ['0/6/0', 1],
      ['0/8/2', 1],
      ['0/9/0', 1],
      ['0/10/1', 1],
      ['0/11/0', 1],
    ]);
    expect(letters.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('the record cannot be read: '),
      '1 span: trace_id is not 16 bytes, or all zero',
      'the record cannot be read: it has no ResourceSpans, and so is no ExportTraceServiceRequest',
      expect.stringContaining('kind: must be an integer'),
      expect.stringContaining('1 span: trace_id is not 16 bytes'),
    ]);
    expect(letters[1]?.payload).toEqual(requestOf(bad));
    expect(letters[3]?.payload.toString()).toBe(jsonOf(oddJson).toString());

    const gauges = await until('the last commit', async () => {
      const text = await program.metrics();
      const value = (what: string) =>
        Number(new RegExp(`^plimsoll_store_${what}_spans\\{[^}]*\\} (\\d+)$`, 'm').exec(text)?.[1]);
      const [passed, stored, dead] = [value('committed'), value('stored'), value('dead')];
      return passed === 15 && { stored, dead };
    });
    expect(gauges).toEqual({ stored: 10, dead: 5 });
    expect(await program.metrics()).toContain('plimsoll_assess_spans_total 10\n');
    expect((await fetch(program.url('health'))).status).toBe(200);
    expect(await called('verify', ...place.words)).toMatchObject({
      code: 0,
      stdout: 'partition 0: 15 spans accepted, 10 stored, 5 dead-lettered, 0 in flight, none missing\n',
    });
  });
});
