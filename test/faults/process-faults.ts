import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault, Outcome } from './fault.ts';
import type { Role } from './role.ts';
import { eventually, groups, owned, valueOf, type Stage } from './stage.ts';

const joins = 'plimsoll_stream_joins_total';

/** What happens to the processes of the roles. */
export const processFaults: readonly Fault[] = [
  {
    kind: 'ingest-kill',
    touches: ['ingest'],
    inflict: async ({ ingests }, draw) => again(draw.pick(ingests), 'SIGKILL'),
  },
  {
    kind: 'ingest-pause',
    touches: ['ingest'],
    inflict: async ({ ingests }, draw) => {
      const ingest = draw.pick(ingests);
      await ingest.up();
      ingest.pause();
      await sleep(draw.between(1000, 8000));
      ingest.wake();
    },
  },
  {
    kind: 'store-kill',
    touches: ['store'],
    inflict: async ({ stores }, draw) => again(draw.pick(stores), 'SIGKILL'),
  },
  {
    kind: 'store-rolling-restart',
    touches: ['store'],
    inflict: async ({ stores }) => {
      for (const store of stores) await again(store, 'SIGTERM');
    },
  },
  { kind: 'store-pause', touches: ['store'], inflict: pauseStore },
  { kind: 'store-rebalance-storm', touches: ['store'], inflict: stormGroup },
  {
    kind: 'assess-kill',
    touches: ['assess'],
    inflict: async (stage) => again(await stage.owner(stage.assessors, groups.assess), 'SIGKILL'),
  },
  { kind: 'assess-pause', touches: ['assess'], inflict: pauseAssess },
];

/** Ends the process of a role and waits for the next one. */
async function again(role: Role, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  await role.up();
  await role.end(signal);
  await role.up();
}

/** Pauses a store until others have taken its partitions over and have gone on, and wakes it: it must find out. */
async function pauseStore({ stores }: Stage, draw: Parameters<Fault['inflict']>[1]): Promise<Outcome> {
  const [sleeper, ...others] = draw.shuffled(stores);
  if (!sleeper) throw new Error('there is no store');
  await Promise.all(stores.map(async (store) => store.up()));
  const before = await eventually('the store to own partitions', async () => {
    const samples = await sleeper.samples();
    return owned(samples, groups.store).size > 0 && samples;
  });
  sleeper.pause();
  try {
    await eventually('others to go on with its partitions', async () => {
      const taken = await Promise.all(
        others.map(async (other) => owned(await other.samples(), groups.store)),
      );
      return [...owned(before, groups.store)].every(([partition, offset]) =>
        taken.some((offsets) => (offsets.get(partition) ?? 0) > offset),
      );
    });
  } finally {
    sleeper.wake();
  }
  await eventually('the store to join its group anew', async () => {
    const samples = await sleeper.samples();
    const labels = { group: groups.store };
    return (
      valueOf(samples, joins, labels) > valueOf(before, joins, labels) &&
      owned(samples, groups.store).size > 0
    );
  });
  return { zombies: 1 };
}

/** Starts and ends a further store several times, so that partitions move to and fro. */
async function stormGroup(stage: Stage, draw: Parameters<Fault['inflict']>[1]): Promise<void> {
  const further = stage.spareStore();
  further.start();
  for (let turn = draw.between(2, 5); turn > 0; turn--) {
    await eventually('the further store to own partitions', async () => {
      return owned(await further.samples(), groups.store).size > 0;
    });
    await sleep(draw.between(0, 1500));
    await (turn > 1 ? further.end(draw.pick(['SIGTERM', 'SIGKILL'])) : further.stop());
  }
}

/** Pauses the assessor that works until another one does, and wakes it: it must stand by. */
async function pauseAssess(stage: Stage): Promise<void> {
  const sleeper = await stage.owner(stage.assessors, groups.assess);
  const others = stage.assessors.filter((role) => role !== sleeper);
  sleeper.pause();
  try {
    await stage.owner(others, groups.assess);
  } finally {
    sleeper.wake();
  }
  await eventually(
    'the assessor to stand by',
    async () => owned(await sleeper.samples(), groups.assess).size === 0,
  );
}
