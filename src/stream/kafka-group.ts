import {
  joinGroupV7,
  offsetCommitV8,
  offsetFetchV8,
  syncGroupV5,
  type Connection,
} from '@platformatic/kafka';
import { z } from 'zod';
import type { Commit } from '../core/stream.ts';
import { assign, assignmentOf, partitionsOf, sinceMsOf, subscription } from './kafka-assignment.ts';
import type { Cluster } from './kafka-cluster.ts';
import { faultCode } from './kafka-fault.ts';
import type { GroupOptions, KafkaOptions } from './kafka-options.ts';

/** A member's place in one generation of its group. */
export interface Membership {
  readonly memberId: string;
  readonly generation: number;
  readonly partitions: readonly number[];
  /** A time, in ms of `performance.now()`, after which the coordinator heard of the member. */
  readonly heardAtMs: number;
}

/** Which group, of which topic, and over which connection to its coordinator. */
export interface GroupAt {
  readonly cluster: Cluster;
  readonly group: GroupOptions;
  readonly options: KafkaOptions;
  readonly lane: string;
}

/** What is committed of a partition. */
export interface PartitionCommit extends Commit {
  readonly partition: number;
}

/** How much longer than for the other members, for each of whom it waits a session at most, a coordinator may take. */
const answerMs = 5000;
const protocolType = 'consumer';
const named = z.object({ response: z.object({ memberId: z.string() }) });

/**
 * Joins a group, as `memberId` or as a new member when that is empty; `onMember` is told the id as soon as it is known.
 * Resolves when every member of the generation has joined and the partitions are dealt.
 */
export async function join(
  at: GroupAt,
  memberId: string,
  sinceMs: number,
  onMember: (memberId: string) => void,
): Promise<Membership> {
  const { group, options, cluster, lane } = at;
  const protocols = [{ name: protocolOf(group), metadata: subscription(options.topic, sinceMs) }];
  const { sessionMs, instanceId = null } = options;
  const connection = await cluster.coordinator(group.id, lane, sessionMs + answerMs);
  const ask = async (id: string) =>
    joinGroupV7.api.async(
      connection,
      group.id,
      sessionMs,
      sessionMs,
      id,
      instanceId,
      protocolType,
      protocols,
    );
  const joined = await ask(memberId).catch(async (error: unknown) => {
    if (faultCode(error) !== 'MEMBER_ID_REQUIRED') throw error;
    const given = named.parse(error).response.memberId;
    onMember(given);
    return ask(given);
  });
  onMember(joined.memberId);
  return sync(connection, at, joined);
}

type Joined = Awaited<ReturnType<typeof joinGroupV7.api.async>>;

/** Deals out the partitions if that is this member's office, and learns its own. */
async function sync(
  connection: Connection,
  { group, options }: GroupAt,
  joined: Joined,
): Promise<Membership> {
  const { memberId, generationId: generation } = joined;
  const { topic, instanceId = null } = options;
  const members = joined.members.map(({ memberId: id, metadata }) => ({ id, sinceMs: sinceMsOf(metadata) }));
  const dealt = assign(group.assignment, members, options.partitions); // only the leader is told the members
  const assignments = [...dealt].map(([id, partitions]) => ({
    memberId: id,
    assignment: assignmentOf(topic, partitions),
  }));
  const heardAtMs = performance.now();
  const { assignment } = await syncGroupV5.api.async(
    connection,
    group.id,
    generation,
    memberId,
    instanceId,
    protocolType,
    protocolOf(group),
    assignments,
  );
  return { memberId, generation, partitions: partitionsOf(assignment), heardAtMs };
}

function protocolOf({ assignment }: GroupOptions): string {
  return `plimsoll-${assignment}`;
}

/** What the group has committed of `partitions` of the topic with the id `topicId`. */
export async function committedOffsets(
  connection: Connection,
  { group, options }: Pick<GroupAt, 'group' | 'options'>,
  topicId: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, Commit>> {
  if (partitions.length === 0) return new Map();
  const answer = await offsetFetchV8.api.async(
    connection,
    [
      {
        groupId: group.id,
        memberEpoch: -1,
        topics: [{ name: options.topic, partitionIndexes: [...partitions] }],
      },
    ],
    true,
  );
  const found = answer.groups[0]?.topics[0]?.partitions ?? [];
  return new Map(
    found.flatMap(({ partitionIndex, committedOffset, metadata }) => {
      const commit =
        committedOffset < 0n ? undefined : commitOf(Number(committedOffset), metadata ?? '', topicId);
      return commit ? [[partitionIndex, commit]] : [];
    }),
  );
}

/**
 * Kafka keeps commits by the name of a topic, and one that is late may come after the topic was created anew: so ours
 * begin with the id of the topic, after the index of the position. Those of another tool, such as a reset, do not.
 */
function commitOf(offset: number, text: string, topicId: string): Commit | undefined {
  const [whole, index, id] = /^(\d+)@([\da-f-]{36}):/.exec(text) ?? [];
  if (whole === undefined) return { position: { offset, index: 0 }, metadata: text };
  if (id !== topicId) return undefined;
  return { position: { offset, index: Number(index) }, metadata: text.slice(whole.length) };
}

/** Commits under the generation of `membership`; rejects when the coordinator refuses, or nobody knows. */
export async function commitPosition(
  connection: Connection,
  { group, options }: Pick<GroupAt, 'group' | 'options'>,
  { generation, memberId }: Membership,
  topicId: string,
  commit: PartitionCommit,
): Promise<void> {
  const { position, metadata } = commit;
  const partition = {
    partitionIndex: commit.partition,
    committedOffset: BigInt(position.offset),
    committedLeaderEpoch: -1,
    committedMetadata: `${position.index}@${topicId}:${metadata}`,
  };
  const { instanceId = null, topic } = options;
  await offsetCommitV8.api.async(connection, group.id, generation, memberId, instanceId, [
    { name: topic, partitions: [partition] },
  ]);
}
