import { setTimeout as sleep } from 'node:timers/promises';
import { createAPI, produceV9, Writer, type Connection } from '@platformatic/kafka';
import { Turns } from './turns.ts';

/** How long the leader may wait for its followers before it answers. */
const followersMs = 3000;
/** A leader that takes longer hangs: by then another may lead. */
export const leaderMs = followersMs + 1000;
const noTransaction = null;
const allReplicas = -1;

/** What goes over one connection. */
interface Line {
  readonly turns: Turns;
  /** The broker wants nothing before this time of `performance.now()`. */
  throttledUntilMs: number;
}

const lines = new WeakMap<Connection, Line>();

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

/**
 * Resolves with the offset of `batch` when the leader at `connection` says that every replica in sync has it. Batches go
 * over a connection one at a time, and none while the broker throttles it: it reads nothing from it then, so that what was
 * sent would seem to be lost. Once `abandoned` aborts, throttling is not waited for.
 */
export async function produce(
  connection: Connection,
  to: { readonly topic: string; readonly partition: number },
  batch: Buffer,
  abandoned: AbortSignal,
): Promise<number> {
  const { topic, partition } = to;
  const line = lines.get(connection) ?? { turns: new Turns(), throttledUntilMs: 0 };
  lines.set(connection, line);
  return line.turns.take(async () => {
    const waitMs = line.throttledUntilMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: abandoned }).catch(() => undefined); // then one last try
    const { responses, throttleTimeMs } = await api.async(connection, topic, partition, batch);
    line.throttledUntilMs = performance.now() + throttleTimeMs;
    const stored = responses[0]?.partitionResponses.find(({ index }) => index === partition);
    if (!stored) throw new Error(`the leader of partition ${partition} answered for another`);
    return Number(stored.baseOffset);
  });
}
