import { readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OwnershipLost } from '../../src/core/stream.ts';
import { KafkaStream } from '../../src/stream/kafka.ts';
import { Cluster } from '../../src/stream/kafka-cluster.ts';
import { recordOf, texts } from '../contract/stream-records.ts';
import { KafkaCluster } from '../kafka/broker.ts';
import { ownBrokerMissing } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { payloads } from './kafka-payloads.ts';
import { kafkaOptions, kafkaStream, newTopic } from './kafka-place.ts';

const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(10_000);

async function leadersOf(view: Cluster): Promise<number[]> {
  return (await view.refresh()).topics[0]?.partitions.map(({ leaderId }) => leaderId) ?? [];
}

describe.skipIf(ownBrokerMissing())('brokers that die or hang', () => {
  let cluster: KafkaCluster;
  beforeAll(async () => {
    const properties = { 'broker.session.timeout.ms': 2000, 'broker.heartbeat.interval.ms': 300 }; // others lead soon
    cluster = await KafkaCluster.start({ brokers: 3, properties });
  });
  afterAll(async () => cluster.stop());

  /** Writes and reads while `fault` goes on; expects every acknowledged record to be there once and to be read in order. */
  async function survives(fault: (goingOn: () => Promise<void>) => Promise<void>): Promise<void> {
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, { topic, partitions: 3, lingerMs: 20 });
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
    const writers = acknowledged.map(async (sent, partition) => {
      for (let n = 0; !over.signal.aborted; n++) {
        const text = `${partition}-${n}`;
        await stream.consume([recordOf(text, partition)], never);
        sent.push(text);
      }
    });
    const goingOn = async (): Promise<void> => {
      const before = acknowledged.map(({ length }) => length);
      await until('every partition to go on', () =>
        acknowledged.every(({ length }, at) => length > (before[at] ?? 0) + 50),
      );
    };
    const writing = Promise.all(writers);
    const faultOver = goingOn()
      .then(async () => fault(goingOn))
      .then(goingOn);
    await Promise.race([faultOver, writing]); // a writer ends before only by what it was refused for
    over.abort();
    await writing;
    for (const [partition, sent] of acknowledged.entries()) {
      expect(await payloads(stream, partition)).toEqual(sent);
      await until('the reader', () => committed[partition] === sent.length);
      expect([...(read[partition] ?? [])].toSorted(([a], [b]) => a - b).map(([, text]) => text)).toEqual(
        sent,
      );
    }
    expect(reader.fault).toBeUndefined();
    await reader.stop(soon());
    await stream.stop(soon());
  }

  test('are not believed when they wake and tell of the leaders that were before', async () => {
    const topic = newTopic();
    const options = kafkaOptions(cluster.addresses, { topic });
    const stream = new KafkaStream(options);
    await stream.start();
    const [asking, aware] = [new Cluster(options), new Cluster(options)];
    for (const each of [asking, aware]) each.open();
    // Brokers are asked in turn, so after these all are connected; the next tells who leads now, and then it is the turn of the one that hangs.
    for (let n = 0; n < 3; n++) await asking.refresh();
    const hung = (await asking.refresh()).brokers[2]?.nodeId ?? 0;
    cluster.freeze(hung - 1);
    await until('others to lead', async () => !(await leadersOf(aware)).includes(hung));
    expect(await leadersOf(asking)).not.toContain(hung);
    const leaders = leadersOf(asking);
    await leadersOf(aware); // answered after that question was sent, by a broker that is awake
    cluster.wake(hung - 1);
    expect(await leaders).not.toContain(hung);
    await until('the one that hung to be back', async () => (await aware.refresh()).brokers.length === 3);
    for (const each of [asking, aware]) each.close();
    await stream.stop(soon());
  });

  test('stop the partitions that have no other copy, and no others, until they come back', async () => {
    const topic = newTopic();
    const options = { topic, replication: 1, deliveryMs: 4000, sessionMs: 2000 };
    const stream = kafkaStream(cluster.addresses, options);
    await stream.start();
    const atEnd = [false, false, false];
    const reader = stream.consumer('store', async (claim, stopping) => {
      try {
        while (!stopping.aborted) {
          await claim.read(0, 1, 100);
          atEnd[claim.partition] = claim.isAtEnd;
        }
      } catch (error) {
        if (!(error instanceof OwnershipLost)) throw error;
      }
    });
    await reader.start();
    await until('its partitions', () => reader.owned);
    await until('the end of each', () => atEnd.every(Boolean));
    await cluster.kill(1);
    const outcomes = await Promise.allSettled(
      [0, 1, 2].map(async (partition) => stream.consume([recordOf('a', partition)], never)),
    );
    const lost = outcomes.findIndex(({ status }) => status === 'rejected');
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    const sentence = `partition ${lost} of the topic ${topic} cannot be read: partition ${lost} of ${topic} has no leader`;
    await until('the fault', () => reader.fault?.message === sentence);
    await until('a read that cannot tell where it ends', () => atEnd[lost] === false);
    await cluster.start(1);
    await until('health', () => reader.fault === undefined && reader.owned === 3);
    await reader.stop(soon());
    await stream.consume([recordOf('b', lost)], never);
    expect((await payloads(stream, lost)).at(-1)).toBe('b');
    await stream.stop(soon());
  });

  test('lose nothing and double nothing when each of them is killed and comes back, where it was or elsewhere', async () => {
    await survives(async (goingOn) => {
      for (const broker of [0, 1, 2]) {
        await cluster.kill(broker);
        await goingOn();
        await (broker === 0 ? cluster.start(broker) : cluster.move(broker));
      }
    });
  }, 240_000);

  test('lose nothing and double nothing when each of them hangs and goes on', async () => {
    await survives(async (goingOn) => {
      for (const broker of [0, 1, 2]) {
        cluster.freeze(broker);
        await goingOn();
        cluster.wake(broker);
        await goingOn();
      }
    });
  }, 240_000);
});

