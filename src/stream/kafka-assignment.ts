import { Reader, Writer } from '@platformatic/kafka';
import type { Assignment } from './kafka-options.ts';

/** A member of a group, as the one who deals out partitions sees it. */
export interface GroupMember {
  readonly id: string;
  /** When it first asked to join, in ms of its own clock. */
  readonly sinceMs: number;
}

/**
 * The partitions of each member, by its id. Every member that is asked decides alike; clocks that differ change who gets
 * what, and nothing else.
 */
export function assign(
  assignment: Assignment,
  members: readonly GroupMember[],
  partitions: number,
): ReadonlyMap<string, readonly number[]> {
  const oldestFirst = members.toSorted((a, b) => a.sinceMs - b.sinceMs || (a.id < b.id ? -1 : 1));
  const order = assignment === 'share' ? oldestFirst.toReversed() : oldestFirst.slice(0, 1);
  const dealt = new Map<string, number[]>(members.map(({ id }) => [id, []]));
  for (let partition = 0; partition < partitions; partition++) {
    const member = order[partition % order.length];
    if (member) dealt.get(member.id)?.push(partition);
  }
  return dealt;
}

// What follows is the "consumer" embedded protocol, so that Kafka's own tools can show such a group.
const version = 0;

/** What a member tells of itself when it joins. */
export function subscription(topic: string, sinceMs: number): Buffer {
  const own = Writer.create().appendInt64(BigInt(sinceMs)).buffer;
  return Writer.create()
    .appendInt16(version)
    .appendArray([topic], (topics, name) => topics.appendString(name, false), false, false)
    .appendBytes(own, false).buffer;
}

/** When the member of a subscription first asked to join. */
export function sinceMsOf(metadata: Buffer): number {
  const reader = Reader.from(metadata);
  reader.readInt16();
  reader.readArray(() => reader.readString(false), false, false);
  return Number(Reader.from(reader.readBytes(false)).readInt64());
}

/** What a member is told of its partitions. */
export function assignmentOf(topic: string, partitions: readonly number[]): Buffer {
  return Writer.create()
    .appendInt16(version)
    .appendArray(
      [topic],
      (topics, name) => {
        topics
          .appendString(name, false)
          .appendArray([...partitions], (list, partition) => list.appendInt32(partition), false, false);
      },
      false,
      false,
    )
    .appendBytes(Buffer.alloc(0), false).buffer;
}

/** The partitions of an assignment, which has one topic. */
export function partitionsOf(assignment: Buffer): readonly number[] {
  if (assignment.length === 0) return [];
  const reader = Reader.from(assignment);
  reader.readInt16();
  const topics = reader.readArray(
    () => {
      reader.readString(false);
      return reader.readArray(() => reader.readInt32(), false, false);
    },
    false,
    false,
  );
  return topics.flat();
}
