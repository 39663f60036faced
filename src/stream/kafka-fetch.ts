import { createAPI, fetchV13, listOffsetsV7, ResponseError, type Reader } from '@platformatic/kafka';
import type { Cluster } from './kafka-cluster.ts';

/** What a fetch asks for. */
export interface FetchRequest {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly limitBytes: number;
  /** How long the broker waits for something to answer with. */
  readonly waitMs: number;
}

/** The batches a fetch was answered with, packed as they are stored, and where the partition ends. */
export interface Fetched {
  readonly records: Buffer;
  readonly end: number;
}

const anyReplica = -1;
const uncommittedToo = 0; // nobody writes spans in transactions
const noSession = 0;
const sessionless = -1;

/** Fetches from one partition, and leaves the batches packed: the API of the package would unpack all of them at once. */
const api = createAPI<[request: FetchRequest], Fetched>(
  1,
  13,
  ({ topicId, partition, offset, limitBytes, waitMs }: FetchRequest) => {
    const wanted = {
      partition,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(offset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: limitBytes,
    };
    const topics = [{ topicId, partitions: [wanted] }];
    return fetchV13.createRequest(
      waitMs,
      1,
      limitBytes,
      uncommittedToo,
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
  reader.readInt32(); // throttle time
  const fault = reader.readInt16();
  reader.readInt32(); // session
  const [partitions] = reader.readArray(() => {
    reader.readUUID();
    return reader.readArray(() => parsePartition(reader));
  });
  const partition = partitions?.[0];
  const code = fault || (partition?.code ?? 0);
  if (code !== 0) throw new ResponseError(apiKey, apiVersion, { '/': [code, null] }, undefined);
  return { records: partition?.records ?? Buffer.alloc(0), end: partition?.end ?? -1 };
}

function parsePartition(reader: Reader) {
  reader.readInt32(); // its number
  const code = reader.readInt16();
  const end = Number(reader.readInt64());
  reader.readInt64(); // last stable offset
  reader.readInt64(); // log start
  reader.readNullableArray(() => [reader.readInt64(), reader.readInt64()]); // aborted transactions
  reader.readInt32(); // preferred replica
  return { code, end, records: reader.readNullableBytes() };
}

/** Fetches from the leader of the partition over `lane`. */
export async function fetchRecords(cluster: Cluster, lane: string, request: FetchRequest): Promise<Fetched> {
  return api.async(await cluster.leader(request.partition, lane), request);
}

/** Which end of a partition; the protocol's codes for them. */
export const edges = { start: -2n, end: -1n } as const;

/** The offset at an end of a partition, from its leader. */
export async function edgeOffset(
  cluster: Cluster,
  lane: string,
  at: { readonly topic: string; readonly partition: number },
  edge: keyof typeof edges,
): Promise<number> {
  const wanted = { partitionIndex: at.partition, currentLeaderEpoch: -1, timestamp: edges[edge] };
  const connection = await cluster.leader(at.partition, lane);
  const answer = await listOffsetsV7.api.async(connection, anyReplica, uncommittedToo, [
    { name: at.topic, partitions: [wanted] },
  ]);
  const offset = answer.topics[0]?.partitions[0]?.offset;
  if (offset === undefined) throw new Error(`the leader of partition ${at.partition} told no offset`);
  return Number(offset);
}
