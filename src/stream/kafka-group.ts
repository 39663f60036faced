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
}

/** Which group, of which topic, and over which connection to its coordinator. */
export interface GroupAt {
  readonly cluster: Cluster;
  readonly group: GroupOptions;
  readonly options: KafkaOptions;
  readonly lane: string;
}

const protocolType = 'consumer';
const noInstance = null;
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
  const protocolName = `plimsoll-${group.assignment}`;
  const protocols = [{ name: protocolName, metadata: subscription(options.topic, sinceMs) }];
  const { sessionMs } = options;
  const connection = await cluster.coordinator(group.id, lane, 2 * sessionMs);
  const ask = async (id: string) =>
    joinGroupV7.api.async(
      connection,
      group.id,
      sessionMs,
      sessionMs,
      id,
      noInstance,
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
  const members = joined.members.map(({ memberId: id, metadata }) => ({ id, sinceMs: sinceMsOf(metadata) }));
  const dealt = assign(group.assignment, members, options.partitions); // only the leader is told the members
  const synced = await syncGroupV5.api.async(
    connection,
    group.id,
    joined.generationId,
    joined.memberId,
    noInstance,
    protocolType,
    protocolName,
    [...dealt].map(([id, partitions]) => ({
      memberId: id,
      assignment: assignmentOf(options.topic, partitions),
    })),
  );
  return {
    memberId: joined.memberId,
    generation: joined.generationId,
    partitions: partitionsOf(synced.assignment),
  };
}

/** What the group has committed of `partitions`. */
export async function committedOffsets(
  connection: Connection,
  { group, options }: Pick<GroupAt, 'group' | 'options'>,
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
    found
      .filter(({ committedOffset }) => committedOffset >= 0n)
      .map(({ partitionIndex, committedOffset, metadata }) => [
        partitionIndex,
        commitOf(Number(committedOffset), metadata ?? ''),
      ]),
  );
}

/** Metadata of ours begins with the index of the position; that of another tool's commit, such as a reset, does not. */
function commitOf(offset: number, text: string): Commit {
  const [whole = '', index] = /^(\d+):/.exec(text) ?? [];
  return {
    position: { offset, index: index === undefined ? 0 : Number(index) },
    metadata: text.slice(whole.length),
  };
}

/** Commits under the generation of `membership`; rejects when the coordinator refuses, or nobody knows. */
export async function commitOffset(
  connection: Connection,
  { group, options }: Pick<GroupAt, 'group' | 'options'>,
  membership: Membership,
  commit: { readonly partition: number; readonly offset: number; readonly metadata: string },
): Promise<void> {
  const partition = {
    partitionIndex: commit.partition,
    committedOffset: BigInt(commit.offset),
    committedLeaderEpoch: -1,
    committedMetadata: commit.metadata,
  };
  const { generation, memberId } = membership;
  await offsetCommitV8.api.async(connection, group.id, generation, memberId, noInstance, [
    { name: options.topic, partitions: [partition] },
  ]);
}
