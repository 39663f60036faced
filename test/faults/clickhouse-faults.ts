import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault as Failing } from '../clickhouse/faults.ts';
import type { Draw } from './draw.ts';
import type { Fault } from './fault.ts';
import { eventually, valueOf, type Stage } from './stage.ts';

/** Ways in which the server answers an INSERT, or does not. */
const answers: readonly Failing[] = [
  'refuse',
  'drop-answer',
  'no-space',
  'read-only',
  'too-many-parts',
  'memory',
  'timeout',
];

/** Free bytes on a disk that is almost full: about as much as the rows of a block take, in one form or another. */
const [leastFree, mostFree] = [0, 2 ** 20];

/** What happens to ClickHouse. */
export const clickHouseFaults: readonly Fault[] = [
  ...answers.map((failing): Fault => ({
    kind: `clickhouse-${failing}`,
    touches: ['clickhouse'],
    inflict: async (stage, draw) => answerWith(stage, draw, failing),
  })),
  { kind: 'clickhouse-hang', touches: ['clickhouse'], inflict: hang },
  { kind: 'clickhouse-late', touches: ['clickhouse', 'store'], inflict: applyLate },
  { kind: 'clickhouse-kill', touches: ['clickhouse'], inflict: kill },
  { kind: 'clickhouse-freeze', touches: ['clickhouse'], inflict: freeze },
  {
    kind: 'clickhouse-disk-full',
    touches: ['clickhouse'],
    missing: ({ around }) => (around.disk ? undefined : 'mounting a small disk needs root'),
    inflict: fillDisk,
  },
];

async function answerWith(stage: Stage, draw: Draw, failing: Failing): Promise<void> {
  const { clickhouse } = stage.around;
  const before = stage.uncertainBlocks();
  await clickhouse.fault(failing);
  try {
    await untilNoticed(stage, before);
    await sleep(draw.between(0, 4000));
  } finally {
    await clickhouse.fault(undefined);
  }
}

/** A store has an insert fail, or waits with what it does in recovery. */
async function untilNoticed(stage: Stage, before: number): Promise<void> {
  await eventually('a store to notice', async () => {
    if (stage.uncertainBlocks() > before) return true;
    const up = stage.stores.filter(({ program }) => program);
    const all = await Promise.all(up.map(async (store) => store.samples()));
    return all.some((samples) => valueOf(samples, 'plimsoll_store_state', { state: 'waiting' }) > 0);
  });
}

/** Inserts are neither applied nor answered, and their connections end after a while. */
async function hang({ around: { clickhouse } }: Stage, draw: Draw): Promise<void> {
  await clickhouse.fault('hang');
  try {
    await eventually('an insert to hang', async () => (await clickhouse.held()) > 0);
    await sleep(draw.between(1000, 8000));
  } finally {
    await clickhouse.fault(undefined);
  }
}

/** Inserts are applied only after the store that sent them has died, while its successor takes over. */
async function applyLate({ around: { clickhouse }, stores }: Stage, draw: Draw): Promise<void> {
  await clickhouse.fault('late');
  try {
    await eventually('an insert to be held', async () => (await clickhouse.held()) > 0);
    await Promise.all(stores.map(async (store) => store.end('SIGKILL')));
    await sleep(draw.between(0, 15_000)); // at times beyond their deadline
  } finally {
    await clickhouse.fault(undefined);
  }
  await Promise.all(stores.map(async (store) => store.up()));
}

/** Ends the server at once, in the middle of whatever it does. */
async function kill({ around: { clickhouse } }: Stage, draw: Draw): Promise<void> {
  await clickhouse.kill();
  await sleep(draw.between(0, 4000));
  await clickhouse.restart();
}

/** Holds the server still, in the middle of whatever it does. */
async function freeze({ around: { clickhouse } }: Stage, draw: Draw): Promise<void> {
  clickhouse.freeze();
  await sleep(draw.between(1000, 10_000));
  clickhouse.wake();
}

/** Fills the disk again and again, each time to another last byte, until a store has noticed, and some more. */
async function fillDisk(stage: Stage, draw: Draw): Promise<void> {
  const { disk } = stage.around;
  if (!disk) throw new Error('there is no small disk');
  const before = stage.uncertainBlocks();
  let isNoticed = false;
  const noticed = untilNoticed(stage, before).finally(() => (isNoticed = true));
  try {
    for (let more = draw.between(1, 4); more > 0; more -= isNoticed ? 1 : 0) {
      disk.clear();
      disk.fill(draw.between(leastFree, mostFree));
      await sleep(draw.between(500, 2000));
    }
    await noticed;
  } finally {
    disk.clear();
  }
}
