import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config-schema.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Claim, Position, Stream } from '../core/stream.ts';
import {
  isSelected,
  listDead,
  openFrom,
  readLetters,
  type Letter,
  type ListedLetter,
  type Selection,
} from '../store/dead-letter-log.ts';
import { DeadLetters } from '../store/dead-letters.ts';
import { fromCommit } from '../store/intent.ts';
import type { Origin } from '../store/place.ts';
import { recordsBefore } from '../store/record-cursor.ts';
import { defaultReplaySettings, Replay, type Replayed } from '../store/replay.ts';
import { atDesk, type Desk } from './desk.ts';
import { replayGroup } from './streams.ts';

const stopMs = 10_000;
const ownershipPollMs = 100;
/** Where a stream that the store no longer reads ends for it. */
const beyondEverything: Position = { offset: Infinity, index: 0 };

/** The dead letters of `config` that have not every row, as they are now. */
export async function listDeadLetters(
  config: Config,
  selection: Selection,
): Promise<{ readonly letters: readonly ListedLetter[]; readonly foreignRecords: number }> {
  return atDesk(config, 'streams and table', async ({ deadLetters, table, encoder }) => {
    const from = openFrom(await deadLetters.committed(replayGroup, 0), deadLetters.id);
    const { letters, foreignRecords } = await readLetters(deadLetters.reader(0), from, encoder);
    const selected = [...letters.values()].filter((letter) => isSelected(letter, selection));
    return { letters: await listDead(table, selected), foreignRecords };
  });
}

/** The dead letter of `key` and what it holds, also one that was replayed while the stream still has it. */
export async function findDeadLetter(
  config: Config,
  key: string,
): Promise<
  | {
      readonly letter: Letter;
      readonly headers: Readonly<Record<string, string>>;
      readonly payload: Uint8Array;
    }
  | undefined
> {
  return atDesk(config, 'streams', async ({ deadLetters, encoder }) => {
    const reader = deadLetters.reader(0);
    const letter = (await readLetters(reader, 0, encoder)).letters.get(key);
    if (letter === undefined) return undefined;
    for await (const { headers, payload } of recordsBefore(reader, letter.offset, letter.offset + 1))
      return { letter, headers, payload: Buffer.from(payload) };
    return undefined;
  });
}

/** Replays the dead letters of `config` that `selection` means. */
export async function replayDeadLetters(config: Config, selection: Selection): Promise<Replayed> {
  return atDesk(config, 'streams and table', async (desk) =>
    asOwner(desk.deadLetters, async (claim) => {
      const { table, encoder, deadLetters, log } = desk;
      const parts = {
        table,
        encoder,
        deadLetters: new DeadLetters(deadLetters),
        streamId: deadLetters.id,
        storeIsPast: (origin: Origin) => storeIsPast(desk, origin),
        clock,
        pause: (ms: number) => sleep(ms),
        log,
        settings: defaultReplaySettings,
      };
      return new Replay(parts, claim).run(selection);
    }),
  );
}

async function storeIsPast({ spans, encoder }: Desk, origin: Origin): Promise<Position> {
  if (origin.streamId !== spans.id) return beyondEverything;
  const committed = await spans.committed('store', origin.partition);
  return fromCommit(committed, origin, encoder.version, { offset: 0, index: 0 }).position;
}

/** What `work` resolves with, done by the one member of the group of replays that owns the dead letters. */
async function asOwner<T>(deadLetters: Stream, work: (claim: Claim) => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const consumer = deadLetters.consumer(replayGroup, (claim) => work(claim).then(resolve, reject));
  await consumer.start();
  const watch = setInterval(() => {
    if (consumer.owned === 0)
      reject(new Error('another replay is at work on these dead letters: wait until it ends'));
  }, ownershipPollMs);
  try {
    return await promise;
  } finally {
    clearInterval(watch);
    await consumer.stop(AbortSignal.timeout(stopMs));
  }
}
