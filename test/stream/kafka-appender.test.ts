import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { OwnershipLost, type Claim } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { Append } from '../../src/stream/kafka-append.ts';
import { PartitionAppender } from '../../src/stream/kafka-appender.ts';
import { BatchEncoder } from '../../src/stream/kafka-batch.ts';
import { Cluster } from '../../src/stream/kafka-cluster.ts';
import { ensureTopic } from '../../src/stream/kafka-topic.ts';
import { whenAborted } from '../../src/stream/when-aborted.ts';
import { recordOf } from '../contract/stream-records.ts';
import { createTopic, limitProducers, setTopic } from '../kafka/admin.ts';
import { requestKeys } from '../kafka/proxy.ts';
import { kafkaMissing, ownBrokerMissing, proxiedBroker, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { kafkaOptions, kafkaStream, newTopic } from './kafka-place.ts';
import { payloads } from './kafka-payloads.ts';

const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

describe.skipIf(ownBrokerMissing())('answers that are lost on their way from the broker', () => {
  const broker = proxiedBroker();

  test('neither lose nor double a record: the batch is sent again as it was', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic(), lingerMs: 0 });
    await stream.start();
    await stream.consume([recordOf('a')], never);
    for (const text of ['b', 'c', 'd']) {
      proxy.swallow(requestKeys.produce, 2);
      const before = proxy.seen(requestKeys.produce);
      await stream.consume([recordOf(text)], never);
      expect(proxy.seen(requestKeys.produce) - before).toBe(3);
    }
    expect(await payloads(stream, 0)).toEqual(['a', 'b', 'c', 'd']);
    await stream.stop(soon());
  });

  test('make an append fail when they go on; the next one is stored, and not taken for a copy', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic(), lingerMs: 0, deliveryMs: 300 });
    await stream.start();
    await stream.consume([recordOf('a')], never);
    proxy.swallow(requestKeys.produce, 1000);
    await expect(stream.consume([recordOf('b')], never)).rejects.toMatchObject({ kind: 'unavailable' });
    proxy.swallow(requestKeys.produce, 0);
    await stream.consume([recordOf('c')], never);
    await stream.consume([recordOf('d')], never);
    const stored = await payloads(stream, 0);
    expect(stored).toEqual(['a', 'b', 'c', 'd']); // b was not acknowledged, and is there once
    await stream.stop(soon());
  });

  test('leave appends to other partitions alone, and settle an append only when all of its records have', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic(), lingerMs: 0, partitions: 2 });
    await stream.start();
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        proxy.swallow(requestKeys.produce, 1);
        await stream.consume([recordOf(`${n}`, 0), recordOf(`${n}`, 1)], never);
      }),
    );
    const all = Array.from({ length: 20 }, (_, n) => String(n)).toSorted();
    expect((await payloads(stream, 0)).toSorted()).toEqual(all);
    expect((await payloads(stream, 1)).toSorted()).toEqual(all);
    await stream.stop(soon());
  });

  test('do not let a record pass for a copy of one that was stored and then found too large', async () => {
    const { addresses, proxy } = broker();
    const topic = newTopic();
    const stream = kafkaStream(addresses, { topic, lingerMs: 0, compression: 'none' });
    await stream.start();
    await stream.consume([recordOf('a')], never);
    const before = proxy.seen(requestKeys.produce);
    proxy.swallow(requestKeys.produce, 1);
    const large = stream.consume([recordOf('x'.repeat(2000))], never);
    await until('the first try', () => proxy.seen(requestKeys.produce) > before);
    proxy.hold(requestKeys.produce);
    await until('the second try', () => proxy.held(requestKeys.produce) > 0);
    await setTopic(addresses, topic, 'max.message.bytes', '1000');
    proxy.release(requestKeys.produce);
    await expect(large).rejects.toMatchObject({ kind: 'invalid' });
    await stream.consume([recordOf('b')], never);
    expect(await payloads(stream, 0)).toEqual(['a', 'x'.repeat(2000), 'b']);
    await stream.stop(soon());
  });

  test('end the wait of everything that waits behind, as soon as that has waited too long as well', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic(), compression: 'none', deliveryMs: 3000 });
    await stream.start();
    await stream.consume([recordOf('a')], never);
    proxy.swallow(requestKeys.produce, 1e6);
    const payload = 'x'.repeat(900_000); // a batch of its own
    const outcomes = Promise.allSettled(
      Array.from({ length: 30 }, async () => stream.consume([recordOf(payload)], never)),
    );
    let refused: readonly PromiseSettledResult<void>[] = [];
    void outcomes.then((all) => (refused = all));
    await until('every append', () => refused.length > 0); // one after another would take 90 s
    for (const outcome of refused)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'unavailable' } });
    proxy.swallow(requestKeys.produce, 0);
    await stream.consume([recordOf('b')], never);
    expect((await payloads(stream, 0)).at(-1)).toBe('b');
    await stream.stop(soon());
  });

  test('make a commit end the ownership, because nobody knows its outcome, and the new one knows it', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic() });
    await stream.start();
    const claims: Claim[] = [];
    const consumer = stream.consumer('store', async (claim, stopping) => {
      if (claim.partition === 0) claims.push(claim);
      await whenAborted(AbortSignal.any([claim.lost, stopping]));
    });
    await consumer.start();
    const first = await until('a claim', () => claims[0]);
    proxy.swallow(requestKeys.offsetCommit, 1);
    const commit = { position: { offset: 1, index: 2 }, metadata: 'arrived' };
    await expect(first.commit(commit)).rejects.toBeInstanceOf(OwnershipLost);
    expect(first.lost.aborted).toBe(true);
    await expect(first.read(0, 1, 0)).rejects.toBeInstanceOf(OwnershipLost);
    const second = await until('a new claim', () => claims[1]);
    expect(second.committed).toEqual(commit);
    await second.commit({ position: { offset: 2, index: 0 }, metadata: 'next' });
    await consumer.stop(soon());
    await stream.stop(soon());
  });

  test('leave a read to be tried again within its wait', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic() });
    await stream.start();
    await stream.consume([recordOf('a')], never);
    proxy.swallow(requestKeys.fetch, 2);
    expect(await payloads(stream, 0)).toEqual(['a']);
    expect(proxy.seen(requestKeys.fetch)).toBeGreaterThanOrEqual(3);
    await stream.stop(soon());
  });
});

