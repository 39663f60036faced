import { createTopic, deleteTopic } from '../kafka/admin.ts';
import type { Load } from './load.ts';
import { settled } from './reckoning.ts';
import { eventually, partitions, type Stage } from './stage.ts';
import { recovered } from './storm.ts';
import { topic } from './surroundings.ts';

/** What this is called among the faults. */
export const topicRecreated = 'topic-recreated';

/** Of the topic, as the configuration creates it. */
const shape = {
  partitions,
  replicas: 3,
  configs: {
    'retention.ms': String(3 * 86_400_000),
    'max.message.bytes': String(8 * 2 ** 20 + 4096),
    'min.insync.replicas': '2',
  },
};

/**
 * An operator deletes the topic and creates it anew. That destroys what was not yet stored, so the stores come to rest
 * first; from then on every span counts again. Whoever knew the old topic does not take the new one for it: receivers
 * refuse, stores and assessors stand still, and all say so until they are started again.
 */
export async function recreateTopic(stage: Stage, load: Load): Promise<void> {
  const { kafka, spans } = stage.around;
  await settled(stage);
  const before = await spans.id();
  await deleteTopic(kafka.addresses, topic);
  await eventually(
    'the topic to be gone',
    async () => (await spans.id().catch(() => undefined)) === undefined,
  );
  // A receiver that starts just now creates it, too.
  const created = createTopic(kafka.addresses, topic, shape).catch(() => undefined);
  await eventually('another topic of the name', async () => (await spans.id()) !== before);
  await created;
  for (const ingest of stage.ingests) {
    await ingest.up();
    await ingest.end('SIGTERM');
  }
  load.start();
  await load.acknowledged(1, 60_000);
  const readers = [...stage.stores, ...stage.assessors];
  await eventually('every reader that owned partitions to say that the topic is another one', async () => {
    const said = await Promise.all(readers.map(async (role) => role.health()));
    return said.filter((text) => text.includes('created anew')).length >= stage.stores.length + 1;
  });
  for (const role of readers) await role.end('SIGTERM');
  await recovered(stage, load);
}
