import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTopic } from '../kafka/admin.ts';
import { KafkaCluster } from '../kafka/broker.ts';
import { Proxy, requestKeys } from '../kafka/proxy.ts';
import { kafkaMissing } from '../kafka/requires-kafka.ts';
import { freePorts } from '../free-ports.ts';
import { OwnershipLost, type Claim } from '../../src/core/stream.ts';
import { whenAborted } from '../../src/stream/when-aborted.ts';
import { recordOf } from '../contract/stream-records.ts';
import { until } from '../until.ts';
import { kafkaStream, newTopic } from './kafka-place.ts';
import { payloads } from './kafka-payloads.ts';

const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
describe.skipIf(kafkaMissing)('answers that are lost on their way from the broker', () => {
  let cluster: KafkaCluster;
  let proxy: Proxy;
  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    cluster = await KafkaCluster.start({ advertisedPorts: [port] });
    proxy = new Proxy(cluster.port(0));
    await proxy.listen(port);
  });
  afterAll(async () => {
    proxy.close();
    await cluster.stop();
  });

  test('neither lose nor double a record: the batch is sent again as it was', async () => {
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, { topic, lingerMs: 0 });
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
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, { topic, lingerMs: 0, deliveryMs: 300 });
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
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, { topic, lingerMs: 0, partitions: 2 });
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

  test('a batch that the topic does not take is sent in halves, and only a record that is too large alone is refused', async () => {
    const topic = newTopic();
    const configs = { 'max.message.bytes': '2000', 'retention.ms': '3600000' };
    await createTopic(cluster.addresses, topic, { partitions: 3, replicas: 1, configs });
    const options = { topic, maxRecordBytes: 2000, compression: 'none', lingerMs: 20 } as const;
    const stream = kafkaStream(cluster.addresses, options);
    await stream.start();
    const texts = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(900));
    await stream.consume(
      texts.map((text) => recordOf(text)),
      never,
    );
    const tooLarge = stream.consume([recordOf('x'.repeat(3000))], never);
    await expect(tooLarge).rejects.toMatchObject({ kind: 'invalid' });
    await expect(tooLarge).rejects.toThrow("raise the topic's max.message.bytes");
    await stream.consume([recordOf('last')], never);
    expect(await payloads(stream, 0)).toEqual([...texts, 'last']);
    await stream.stop(soon());
  });

  test('make a commit end the ownership, because nobody knows its outcome, and the new one knows it', async () => {
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, { topic });
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
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, { topic });
    await stream.start();
    await stream.consume([recordOf('a')], never);
    proxy.swallow(requestKeys.fetch, 2);
    expect(await payloads(stream, 0)).toEqual(['a']);
    expect(proxy.seen(requestKeys.fetch)).toBeGreaterThanOrEqual(3);
    await stream.stop(soon());
  });
});

describe.skipIf(kafkaMissing)('brokers that die or hang', () => {
  let cluster: KafkaCluster;
  beforeAll(async () => {
    cluster = await KafkaCluster.start({ brokers: 3 });
  });
  afterAll(async () => cluster.stop());

  /** Writes and reads while `fault` goes on; expects every acknowledged record to be there once and to be read in order. */
  async function survives(fault: (goingOn: () => Promise<void>) => Promise<void>): Promise<void> {
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, { topic, partitions: 3 });
    await stream.start();
    const acknowledged: string[][] = [[], [], []];
    const over = new AbortController();
    const read: Map<number, string>[] = [new Map(), new Map(), new Map()];
    const committed = [0, 0, 0];
    const reader = stream.consumer('store', async (claim, stopping) => {
      const { partition } = claim;
      try {
        for (let next = claim.committed?.position.offset ?? 0; !stopping.aborted;) {
          for (const { offset, payload } of await claim.read(next, 1e6, 100)) {
            expect(offset).toBe(next++);
            read[partition]?.set(offset, String(payload));
          }
          await claim.commit({ position: { offset: next, index: 0 }, metadata: '' });
          committed[partition] = next;
        }
      } catch (error) {
        if (!(error instanceof OwnershipLost)) throw error;
      }
    });
    await reader.start();
    const writers = acknowledged.map(async (texts, partition) => {
      for (let n = 0; !over.signal.aborted; n++) {
        const text = `${partition}-${n}`;
        await stream.consume([recordOf(text, partition)], never);
        texts.push(text);
      }
    });
    const goingOn = async (): Promise<void> => {
      const before = acknowledged.map(({ length }) => length);
      await until('every partition to go on', () =>
        acknowledged.every(({ length }, at) => length > (before[at] ?? 0) + 50),
      );
    };
    await goingOn();
    await fault(goingOn);
    await goingOn();
    over.abort();
    await Promise.all(writers);
    for (const [partition, texts] of acknowledged.entries()) {
      expect(await payloads(stream, partition)).toEqual(texts);
      await until('the reader', () => committed[partition] === texts.length);
      expect([...(read[partition] ?? [])].toSorted(([a], [b]) => a - b).map(([, text]) => text)).toEqual(
        texts,
      );
    }
    expect(reader.fault).toBeUndefined();
    await reader.stop(soon());
    await stream.stop(soon());
  }

  test('stop the partitions that have no other copy, and no others, until they come back', async () => {
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, { topic, replication: 1, deliveryMs: 4000 });
    await stream.start();
    await cluster.kill(1);
    const outcomes = await Promise.allSettled(
      [0, 1, 2].map(async (partition) => stream.consume([recordOf('a', partition)], never)),
    );
    const lost = outcomes.findIndex(({ status }) => status === 'rejected');
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    await cluster.start(1);
    await stream.consume([recordOf('b', lost)], never);
    expect((await payloads(stream, lost)).at(-1)).toBe('b');
    await stream.stop(soon());
  });

  test('lose nothing and double nothing when each of them is killed and comes back', async () => {
    await survives(async (goingOn) => {
      for (const broker of [0, 1, 2]) {
        await cluster.kill(broker);
        await goingOn();
        await cluster.start(broker);
      }
    });
  }, 240_000);

  test.each([0, 1, 2])(
    'lose nothing and double nothing when number %i hangs and goes on',
    async (broker) => {
      await survives(async (goingOn) => {
        cluster.freeze(broker);
        await goingOn();
        cluster.wake(broker);
      });
    },
    240_000,
  );
});
