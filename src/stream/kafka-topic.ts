import {
  apiVersionsV3,
  createTopicsV7,
  describeConfigsV4,
  type Connection,
  type metadataV12,
} from '@platformatic/kafka';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './kafka-cluster.ts';
import { faultCode } from './kafka-fault.ts';
import type { KafkaOptions } from './kafka-options.ts';

type Topic = Awaited<ReturnType<typeof metadataV12.api.async>>['topics'][number];

const topicResource = 2;
const brokerResource = 4;
const createMs = 10_000;
const pollMs = 50;
/** From so many copies on, a majority must have a record before it is acknowledged. */
const replicationWithMajority = 3;
const safeInSync = 2;

/** The newest of what is spoken that not every broker speaks, and since when. */
const spoken = [
  { name: 'Fetch', key: 1, version: 13, since: '3.1' },
  { name: 'Metadata', key: 3, version: 12, since: '3.1' },
  { name: 'Produce', key: 0, version: 9, since: '2.8' },
  { name: 'OffsetFetch', key: 9, version: 8, since: '3.0' },
  { name: 'OffsetCommit', key: 8, version: 8, since: '2.4' },
  { name: 'JoinGroup', key: 11, version: 7, since: '2.7' },
] as const;

/**
 * Creates the topic of `options` when it is missing and resolves with its id. Throws with one sentence, which names the
 * fix, when the topic or the cluster would lose records or forget what was read of them.
 */
export async function ensureTopic(cluster: Cluster, options: KafkaOptions): Promise<string> {
  await refuseOtherVersions(cluster);
  const found = (await describe(cluster)) ?? (await create(cluster, options));
  const [fault] = await faultsOf(cluster, found, options);
  if (fault !== undefined) throw new Error(fault);
  return found.topicId;
}

/**
 * How the topic of `options` is and what is wrong with it, each as one sentence with the fix; when it is missing, what
 * keeps it from being created. Changes nothing. Throws when the brokers cannot be asked.
 */
export async function inspectTopic(
  cluster: Cluster,
  options: KafkaOptions,
): Promise<{ readonly state: string; readonly faults: readonly string[] }> {
  await refuseOtherVersions(cluster);
  const found = await describe(cluster);
  if (!found) {
    await requestTopic(cluster, options, { isTrial: true });
    return { state: 'is missing and will be created', faults: [] };
  }
  const copies = Math.min(...found.partitions.map(({ replicaNodes }) => replicaNodes.length));
  return {
    state: `has partitions: ${found.partitions.length}, copies of each: ${copies}`,
    faults: await faultsOf(cluster, found, options),
  };
}

async function faultsOf(cluster: Cluster, found: Topic, options: KafkaOptions): Promise<readonly string[]> {
  const faults = [...shapeFaults(found, options), ...(await configFaults(cluster, options))];
  return faults.map((fault) => `the topic ${options.topic} ${fault}`);
}

async function refuseOtherVersions(cluster: Cluster): Promise<void> {
  const { apiKeys } = await cluster.ask((connection) => apiVersionsV3.api.async(connection, 'plimsoll', '1'));
  for (const { name, key, version, since } of spoken) {
    const range = apiKeys.find(({ apiKey }) => apiKey === key);
    if (range && range.minVersion <= version && version <= range.maxVersion) continue;
    throw new Error(
      `the brokers speak ${name} ${range ? `${range.minVersion} to ${range.maxVersion}` : 'not at all'} and Plimsoll speaks ${version}: use Apache Kafka ${since} or newer, 4.x at best`,
    );
  }
}

