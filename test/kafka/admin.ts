import {
  Admin,
  ClientQuotaEntityTypes,
  ClientQuotaKeys,
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes,
} from '@platformatic/kafka';

async function withAdmin<T>(brokers: readonly string[], work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({ clientId: 'plimsoll-test', bootstrapBrokers: [...brokers] });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

/** Removes a topic. */
export async function deleteTopic(brokers: readonly string[], topic: string): Promise<void> {
  await withAdmin(brokers, async (admin) => admin.deleteTopics({ topics: [topic] }));
}

/** Removes the records of partition 0 before `offset`, as retention would. */
export async function deleteRecords(
  brokers: readonly string[],
  topic: string,
  offset: number,
): Promise<void> {
  const partitions = [{ partition: 0, offset: BigInt(offset) }];
  await withAdmin(brokers, async (admin) => admin.deleteRecords({ topics: [{ name: topic, partitions }] }));
}

/** Sets how large a batch of records a topic takes, in bytes. */
export async function limitBatches(brokers: readonly string[], topic: string, bytes: number): Promise<void> {
  const configs = [
    {
      name: 'max.message.bytes',
      value: String(bytes),
      configOperation: IncrementalAlterConfigOperationTypes.SET,
    },
  ];
  const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }];
  await withAdmin(brokers, async (admin) =>
    admin.incrementalAlterConfigs({ resources, validateOnly: false }),
  );
}

/** Creates a topic with settings that a test wants to be refused. */
export async function createTopic(
  brokers: readonly string[],
  topic: string,
  shape: {
    readonly partitions: number;
    readonly replicas: number;
    readonly configs: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const configs = Object.entries(shape.configs).map(([name, value]) => ({ name, value }));
  await withAdmin(brokers, async (admin) =>
    admin.createTopics({ topics: [topic], partitions: shape.partitions, replicas: shape.replicas, configs }),
  );
}

/** Commits `offset` of partition 0 for a group that stands still, as kafka-consumer-groups.sh --reset-offsets does. */
export async function resetOffsets(
  brokers: readonly string[],
  groupId: string,
  topic: string,
  offset: number,
): Promise<void> {
  const partitionOffsets = [{ partition: 0, offset: BigInt(offset) }];
  await withAdmin(brokers, async (admin) =>
    admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] }),
  );
}

/** Sets one setting of a topic. */
export async function setTopic(
  brokers: readonly string[],
  topic: string,
  name: string,
  value: string,
): Promise<void> {
  const configs = [{ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }];
  const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }];
  await withAdmin(brokers, async (admin) => admin.incrementalAlterConfigs({ resources }));
}

/** Gives a topic more partitions. */
export async function growTopic(
  brokers: readonly string[],
  topic: string,
  partitions: number,
): Promise<void> {
  const topics = [{ name: topic, count: partitions, assignments: null }];
  await withAdmin(brokers, async (admin) => admin.createPartitions({ topics }));
}

/** Lets clients of our name write no more than so many bytes in a second. */
export async function limitProducers(brokers: readonly string[], bytesPerSecond: number): Promise<void> {
  const entities = [{ entityType: ClientQuotaEntityTypes.CLIENT_ID, entityName: 'plimsoll' }];
  const ops = [{ key: ClientQuotaKeys.PRODUCER_BYTE_RATE, value: bytesPerSecond, remove: false } as const];
  await withAdmin(brokers, async (admin) => admin.alterClientQuotas({ entries: [{ entities, ops }] }));
}

/** The ids of a group's members. */
export async function membersOf(brokers: readonly string[], group: string): Promise<readonly string[]> {
  const groups = await withAdmin(brokers, async (admin) => admin.describeGroups({ groups: [group] }));
  return [...(groups.get(group)?.members.keys() ?? [])];
}