describe.skipIf(kafkaMissing)('appends', () => {
  const brokers = testCluster(1);

  test('take a record that comes in the very moment in which the one before it settles', async () => {
    const options = kafkaOptions(brokers(), { topic: newTopic(), lingerMs: 0 });
    const cluster = new Cluster(options);
    cluster.open();
    await ensureTopic(cluster, options);
    const encoder = new BatchEncoder('none');
    const appender = new PartitionAppender({ options, cluster, encoder, abandoned: never }, 0);
    for (let ticks = 0; ticks < 12; ticks++) {
      const [first, second] = [new Append(1, never), new Append(1, never)];
      appender.add(recordOf('first'), first);
      await first.settled;
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      appender.add(recordOf('second'), second);
      let isSettled = false;
      void second.settled.then(() => (isSettled = true));
      await until(`the one that came ${ticks} ticks later`, () => isSettled, 10_000);
    }
    cluster.close();
  });

  test('are sent in halves where the topic does not take the batch, and only a record that is too large alone is refused', async () => {
    const topic = newTopic();
    const configs = { 'max.message.bytes': '20000', 'retention.ms': '3600000' };
    await createTopic(brokers(), topic, { partitions: 3, replicas: 1, configs });
    const options = { topic, maxRecordBytes: 20_000, compression: 'none', lingerMs: 20 } as const;
    const stream = kafkaStream(brokers(), options);
    await stream.start();
    const texts = Array.from({ length: 400 }, (_, n) => `${n}`);
    await stream.consume(
      texts.map((text) => recordOf(text)),
      never,
    );
    const tooLarge = stream.consume([recordOf('x'.repeat(30_000))], never);
    await expect(tooLarge).rejects.toMatchObject({ kind: 'invalid' });
    await expect(tooLarge).rejects.toThrow("raise the topic's max.message.bytes");
    await stream.consume([recordOf('last')], never);
    expect(await payloads(stream, 0)).toEqual([...texts, 'last']);
    await stream.stop(soon());
  });

  test.each([
    [2 ** 16, 'zstd'],
    [2 ** 20, 'none'],
    [2 ** 20, 'gzip'],
    [2 ** 23, 'gzip'],
  ] as const)(
    'take a record as long as is said for topics with batches of %i bytes, when %s packs what cannot be packed',
    async (maxRecordBytes, compression) => {
      const topic = newTopic();
      const configs = { 'max.message.bytes': String(maxRecordBytes), 'retention.ms': '3600000' };
      await createTopic(brokers(), topic, { partitions: 3, replicas: 1, configs });
      const stream = kafkaStream(brokers(), { topic, maxRecordBytes, compression });
      await stream.start();
      const payload = randomBytes(stream.recordLimitBytes);
      expect(payload.length).toBeGreaterThan(0.9 * maxRecordBytes);
      const headers = { 'plimsoll.enriched': '0123456789abcdef', note: 'x'.repeat(2000) };
      await stream.consume([{ ...recordOf(''), payload, headers }], never);
      const [stored] = await payloads(stream, 0, 'latin1');
      expect(stored === payload.toString('latin1')).toBe(true);
      await stream.stop(soon());
    },
  );

  test('wait as long as a broker wants that throttles them, and do not send what it has again', async () => {
    const telemetry = new Telemetry();
    const options = { topic: newTopic(), partitions: 9, telemetry, compression: 'none' } as const;
    const stream = kafkaStream(brokers(), options);
    await stream.start();
    const sharing = [0, 8] as const; // one connection
    for (const partition of sharing) await stream.consume([recordOf('a', partition)], never);
    const retries = async (): Promise<string | undefined> =>
      /^plimsoll_stream_append_retries_total.*$/m.exec(await telemetry.registry.metrics())?.[0];
    const before = await retries(); // a topic that is new has no leader yet
    await limitProducers(brokers(), 100_000);
    try {
      for (const partition of sharing) {
        await stream.consume([recordOf('x'.repeat(1_000_000))], never); // the broker then reads nothing for seconds
        await stream.consume([recordOf('b', partition)], never);
      }
      expect(await retries()).toBe(before);
    } finally {
      await limitProducers(brokers(), 1e9);
    }
    await stream.stop(soon());
  });

  test('that no retry can cure are refused at once, with what the broker said', async () => {
    const clock = { nowMs: () => Date.now() + 2 * 86_400_000 };
    const stream = kafkaStream(brokers(), { topic: newTopic(), clock });
    await stream.start();
    await expect(stream.consume([recordOf('from tomorrow')], never)).rejects.toThrow('INVALID_TIMESTAMP');
    await stream.stop(soon());
  });

  test('are worth a retry when any of their records is', async () => {
    const kinds = ['invalid', 'unavailable', 'invalid'] as const;
    const append = new Append(kinds.length + 1, never);
    for (const kind of kinds) append.settle(new Failure(kind, kind));
    append.settle(undefined);
    await expect(append.settled).rejects.toMatchObject({ kind: 'unavailable' });
  });
});
