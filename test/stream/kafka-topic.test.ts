import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { OwnershipLost, type StreamConsumer } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { canonicalKeys } from '../../src/enrich/canonical-keys.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { SpanIndex } from '../../src/otlp/span-index.ts';
import { Ingest } from '../../src/receiver/ingest.ts';
import type { KafkaStream } from '../../src/stream/kafka.ts';
import { recordOf } from '../contract/stream-records.ts';
import { createTopic, deleteTopic, growTopic } from '../kafka/admin.ts';
import { KafkaCluster } from '../kafka/broker.ts';
import { kafkaMissing, ownBrokerMissing, testCluster } from '../kafka/requires-kafka.ts';
import { encodeRequest, type OracleSpan } from '../otlp/oracle.ts';
import { until } from '../until.ts';
import { payloads } from './kafka-payloads.ts';
import { unlimited } from '../../src/enrich/claims.ts';
import { kafkaStream, newTopic } from './kafka-place.ts';

const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const kept = { 'retention.ms': '3600000' };

/** A span of its own trace, about so long, that cannot be packed well. */
function spanOf(bytes: number): OracleSpan {
  const name = randomBytes(bytes / 2).toString('hex');
  return { traceId: randomBytes(16), spanId: randomBytes(8), name };
}

/** A member that reads all it is given, from the start, for ever. */
async function readerOf(stream: KafkaStream): Promise<StreamConsumer> {
  const consumer = stream.consumer('store', async (claim, stopping) => {
    try {
      for (let next = 0; !stopping.aborted;)
        next = ((await claim.read(next, 1e6, 100)).at(-1)?.offset ?? next - 1) + 1;
    } catch (error) {
      if (!(error instanceof OwnershipLost)) throw error;
    }
  });
  await consumer.start();
  await until('its partitions', () => consumer.owned);
  return consumer;
}

describe.skipIf(kafkaMissing)('a topic', { concurrent: true }, () => {
  const brokers = testCluster(1);

  test('that takes short records gets them cut between spans; a span that is longer is refused to its sender alone', async () => {
    const topic = newTopic();
    const configs = { ...kept, 'max.message.bytes': '65536' };
    await createTopic(brokers(), topic, { partitions: 3, replicas: 1, configs });
    const stream = kafkaStream(brokers(), { topic, maxRecordBytes: 65_536, compression: 'none' });
    await stream.start();
    const enricher = new Enricher({ content: { mode: 'drop' } });
    const telemetry = new Telemetry();
    const ingest = new Ingest({ enricher, stream, telemetry, clock: systemClock });
    const spans = [...Array.from({ length: 500 }, () => spanOf(1000)), spanOf(70_000)];
    const request = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    expect(await ingest.exportTraces(request, never, unlimited)).toMatchObject({
      accepted: 500,
      rejected: 1,
      message: expect.stringContaining(`is longer than ${stream.recordLimitBytes} bytes`),
    });
    const index = new SpanIndex(canonicalKeys);
    let stored = 0;
    for (const partition of [0, 1, 2]) {
      for (const payload of await payloads(stream, partition, 'latin1')) {
        index.read(Buffer.from(payload, 'latin1'));
        stored += index.count;
      }
    }
    expect(stored).toBe(500);
    await stream.stop(soon());
  });

  test('that was deleted makes whoever reads or writes it unhealthy, and takes nothing', async () => {
    const topic = newTopic();
    const stream = kafkaStream(brokers(), { topic, deliveryMs: 1000 });
    await stream.start();
    await stream.consume([recordOf('old')], never);
    const consumer = await readerOf(stream);
    expect([stream.fault, consumer.fault]).toEqual([undefined, undefined]);
    await deleteTopic(brokers(), topic);
    // Until its leader has heard of that, it takes what it is sent.
    const refusal = await until('a refusal', async () =>
      stream.consume([recordOf('lost')], never).then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    expect(refusal).toMatchObject({ kind: 'unavailable' });
    const sentence = `the topic ${topic} was deleted, with what was in it: restart`;
    const fault = await until('the fault of the reader', () => consumer.fault);
    expect(fault.message).toContain(sentence);
    expect((await until('the fault of the stream', () => stream.fault)).message).toContain(sentence);
    await expect(stream.consume([recordOf('refused')], never)).rejects.toThrow(sentence);
    await stream.stop(soon());
  });

  // Produce names a topic, not its id: what is appended in the seconds before the watch notices goes to the new one.
  test('that was created anew takes nothing in the name of the old one from when that is noticed', async () => {
    const topic = newTopic();
    const stream = kafkaStream(brokers(), { topic });
    await stream.start();
    await deleteTopic(brokers(), topic);
    await until('a new topic', async () => {
      await createTopic(brokers(), topic, { partitions: 3, replicas: 1, configs: kept });
      return true;
    });
    const fault = await until('the fault', () => stream.fault);
    expect(fault.message).toContain(`the topic ${topic} was deleted and created anew while it was in use`);
    await expect(stream.consume([recordOf('refused')], never)).rejects.toMatchObject({ kind: 'unavailable' });
    await stream.stop(soon());
  });

  test('that was given more partitions goes on as it was, and says that nobody reads the others', async () => {
    const topic = newTopic();
    const stream = kafkaStream(brokers(), { topic });
    await stream.start();
    const consumer = await readerOf(stream);
    await growTopic(brokers(), topic, 5);
    const sentence =
      'has 5 partitions now and was started with 3: nobody reads the others; set partitions: 5';
    expect((await until('the fault', () => consumer.fault)).message).toContain(sentence);
    expect(stream.fault).toBeUndefined(); // it takes what it is given
    await stream.consume([recordOf('a')], never);
    expect(await payloads(stream, 0)).toEqual(['a']);
    await stream.stop(soon());
  });
});

describe.skipIf(ownBrokerMissing())('a topic whose brokers are down', () => {
  let cluster: KafkaCluster;
  beforeAll(async () => {
    cluster = await KafkaCluster.start();
  });
  afterAll(async () => cluster.stop());

  test('makes whoever uses it unhealthy, with or without traffic, until they are back', async () => {
    const stream = kafkaStream(cluster.addresses, { topic: newTopic(), sessionMs: 2000 });
    await stream.start();
    const consumer = await readerOf(stream);
    await cluster.kill(0);
    const fault = await until('the fault', () => stream.fault);
    expect(fault.message).toMatch(/the topic .* cannot be reached: no broker of 127.0.0.1:/);
    expect(consumer.fault?.message).toContain('no broker of 127.0.0.1:');
    await cluster.start(0);
    await until('health', () => stream.fault === undefined && consumer.fault === undefined);
    await stream.consume([recordOf('a')], never);
    expect(await payloads(stream, 0)).toEqual(['a']);
    await stream.stop(soon());
  });
});
