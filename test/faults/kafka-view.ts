import { findCoordinatorV4, offsetFetchV8 } from '@platformatic/kafka';
import type { StreamRecord } from '../../src/core/stream.ts';
import { FetchedRecords } from '../../src/stream/kafka-fetched-records.ts';
import { Cluster } from '../../src/stream/kafka-cluster.ts';
import { edgeOffset, fetchRecords } from '../../src/stream/kafka-fetch.ts';

const fetchBytes = 8 * 2 ** 20;
const anyMember = -1;

/** What an operator sees of a topic, its brokers and its groups. Brokers are numbered as in the test's cluster. */
export class KafkaView {
  readonly topic: string;
  readonly #cluster: Cluster;

  constructor(brokers: readonly string[], topic: string) {
    this.topic = topic;
    this.#cluster = new Cluster({ brokers, topic, sasl: undefined, tls: undefined });
    this.#cluster.open();
  }

  /** The broker that leads each partition, and whether every copy of it is in sync. */
  async partitions(): Promise<readonly { readonly leader: number; readonly isWhole: boolean }[]> {
    const { topics } = await this.#cluster.refresh();
    return (topics[0]?.partitions ?? [])
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
      .map(({ leaderId, isrNodes, replicaNodes }) => ({
        leader: leaderId - 1,
        isWhole: isrNodes.length === replicaNodes.length,
      }));
  }

  /** Kafka's id of the topic; another one when it is created anew. Rejects while there is none. */
  async id(): Promise<string> {
    const { topics } = await this.#cluster.refresh();
    const [topic] = topics;
    if (!topic) throw new Error(`there is no topic ${this.topic}`);
    return topic.topicId;
  }

  /** The broker that coordinates a group. */
  async coordinator(group: string): Promise<number> {
    const { coordinators } = await this.#cluster.ask((connection) =>
      findCoordinatorV4.api.async(connection, 0, [group]),
    );
    const [found] = coordinators;
    if (!found || found.nodeId < 1) throw new Error(`the group ${group} has no coordinator`);
    return found.nodeId - 1;
  }

  /** Records of each partition that `group` has yet to commit. */
  async lag(group: string): Promise<readonly number[]> {
    const partitions = (await this.partitions()).map((_, partition) => partition);
    const connection = await this.#cluster.coordinator(group, 'view');
    const topics = [{ name: this.topic, partitionIndexes: partitions }];
    const question = [{ groupId: group, memberEpoch: anyMember, topics }];
    const answer = await offsetFetchV8.api.async(connection, question, true);
    const committed = new Map(
      answer.groups[0]?.topics[0]?.partitions.map(({ partitionIndex, committedOffset }) => [
        partitionIndex,
        Number(committedOffset),
      ]),
    );
    return Promise.all(
      partitions.map(async (partition) => {
        const at = { topic: this.topic, partition };
        const end = await edgeOffset(this.#cluster, 'view', at, 'end');
        const start = await edgeOffset(this.#cluster, 'view', at, 'start');
        return end - Math.max(start, committed.get(partition) ?? 0);
      }),
    );
  }

  /** Every record of a partition, from the oldest to the newest of now; each is lent until the next is asked for. */
  async *records(partition: number): AsyncGenerator<StreamRecord> {
    const topicId = await this.id();
    const at = { topic: this.topic, partition };
    const end = await edgeOffset(this.#cluster, 'view', at, 'end');
    for (let offset = await edgeOffset(this.#cluster, 'view', at, 'start'); offset < end;) {
      const request = { topicId, partition, offset, leaderEpoch: -1, limitBytes: fetchBytes, waitMs: 1000 };
      const fetched = new FetchedRecords(
        (await fetchRecords(this.#cluster, 'view', request)).records,
        offset,
      );
      yield* fetched.take(Infinity);
      offset = fetched.next;
    }
  }

  close(): void {
    this.#cluster.close();
  }
}
