import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { readLetters } from '../../src/store/dead-letter-log.ts';
import type { KafkaStream } from '../../src/stream/kafka.ts';
import {
  append,
  deadLetterContract,
  storedAll,
  storeOver,
  type LetterPlace,
} from '../contract/dead-letters.ts';
import { createTopic, deleteTopic, limitBatches } from '../kafka/admin.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { jsonEncoder, payloadOf, undecodablePayload } from './json-rows.ts';
import { MemoryTable } from './memory-table.ts';
import { logIn, removeFolder, soon, temporaryFolder, topicOf } from '../stream/embedded-place.ts';
import { kafkaStream, newTopic } from '../stream/kafka-place.ts';

deadLetterContract('the embedded log', async () => {
  const directory = temporaryFolder();
  const log = logIn(directory, systemClock);
  const spans = log.stream(topicOf({ partitions: 1, groups: ['store'] }));
  const deadLetters = log.stream(topicOf({ topic: 'otlp_spans_dlq', partitions: 1, groups: ['replay'] }));
  await spans.start();
  await deadLetters.start();
  return {
    spans,
    deadLetters,
    remove: async () => {
      await deadLetters.stop(soon());
      await spans.stop(soon());
      removeFolder(directory);
    },
  };
});

/** Runs a store that must wait for the dead letters, until `mend` has let them be taken; what it said meanwhile. */
async function waitsUntil(place: LetterPlace, mend: () => Promise<void>): Promise<string> {
  const table = new MemoryTable();
  const store = storeOver(place, table);
  const consumer = place.spans.consumer('store', store.worker);
  await consumer.start();
  const said = await until('it waits', () => store.health()[0]?.state === 'waiting' && store.stall(1));
  await append(place.spans, payloadOf([{ id: 9, date: '2026-01-01' }]), 1);
  expect((await place.spans.committed('store', 0))?.position.offset).toBe(0);
  expect(consumer.fault).toBeUndefined();
  await mend();
  await storedAll(place.spans);
  await until('it flows', () => store.stall(1) === undefined);
  await consumer.stop(soon());
  expect(table.rows).toHaveLength(1);
  return said;
}

describe.skipIf(kafkaMissing)('with a broker', () => {
  const brokers = testCluster(1);

  function deadLettersOf(topic: string): KafkaStream {
    const groups = {
      replay: { id: `${topic}-replay`, assignment: 'incumbent', isForgettable: true },
    } as const;
    const shape = { partitions: 1, groups, compression: 'none', deliveryMs: 1000 } as const;
    return kafkaStream(brokers(), { topic: `${topic}-dlq`, ...shape });
  }

  async function open(): Promise<LetterPlace & { readonly deadTopic: string }> {
    const topic = newTopic();
    const spans = kafkaStream(brokers(), { topic, partitions: 1 });
    const deadLetters = deadLettersOf(topic);
    await spans.start();
    await deadLetters.start();
    return {
      spans,
      deadLetters,
      deadTopic: `${topic}-dlq`,
      remove: async () => {
        await deadLetters.stop(soon());
        await spans.stop(soon());
        await deleteTopic(brokers(), topic);
        await deleteTopic(brokers(), `${topic}-dlq`);
      },
    };
  }

  deadLetterContract('Apache Kafka', open);

  test('when their topic is deleted the store holds its position and says so, and goes on once it is there again', async () => {
    const place = await open();
    await append(place.spans, undecodablePayload, 1);
    await deleteTopic(brokers(), place.deadTopic);
    const said = await waitsUntil(place, async () =>
      createTopic(brokers(), place.deadTopic, { partitions: 1, replicas: 1, configs: {} }),
    );
    expect(said).toMatch(
      /^partition 0 waits for the dead letters: the topic \S+-dlq cannot be appended to: /,
    );
    await place.deadLetters.stop(soon()); // whoever reads a topic that is deleted is refused
    await place.deadLetters.start();
    const { letters } = await readLetters(place.deadLetters.reader(0), 0, jsonEncoder);
    expect(letters.size).toBe(1);
    await place.remove();
  });

  test('when a letter is larger than their topic takes the store holds its position and says so, and goes on once it fits', async () => {
    const place = await open();
    await append(place.spans, Buffer.alloc(100_000, 'x'), 1);
    await limitBatches(brokers(), place.deadTopic, 50_000);
    const said = await waitsUntil(place, async () => limitBatches(brokers(), place.deadTopic, 200_000));
    expect(said).toMatch(
      /^partition 0 waits for the dead letters: the topic \S+-dlq does not take a record of 100000 bytes: .*raise the topic's max\.message\.bytes$/,
    );
    const { letters } = await readLetters(place.deadLetters.reader(0), 0, jsonEncoder);
    expect([...letters.values()]).toMatchObject([{ spans: 1, attempt: 1 }]);
    await place.remove();
  });
});