describe.skipIf(ownBrokerMissing())('a broker that lost its newest records', () => {
  let cluster: KafkaCluster;
  beforeAll(async () => {
    cluster = await KafkaCluster.start();
  });
  afterAll(async () => cluster.stop());

  /** Reads ten records, takes the last of them from the broker's disk, and appends `more`; what the reader is told. */
  async function readOn(more: number): Promise<string> {
    const topic = newTopic();
    const stream = kafkaStream(cluster.addresses, {
      topic,
      partitions: 1,
      lingerMs: 0,
      compression: 'none',
      sessionMs: 60_000, // a new member would not know what the one before it has read
    });
    await stream.start();
    for (let n = 0; n < 10; n++) await stream.consume([recordOf(`old ${n}`)], never);
    const seen: string[] = [];
    const lossTaken = Promise.withResolvers<void>();
    const reader = stream.consumer('store', async (claim, stopping) => {
      try {
        for (let next = seen.length; !stopping.aborted; next = seen.length) {
          if (next === 10) await lossTaken.promise;
          seen.push(...texts(await claim.read(next, 1, 100)));
        }
      } catch (error) {
        if (!(error instanceof OwnershipLost)) throw error;
      }
    });
    await reader.start();
    await until('ten records', () => seen.length === 10);
    await cluster.kill(0);
    const log = join(cluster.directory(0), `${topic}-0`, '00000000000000000000.log');
    truncateSync(log, readFileSync(log).indexOf('old 6'));
    await cluster.start(0);
    // The first is refused: the broker misses what its producer wrote before.
    for (let n = 0; n < more; n++)
      await stream
        .consume([recordOf(`new ${n}`)], never)
        .catch(async () => stream.consume([recordOf(`new ${n}`)], never));
    expect(statSync(log).size).toBeGreaterThan(0);
    lossTaken.resolve();
    // Others may come before it, and go: the broker was away.
    const fault = await until(
      'the fault',
      () => reader.fault?.message.includes('lost records') && reader.fault,
    );
    await stream.stop(soon());
    return fault.message;
  }

  test.each([0, 20])(
    'is told from one that has nothing new, after %i others were appended',
    async (more) => {
      expect(await readOn(more)).toContain(
        'ends at offset 6 and was read up to 10: the brokers lost records that they had; restart',
      );
    },
    240_000,
  );
});
