import type { Fault } from './fault.ts';
import { Draw } from './draw.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { reckon, type Reckoning } from './reckoning.ts';
import { recreateTopic, topicRecreated } from './recreated-topic.ts';
import { LedgerRequests } from './requests.ts';
import { Stage } from './stage.ts';
import { allFaults, recovered, Storm, type Done } from './storm.ts';

/** What a run is to be. */
export interface RunOptions {
  readonly seed: number;
  readonly spansPerSecond: number;
  /** Says when the storm has done enough. */
  readonly isOver: (done: Done) => boolean;
  /** Default: every one. */
  readonly faults?: readonly Fault[];
  /** Whether the topic is deleted and created anew in the end. */
  readonly recreatesTopic: boolean;
  /** Starts another store than the shipped one. */
  readonly storeWords?: readonly string[];
  /** Ends the run at once, as Ctrl-C does: it rejects when nothing is left behind. */
  readonly signal?: AbortSignal;
  readonly say: (text: string) => void;
}

/** What a run has found. */
export interface Report {
  readonly reckoning: Reckoning;
  /** What ended the storm before its time; what was acknowledged until then is counted all the same. */
  readonly failure: string | undefined;
  readonly kinds: Readonly<Record<string, number>>;
  readonly zombies: number;
  /** Accepted spans that the table refuses for what they are: so many dead letters there must be. */
  readonly poisonSpans: number;
  /** Rows that the stores themselves found to be there twice. */
  readonly countedDuplicates: number;
  /** Inserts of which nobody knew at once whether they had landed. */
  readonly uncertainBlocks: number;
  /** Answers other than OK, by gRPC status. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Where a counter of the KPIs was smaller than before. */
  readonly fallenCounters: readonly string[];
  /** How often another process than before exported the KPIs. */
  readonly takeovers: number;
  /** What roles said when they ended by themselves. */
  readonly crashes: readonly string[];
  /** The most memory that a process of each role has taken, in MiB. */
  readonly maxRssMebibytes: Readonly<Record<string, number>>;
}

/** Sends spans through the whole pipeline while it is broken in every way, and compares what was acknowledged with what is there. */
export async function run(options: RunOptions): Promise<Report> {
  const { seed, say, storeWords } = options;
  say(`starting; --seed ${seed} gives these faults again`);
  const interrupted = interruption(options.signal);
  interrupted.catch(() => undefined); // nobody waits for it before everything has started
  const stage = await Stage.start(storeWords);
  let keepsFiles = storeWords === undefined;
  try {
    const report = await Promise.race([rage(stage, options), interrupted]);
    keepsFiles &&= report.reckoning.lost + report.reckoning.duplicated > 0;
    return report;
  } finally {
    if (keepsFiles) say(`kept, to be looked at: ${stage.files.join(' ')}`);
    await stage.stop({ keepsFiles });
  }
}

/** Rejects at Ctrl-C and SIGTERM, or when `signal` aborts. */
async function interruption(signal?: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const interrupt = (): void => reject(new Error('interrupted'));
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt);
  signal?.addEventListener('abort', interrupt, { once: true });
  return promise;
}

async function rage(stage: Stage, options: RunOptions): Promise<Report> {
  const { seed, say, spansPerSecond, isOver, faults = allFaults } = options;
  const draw = new Draw(seed);
  const ledger = new Ledger();
  const ofLoad = new Draw(seed + 1); // how fast the load runs does not change the faults
  const requests = new LedgerRequests(ledger, ofLoad.random);
  const load = new Load(
    ledger,
    requests,
    async () => (await ofLoad.pick(stage.ingests).up()).url('OTLP gRPC'),
    spansPerSecond,
  );
  load.start();
  await recovered(stage, load);
  const storm = new Storm({ stage, load, draw, say }, faults);
  const kinds = new Map<string, number>();
  let failure: string | undefined;
  try {
    await storm.rage(isOver);
    if (options.recreatesTopic) {
      say(topicRecreated);
      await load.stop();
      await recreateTopic(stage, load);
      kinds.set(topicRecreated, 1);
    }
  } catch (error) {
    failure = String(error);
    say(`given up: ${failure}`);
    for (const role of stage.roles) say(`  ${role.name}: ${await role.health()}`);
  }
  for (const [kind, times] of storm.done.kinds) kinds.set(kind, times);
  await load.stop();
  say(`counting what became of ${ledger.acceptedSpans} spans`);
  const reckoning = await reckon(stage, ledger);
  return {
    reckoning,
    failure,
    kinds: Object.fromEntries(kinds),
    zombies: storm.done.zombies,
    poisonSpans: ledger.poisonSpans,
    countedDuplicates: stage.duplicateRows(),
    uncertainBlocks: stage.uncertainBlocks(),
    refusals: Object.fromEntries(load.refusals),
    fallenCounters: stage.counters.fallen,
    takeovers: stage.counters.takeovers,
    crashes: stage.roles.flatMap(({ crashes }) => crashes),
    maxRssMebibytes: stage.maxRssMebibytes(),
  };
}
