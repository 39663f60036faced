// `npm run faults`: sends spans through the whole pipeline, breaks it in every way, and counts. Progress goes to standard
// error, the count to standard output.
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { plants } from './planted-tables.ts';
import { topicRecreated } from './recreated-topic.ts';
import { run, type Report } from './run.ts';
import { allFaults } from './storm.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'spans-per-second': { type: 'string', default: '500' },
    only: { type: 'string', multiple: true, default: [] },
    plant: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

function say(text: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  process.stderr.write(`${seconds.padStart(5)} s  ${text}\n`);
}

/** Each of `names` must be one of `known`. */
function among(option: string, names: readonly string[], known: readonly string[]): void {
  for (const name of names)
    if (!known.includes(name)) throw new Error(`--${option} ${name}: must be one of ${known.join(', ')}`);
}

/** The one line that says it all. */
function lineOf({ reckoning, ...rest }: Report): Readonly<Record<string, unknown>> {
  const { deadLettered, storedAndDead, repeatedPositions, unaccounted, miscountedRuns, examples, ...counts } =
    reckoning;
  const faults = Object.values(rest.kinds).reduce((sum, times) => sum + times, 0);
  return {
    accepted: counts.accepted,
    stored: counts.stored,
    lost: counts.lost,
    duplicated: counts.duplicated,
    dead_lettered: deadLettered,
    faults,
    kinds: rest.kinds,
    zombies: rest.zombies,
    ...(rest.failure !== undefined && { failure: rest.failure }),
    seconds: Math.round((performance.now() - startedMs) / 1000),
    unknown: counts.unknown,
    refused: { ...counts.refused, by_status: rest.refusals },
    strangers: counts.strangers,
    stored_and_dead: storedAndDead,
    repeated_positions: repeatedPositions,
    unaccounted,
    miscounted_runs: miscountedRuns,
    counters_fallen: rest.fallenCounters.slice(0, 5),
    kpi_takeovers: rest.takeovers,
    poison: rest.poisonSpans,
    duplicate_rows_total: rest.countedDuplicates,
    uncertain_blocks: rest.uncertainBlocks,
    max_rss_mib: rest.maxRssMebibytes,
    crashes: rest.crashes,
    examples,
    seed: Number(values.seed),
  };
}

/** Whether every acknowledged span is where it belongs, once, all faults were done, and no process ended by itself. */
function isClean({ reckoning, failure, poisonSpans, fallenCounters, crashes }: Report): boolean {
  const { lost, duplicated, deadLettered, storedAndDead, strangers, ...rest } = reckoning;
  const { repeatedPositions, unaccounted, miscountedRuns } = rest;
  const wrong =
    lost +
    duplicated +
    storedAndDead +
    strangers +
    repeatedPositions +
    unaccounted +
    Math.abs(miscountedRuns);
  const isSteady = fallenCounters.length === 0;
  return (
    failure === undefined && wrong === 0 && isSteady && deadLettered === poisonSpans && crashes.length === 0
  );
}

const startedMs = performance.now();
const { plant } = values;
among('plant', plant === undefined ? [] : [plant], [...plants.keys()]);
among('only', values.only, [...allFaults.map(({ kind }) => kind), topicRecreated]);
const endMs = startedMs + Number(values.minutes) * 60_000;
const planted = fileURLToPath(new URL('planted-store.ts', import.meta.url));
const kinds = values.only.length > 0 ? values.only : (plants.get(plant ?? '')?.kinds ?? []);
const report = await run({
  seed: Number(values.seed),
  spansPerSecond: Number(values['spans-per-second']),
  isOver: () => performance.now() >= endMs,
  ...(kinds.length > 0 && { faults: allFaults.filter(({ kind }) => kinds.includes(kind)) }),
  recreatesTopic: kinds.length === 0 || kinds.includes(topicRecreated),
  ...(plant !== undefined && { storeWords: [planted, plant] }),
  say,
});
const line = lineOf(report);
process.stdout.write(
  values.json
    ? `${JSON.stringify(line)}\n`
    : Object.entries(line)
        .map(([name, value]) => `${name.padEnd(22)}${JSON.stringify(value)}\n`)
        .join(''),
);
process.exit(isClean(report) ? 0 : 1);
