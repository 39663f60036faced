import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import { contractPartitions, streamContract, type StreamPlace } from '../contract/stream.ts';
import { deleteRecords, deleteTopic } from '../kafka/admin.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { kafkaStream, newTopic } from './kafka-place.ts';

const script = fileURLToPath(new URL('kafka-child.ts', import.meta.url));
const places = new WeakMap<StreamPlace, { readonly brokers: readonly string[]; readonly topic: string }>();

function newPlace(brokers: readonly string[]): StreamPlace {
  const topic = newTopic();
  const place: StreamPlace = {
    open: () => kafkaStream(brokers, { topic, partitions: contractPartitions }),
    appendAndKill: async (records) => {
      const child = spawn(process.execPath, [script, 'append', topic, ...brokers], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.on('data', (text) => (said += String(text)));
      await until('every acknowledgement', () => said.includes(`acknowledged ${records - 1}\n`));
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
    remove: async () => deleteTopic(brokers, topic),
  };
  places.set(place, { brokers, topic });
  return place;
}

describe.skipIf(kafkaMissing !== undefined).each([1, 3] as const)('%i broker(s)', (count) => {
  const brokers = testCluster(count);
  streamContract('Apache Kafka', async () => Promise.resolve(newPlace(brokers())), {
    countsAppendedSpans: false,
    consumeAbortsBeforeItBegins: true,
    expire: async (place, _, offset) => {
      const { topic } = places.get(place) ?? { topic: '' };
      await deleteRecords(brokers(), topic, offset);
    },
  });
});