/** The topic once each of its partitions has a leader; undefined when there is none. */
async function describe(
  cluster: Cluster,
  untilMs = performance.now() + createMs,
): Promise<Topic | undefined> {
  for (;;) {
    const topic = await cluster.refresh().then(
      ({ topics }) => topics[0],
      (error: unknown) => {
        if (faultCode(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
        throw error;
      },
    );
    if (!topic || topic.partitions.every(({ leaderId }) => leaderId >= 0)) return topic;
    if (performance.now() > untilMs)
      throw new Error(`not every partition of the topic ${topic.name} has a leader: are brokers down?`);
    await sleep(pollMs);
  }
}

/** Asks for the topic to be created; on trial nothing is, and only what would keep it from being is thrown. */
async function requestTopic(
  cluster: Cluster,
  options: KafkaOptions,
  { isTrial }: { readonly isTrial: boolean },
): Promise<void> {
  const { topic, partitions, replication, retentionMs, retentionBytes, maxRecordBytes } = options;
  const isSafe = replication >= replicationWithMajority;
  const configs = {
    'cleanup.policy': 'delete',
    'retention.ms': String(retentionMs ?? -1),
    'retention.bytes': String(retentionBytes ?? -1),
    'max.message.bytes': String(maxRecordBytes),
    'min.insync.replicas': String(isSafe ? safeInSync : 1),
    'unclean.leader.election.enable': 'false',
  };
  const wanted = {
    name: topic,
    numPartitions: partitions,
    replicationFactor: replication,
    assignments: [],
    configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
  };
  try {
    await cluster.ask(
      (connection) => createTopicsV7.api.async(connection, [wanted], createMs, isTrial),
      2 * createMs,
    );
  } catch (error) {
    const code = faultCode(error);
    if (code === 'INVALID_REPLICATION_FACTOR')
      throw new Error(
        `the topic ${topic} cannot be kept on ${replication} brokers: start more of them, or set a smaller replication`,
        { cause: error },
      );
    if (code !== 'TOPIC_ALREADY_EXISTS')
      throw new Error(
        `the topic ${topic} is missing and cannot be created (${code ?? String(error)}): create it`,
        {
          cause: error,
        },
      );
  }
}

async function create(cluster: Cluster, options: KafkaOptions): Promise<Topic> {
  const untilMs = performance.now() + createMs;
  await requestTopic(cluster, options, { isTrial: false });
  for (;;) {
    const found = await describe(cluster, untilMs);
    if (found) return found;
    if (performance.now() > untilMs)
      throw new Error(`the topic ${options.topic} was created and does not appear`);
    await sleep(pollMs);
  }
}

function* shapeFaults(topic: Topic, { partitions, replication }: KafkaOptions): Generator<string> {
  const found = topic.partitions.length;
  if (found !== partitions)
    yield `has ${found} partitions and the configuration says ${partitions}: a trace stays on its partition, so set partitions: ${found}`;
  const copies = Math.min(...topic.partitions.map(({ replicaNodes }) => replicaNodes.length));
  if (copies < replication)
    yield `is kept on ${copies} brokers and the configuration says ${replication}: reassign its partitions, or set replication: ${copies}`;
}

async function configFaults(cluster: Cluster, options: KafkaOptions): Promise<readonly string[]> {
  const topic = await configOf(cluster, topicResource, options.topic);
  const faults = [...topicFaults(topic, options)];
  if (Object.values(options.groups).some((group) => group.isForgettable !== true))
    faults.push(...(await offsetFaults(cluster, topic, options)));
  return faults;
}

function fix(setting: string): string {
  return `set ${setting} with kafka-configs.sh --alter`;
}

function* topicFaults(config: ReadonlyMap<string, string>, options: KafkaOptions): Generator<string> {
  const { replication, retentionMs = -1, retentionBytes, maxRecordBytes } = options;
  const policy = config.get('cleanup.policy');
  if (policy !== 'delete')
    yield `has cleanup.policy=${policy}, which removes records before they are read: ${fix('cleanup.policy=delete')}`;
  if (config.get('unclean.leader.election.enable') === 'true')
    yield `has unclean.leader.election.enable=true, which loses acknowledged records: ${fix('unclean.leader.election.enable=false')}`;
  const inSync = Number(config.get('min.insync.replicas'));
  if (replication >= replicationWithMajority && inSync < safeInSync)
    yield `acknowledges a record that one broker alone has (min.insync.replicas=${inSync}): ${fix(`min.insync.replicas=${safeInSync}`)}`;
  const keptMs = Number(config.get('retention.ms'));
  if (keptMs >= 0 && retentionMs < 0)
    yield `forgets records after ${keptMs} ms, also the one that is needed: ${fix('retention.ms=-1')}`;
  else if (keptMs >= 0 && keptMs < retentionMs)
    yield `keeps records for ${keptMs} ms and the configuration says ${retentionMs}: ${fix(`retention.ms=${retentionMs}`)}, or set a shorter retention`;
  const keptBytes = Number(config.get('retention.bytes'));
  if (keptBytes >= 0 && retentionBytes !== undefined && keptBytes < retentionBytes)
    yield `keeps the newest ${keptBytes} bytes of a partition and ${retentionBytes} are needed: ${fix(`retention.bytes=${retentionBytes}`)}`;
  else if (keptBytes >= 0 && retentionBytes === undefined)
    yield `keeps the newest ${keptBytes} bytes of a partition, whether or not older ones were read: ${fix('retention.bytes=-1')}`;
  const largest = Number(config.get('max.message.bytes'));
  if (largest < maxRecordBytes)
    yield `takes records of ${largest} bytes and the configuration says ${maxRecordBytes}: ${fix(`max.message.bytes=${maxRecordBytes}`)}, or set a smaller max_record_size`;
}

async function offsetFaults(
  cluster: Cluster,
  topic: ReadonlyMap<string, string>,
  options: KafkaOptions,
): Promise<string[]> {
  const { brokers } = await onceKnown(async () => cluster.refresh());
  const [broker] = brokers;
  if (!broker) return [];
  const config = await configOf(cluster, brokerResource, String(broker.nodeId)).catch((error: unknown) => {
    options.log.warn({ err: error }, 'the retention of offsets cannot be checked');
    return new Map<string, string>();
  });
  const offsetsKeptMs = Number(config.get('offsets.retention.minutes')) * 60_000;
  const keptMs = Number(topic.get('retention.ms'));
  if (keptMs >= 0 && !(offsetsKeptMs < keptMs)) return [];
  return [
    `keeps records for ${keptMs < 0 ? 'ever' : `${keptMs} ms`} and the brokers keep the offsets of a group that stands still for ${offsetsKeptMs} ms, after which it would begin anew: raise offsets.retention.minutes, or lower the topic's retention.ms`,
  ];
}

/** What `ask` is answered. A topic that is new is not known to all brokers at once: they are asked until they all may. */
async function onceKnown<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + createMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (faultCode(error) !== 'UNKNOWN_TOPIC_OR_PARTITION' || performance.now() > untilMs) throw error;
      await sleep(pollMs);
    }
  }
}

/** The settings of a topic or a broker. */
async function configOf(
  cluster: Cluster,
  resourceType: 2 | 4,
  resourceName: string,
): Promise<ReadonlyMap<string, string>> {
  return onceKnown(async () => configNow(cluster, resourceType, resourceName));
}

async function configNow(
  cluster: Cluster,
  resourceType: 2 | 4,
  resourceName: string,
): Promise<ReadonlyMap<string, string>> {
  const question = (connection: Connection) =>
    describeConfigsV4.api.async(connection, [{ resourceType, resourceName }], false, false);
  // A broker's own settings are known to itself alone.
  const isBroker = resourceType === brokerResource;
  const { results } = await (isBroker
    ? cluster.askBroker(Number(resourceName), question)
    : cluster.ask(question));
  return new Map(results[0]?.configs.map(({ name, value }) => [name, value ?? '']));
}
