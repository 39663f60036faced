import { createAPI, fetchV13, listOffsetsV7, ResponseError, type Reader } from '@platformatic/kafka';
import type { Cluster } from './kafka-cluster.ts';
import type { AbortedTransaction } from './kafka-fetched-records.ts';

/** What a fetch asks for. */
export interface FetchRequest {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  /** The leader epoch of the record before `offset`, by which the broker tells that it lost that one; -1 when unknown. */
  readonly leaderEpoch: number;
  readonly limitBytes: number;
  /** How long the broker waits for something to answer with. */
  readonly waitMs: number;
}

/** The batches a fetch was answered with, packed as they are stored. */
export interface Fetched {
  readonly records: Buffer;
  readonly aborted: readonly AbortedTransaction[];
  /** Where what may be read ends: before the first transaction that is still open. */
  readonly end: number;
  /** Where the log leaves the one that was read before; undefined when it goes on from that. */
  readonly divergedAt: number | undefined;
  /** How long the broker wants no other fetch. */
  readonly throttleMs: number;
}

const anyReplica = -1;
const committedOnly = 1;
const noSession = 0;
const sessionless = -1;
const divergingTag = 0;
/** Reads may wait so long at the broker, and for its answer so much longer: then it hangs. */
export const longestFetchMs = 1000;
const answerMs = 3000;

/** Fetches from one partition, and leaves the batches packed: the API of the package would unpack all of them at once. */
const api = createAPI<[request: FetchRequest], Fetched>(
  1,
  13,
  ({ topicId, partition, offset, leaderEpoch, limitBytes, waitMs }: FetchRequest) => {
    const wanted = {
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: leaderEpoch,
      partitionMaxBytes: limitBytes,
    };
    const topics = [{ topicId, partitions: [wanted] }];
    return fetchV13.createRequest(
      waitMs,
      1,
      limitBytes,
      committedOnly,
      noSession,
      sessionless,
      topics,
      [],
      '',
    );
  },
  (_correlation, apiKey, apiVersion, reader) => parse(apiKey, apiVersion, reader),
);

function parse(apiKey: number, apiVersion: number, reader: Reader): Fetched {
  const throttleMs = reader.readInt32();
  const fault = reader.readInt16();
  reader.readInt32(); // session
  const [partitions] = reader.readArray(() => {
    reader.readUUID();
    return reader.readArray(() => parsePartition(reader), true, false);
  });
  const partition = partitions?.[0];
  const code = fault || (partition?.code ?? 0);
  if (code !== 0) throw new ResponseError(apiKey, apiVersion, { '/': [code, null] }, undefined);
  if (!partition)
    return { records: Buffer.alloc(0), aborted: [], end: -1, divergedAt: undefined, throttleMs };
  return { ...partition, throttleMs };
}

function parsePartition(reader: Reader) {
  reader.readInt32(); // its number
  const code = reader.readInt16();
  reader.readInt64(); // end, of transactions that are still open too
  const end = Number(reader.readInt64());
  reader.readInt64(); // log start
  const aborted = reader.readArray(() => ({
    producerId: reader.readInt64(),
    firstOffset: Number(reader.readInt64()),
  }));
  reader.readInt32(); // preferred replica
  const records = reader.readBytes();
  let divergedAt: number | undefined;
  for (let fields = reader.readUnsignedVarInt(); fields > 0; fields--) {
    const tag = reader.readUnsignedVarInt();
    const length = reader.readUnsignedVarInt();
    if (tag === divergingTag) divergedAt = Number(reader.peekInt64(reader.position + 4)); // behind the epoch
    reader.skip(length);
  }
  return { code, end, aborted, records, divergedAt };
}

/** Fetches from the leader of the partition over `lane`. */
export async function fetchRecords(cluster: Cluster, lane: string, request: FetchRequest): Promise<Fetched> {
  const connection = await cluster.leader(request.partition, lane, longestFetchMs + answerMs);
  return api.async(connection, request);
}

/** Which end of a partition; the protocol's codes for them. */
const edges = { start: -2n, end: -1n } as const;

/** The offset at an end of what may be read of a partition, from its leader. */
export async function edgeOffset(
  cluster: Cluster,
  lane: string,
  at: { readonly topic: string; readonly partition: number },
  edge: keyof typeof edges,
): Promise<number> {
  const wanted = { partitionIndex: at.partition, currentLeaderEpoch: -1, timestamp: edges[edge] };
  const connection = await cluster.leader(at.partition, lane, longestFetchMs + answerMs);
  const answer = await listOffsetsV7.api.async(connection, anyReplica, committedOnly, [
    { name: at.topic, partitions: [wanted] },
  ]);
  const offset = answer.topics[0]?.partitions[0]?.offset;
  if (offset === undefined) throw new Error(`the leader of partition ${at.partition} told no offset`);
  return Number(offset);
}
