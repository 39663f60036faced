import { setTimeout as sleep } from 'node:timers/promises';
import { requestKeys, type Cut } from '../kafka/proxy.ts';
import type { Draw } from './draw.ts';
import type { Fault } from './fault.ts';
import { eventually, groups, type Stage } from './stage.ts';

/** What happens to the brokers, and to the network before them. */
export const kafkaFaults: readonly Fault[] = [
  {
    kind: 'broker-kill',
    touches: ['kafka'],
    inflict: async (stage, draw) =>
      restartBrokers(stage, draw, [draw.between(0, stage.around.proxies.length)]),
  },
  {
    kind: 'leader-kill',
    touches: ['kafka'],
    inflict: async (stage, draw) => {
      const { leader } = draw.pick(await stage.around.spans.partitions());
      await restartBrokers(stage, draw, [leader]);
    },
  },
  {
    kind: 'coordinator-kill',
    touches: ['kafka'],
    inflict: async (stage, draw) =>
      restartBrokers(stage, draw, [await stage.around.spans.coordinator(groups.store)]),
  },
  {
    kind: 'all-brokers-kill',
    touches: ['kafka'],
    inflict: async (stage, draw) =>
      restartBrokers(
        stage,
        draw,
        stage.around.proxies.map((_, at) => at),
      ),
  },
  { kind: 'broker-freeze', touches: ['kafka'], inflict: freezeBroker },
  { kind: 'kafka-refuses', touches: ['kafka'], inflict: async (stage, draw) => cut(stage, draw, 'refuse') },
  { kind: 'kafka-silent', touches: ['kafka'], inflict: async (stage, draw) => cut(stage, draw, 'silence') },
  {
    kind: 'produce-answers-lost',
    touches: ['kafka'],
    inflict: async (stage, draw) => loseAnswers(stage, draw, requestKeys.produce),
  },
  {
    kind: 'commit-answers-lost',
    touches: ['kafka'],
    inflict: async (stage, draw) => loseAnswers(stage, draw, requestKeys.offsetCommit),
  },
  {
    kind: 'produce-late',
    touches: ['kafka'],
    inflict: async (stage, draw) => delay(stage, draw, requestKeys.produce),
  },
  {
    kind: 'commit-late',
    touches: ['kafka'],
    inflict: async (stage, draw) => delay(stage, draw, requestKeys.offsetCommit),
  },
];

/** Kills brokers, at once, and starts them again once the others, if any, lead all partitions. */
async function restartBrokers({ around }: Stage, draw: Draw, killed: readonly number[]): Promise<void> {
  const { kafka, proxies, spans } = around;
  await Promise.all(killed.map(async (at) => kafka.kill(at)));
  if (killed.length < proxies.length)
    await eventually('other brokers to lead', async () =>
      (await spans.partitions()).every(({ leader }) => leader >= 0 && !killed.includes(leader)),
    );
  await sleep(draw.between(0, 5000));
  await Promise.all(killed.map(async (at) => kafka.start(at)));
  await whole(around);
}

/** Holds a broker still until others lead its partitions, so that it wakes as a leader of the past. */
async function freezeBroker({ around }: Stage, draw: Draw): Promise<void> {
  const { kafka, spans } = around;
  const { leader: frozen } = draw.pick(await spans.partitions());
  kafka.freeze(frozen);
  try {
    await eventually('other brokers to lead', async () =>
      (await spans.partitions()).every(({ leader }) => leader >= 0 && leader !== frozen),
    );
    await sleep(draw.between(0, 3000));
  } finally {
    kafka.wake(frozen);
  }
  await whole(around);
}

/** Cuts all clients off from all brokers, for longer than a session at times. */
async function cut({ around: { proxies } }: Stage, draw: Draw, how: Cut): Promise<void> {
  for (const proxy of proxies) proxy.cut(how);
  try {
    await sleep(draw.between(1000, 12_000));
  } finally {
    for (const proxy of proxies) proxy.mend();
  }
}

/** Loses some answers of each broker to requests of a kind, which were carried out. */
async function loseAnswers({ around: { proxies } }: Stage, draw: Draw, key: number): Promise<void> {
  const before = proxies.map((proxy) => proxy.swallowed);
  for (const proxy of proxies) proxy.swallow(key, draw.between(1, 6));
  await eventually('an answer to get lost', async () =>
    Promise.resolve(proxies.some((proxy, at) => proxy.swallowed > (before[at] ?? 0))),
  );
  await sleep(draw.between(500, 3000));
  for (const proxy of proxies) proxy.swallow(key, 0);
}

/** Keeps requests of a kind on their way, so that they arrive when their senders have given them up, or given up everything. */
async function delay({ around: { proxies } }: Stage, draw: Draw, key: number): Promise<void> {
  for (const proxy of proxies) proxy.hold(key);
  try {
    await eventually('a request to be held', async () =>
      Promise.resolve(proxies.some((proxy) => proxy.held(key) > 0)),
    );
    await sleep(draw.between(500, 12_000));
  } finally {
    for (const proxy of proxies) proxy.release(key);
  }
}

async function whole({ spans }: Stage['around']): Promise<void> {
  await eventually('every copy of every partition to be in sync', async () =>
    (await spans.partitions()).every(({ leader, isWhole }) => leader >= 0 && isWhole),
  );
}
