import { Producer } from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import type { Claim, StreamRecord } from '../../src/core/stream.ts';
import type { KafkaStream } from '../../src/stream/kafka.ts';
import { holder } from '../contract/stream.ts';
import { recordOf, texts } from '../contract/stream-records.ts';
import { createTopic } from '../kafka/admin.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { kafkaStream, newTopic } from './kafka-place.ts';

const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

async function claimOf(stream: KafkaStream): Promise<Claim> {
  const { consumer, claims } = holder(stream, 'store');
  await consumer.start();
  return until('a claim', () => claims[0]);
}

/** So many records of a claim, from the start on. */
async function read(claim: Claim, count: number): Promise<StreamRecord[]> {
  const records: StreamRecord[] = [];
  await until('the records', async () => {
    records.push(...(await claim.read(records.length, 1, 1000)));
    return records.length >= count;
  });
  return records;
}

describe.skipIf(kafkaMissing)('what others have written', () => {
  const brokers = testCluster(1);

  async function started(topic: string, changes = {}): Promise<KafkaStream> {
    const stream = kafkaStream(brokers(), { topic, ...changes });
    await stream.start();
    return stream;
  }

  test.each(['snappy', 'lz4', 'gzip', 'zstd', 'none'] as const)(
    "reads what another client's producer packed with %s, keyed and with headers, and knows no count of its spans",
    async (compression) => {
      const topic = newTopic();
      const stream = await started(topic);
      const producer = new Producer({ clientId: 'other', bootstrapBrokers: [...brokers()], compression });
      const headers = { traceparent: 'x', '': '' };
      const messages = ['a'.repeat(5000), 'b'].map((value) => ({
        topic,
        partition: 0,
        key: 'k',
        value,
        headers,
      }));
      await producer.send({
        messages: messages.map((message) => ({
          ...message,
          key: Buffer.from(message.key),
          value: Buffer.from(message.value),
          headers: new Map([[Buffer.from('traceparent'), Buffer.from('x')]]),
        })),
      });
      await producer.close();
      const records = await read(await claimOf(stream), 2);
      expect(texts(records)).toEqual(['a'.repeat(5000), 'b']);
      for (const record of records) expect(record).toMatchObject({ spans: 0, headers: { traceparent: 'x' } });
      await stream.stop(soon());
    },
  );

  test.each(['snappy', 'lz4', 'gzip', 'zstd', 'uncompressed'] as const)(
    'and the broker packs anew with %s is read',
    async (compression) => {
      const topic = newTopic();
      const configs = { 'compression.type': compression, 'retention.ms': '3600000' };
      await createTopic(brokers(), topic, { partitions: 3, replicas: 1, configs });
      const stream = await started(topic, { lingerMs: 50, compression: 'gzip' });
      const sent = Array.from({ length: 30 }, (_, n) => `${n} `.repeat(n * 1000));
      await stream.consume(
        sent.map((text) => recordOf(text, 0, 3)),
        never,
      );
      const records = await read(await claimOf(stream), sent.length);
      expect(texts(records)).toEqual(sent);
      expect(records[7]).toMatchObject({ spans: 3, headers: { 'plimsoll.enriched': 'r1' } });
      await stream.stop(soon());
    },
  );

  test('in a transaction is read once that is committed; of one that was given up nothing is left but its places', async () => {
    const topic = newTopic();
    const stream = await started(topic, { lingerMs: 0 });
    const producer = new Producer({
      clientId: 'other',
      bootstrapBrokers: [...brokers()],
      idempotent: true,
      transactionalId: topic,
    });
    const write = async (values: readonly string[], end: 'commit' | 'abort'): Promise<void> => {
      const transaction = await producer.beginTransaction();
      for (const value of values)
        await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from(value) }] });
      await stream.consume([recordOf(`meanwhile ${values.join(' ')}`)], never);
      if (end === 'commit') await transaction.commit();
      else await transaction.abort();
    };
    const claim = await claimOf(stream);
    await write(['a', 'b'], 'commit');
    await write(['void', 'void too'], 'abort');
    await write(['c'], 'commit');
    await producer.close();
    await until('the last mark', async () => (await claim.bounds()).end === 11); // it comes some time after the commit
    await stream.consume([recordOf('last')], never);
    const expected = [
      'a',
      'b',
      'meanwhile a b',
      '',
      '',
      '',
      'meanwhile void void too',
      '',
      'c',
      'meanwhile c',
      '',
      'last',
    ];
    const records = await read(claim, expected.length);
    expect(records.map(({ offset }) => offset)).toEqual(expected.map((_, at) => at)); // a gap would be what expired
    expect(texts(records)).toEqual(expected);
    for (const { payload, spans, headers } of records)
      if (payload.length === 0) expect([spans, headers]).toEqual([0, {}]);
    expect(await claim.bounds()).toEqual({ start: 0, end: expected.length });
    await stream.stop(soon());
  });

  test('in a transaction that is still open ends what may be read', async () => {
    const topic = newTopic();
    const stream = await started(topic, { lingerMs: 0 });
    const producer = new Producer({
      clientId: 'other',
      bootstrapBrokers: [...brokers()],
      idempotent: true,
      transactionalId: topic,
    });
    const claim = await claimOf(stream);
    await stream.consume([recordOf('before')], never);
    const transaction = await producer.beginTransaction();
    await transaction.send({ messages: [{ topic, partition: 0, value: Buffer.from('open') }] });
    await stream.consume([recordOf('after')], never);
    expect(texts(await read(claim, 1))).toEqual(['before']);
    expect(await claim.read(1, 1e6, 100)).toEqual([]);
    expect((await claim.bounds()).end).toBe(1);
    await transaction.abort();
    await producer.close();
    expect(texts(await read(claim, 4))).toEqual(['before', '', 'after', '']);
    await stream.stop(soon());
  });
});
