import { createAPI, produceV9, Writer, type Connection } from '@platformatic/kafka';

/** How long the leader may wait for its followers before it answers. */
const followersMs = 3000;
/** A leader that takes longer hangs: by then another may lead. */
export const leaderMs = followersMs + 1000;
const noTransaction = null;
const allReplicas = -1;

/** Where a batch was stored, and how long the broker wants nothing more. */
export interface Produced {
  readonly offset: number;
  readonly throttleMs: number;
}

/** Produces a batch that is ready, unlike the API of the package, which makes and packs it again for every try. */
const api = createAPI<[topic: string, partition: number, batch: Buffer], produceV9.ProduceResponse>(
  0,
  9,
  (topic: string, partition: number, batch: Buffer) =>
    Writer.create()
      .appendString(noTransaction)
      .appendInt16(allReplicas)
      .appendInt32(followersMs)
      .appendArray([topic], (topics, name) =>
        topics.appendString(name).appendArray([partition], (partitions, number) => {
          partitions
            .appendInt32(number)
            .appendUnsignedVarInt(batch.length + 1)
            .append(batch);
        }),
      )
      .appendTaggedFields(),
  produceV9.parseResponse,
);

/** Resolves when the leader at `connection` says that every replica in sync has `batch`. */
export async function produce(
  connection: Connection,
  topic: string,
  partition: number,
  batch: Buffer,
): Promise<Produced> {
  const { responses, throttleTimeMs } = await api.async(connection, topic, partition, batch);
  const stored = responses[0]?.partitionResponses.find(({ index }) => index === partition);
  if (!stored) throw new Error(`the leader of partition ${partition} answered for another`);
  return { offset: Number(stored.baseOffset), throttleMs: throttleTimeMs };
}
