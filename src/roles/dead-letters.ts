import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config-schema.ts';
import { systemClock as clock } from '../core/clock.ts';
import { startAll, stopAll, type Component } from '../core/component.ts';
import { createLog, type Log } from '../core/log.ts';
import type { Claim, Position, Stream } from '../core/stream.ts';
import { Telemetry } from '../core/telemetry.ts';
import { EnrichedSpans } from '../enrich/enriched-spans.ts';
import { planOf, type Plan } from '../plan.ts';
import type { RowEncoder } from '../store/block.ts';
import {
  isSelected,
  listDead,
  openFrom,
  readLetters,
  recordsBefore,
  type Letter,
  type ListedLetter,
  type Selection,
} from '../store/dead-letter-log.ts';
import { DeadLetters } from '../store/dead-letters.ts';
import { fromCommit } from '../store/intent.ts';
import type { Origin } from '../store/place.ts';
import { defaultReplaySettings, Replay, type Replayed } from '../store/replay.ts';
import { SpanEncoder } from '../store/span-encoder.ts';
import type { Table } from '../store/table.ts';
import { enricherOf } from './enricher.ts';
import { tablesOf } from './store.ts';
import { replayGroup, streamsOf, type Streams } from './streams.ts';

/** What an operator's command on the dead letters works with. */
interface Desk extends Streams {
  readonly encoder: RowEncoder;
  readonly table: Table;
  readonly log: Log;
}

const startMs = 60_000;
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

/** Runs `work` with what it needs open, which it may share with a running pipeline unless that is embedded. */
async function atDesk<T>(
  config: Config,
  needed: 'streams' | 'streams and table',
  work: (desk: Desk) => Promise<T>,
): Promise<T> {
  const plan = planOf(config);
  if (plan.store === undefined)
    throw new Error(
      'service::pipelines: lists no traces/store, whose dead letters these are: give its configuration',
    );
  refuseMissingFolder(plan);
  const { level } = config.service.telemetry.logs;
  const log = createLog(level === 'info' ? 'warn' : level); // what is usual of a pipeline is noise beside an answer
  const streams = streamsOf(plan, new Telemetry(), log);
  const table = tablesOf(plan, plan.store.clickhouse, log);
  const encoder = new SpanEncoder(new EnrichedSpans(enricherOf(plan)));
  const tables: readonly Component[] = needed === 'streams' ? [] : [table];
  // The streams first: their folder is the one whose owner can be told.
  const flow = [...tables, streams.deadLetters, streams.spans];
  await startAll(flow, AbortSignal.timeout(startMs));
  try {
    return await work({ ...streams, encoder, table, log });
  } finally {
    await stopAll(flow, AbortSignal.timeout(stopMs));
  }
}

/** A folder with nothing in it has no dead letters either, and is likely the wrong one. */
function refuseMissingFolder({ stream, dataDirectory }: Plan): void {
  if (stream.type === 'embedded' && !existsSync(join(dataDirectory, 'stream')))
    throw new Error(
      `there is no stream in ${dataDirectory}: set data_dir to where the pipeline keeps its data, and --config to its configuration`,
    );
}
