// What the judge decides on simulated canaries, beside rules on static thresholds that see the same runs, and what a run
// costs it. `node bench/judge.ts [canaries]`; the limits that are printed are those that it promises to stay within.
import { Judge } from '../src/judge/judge.ts';
import { replayTicks, type TickCounts } from '../src/judge/replay.ts';
import { agent, environment, good, minuteMs, noonMs, rulesWith } from '../test/judge/releases.ts';
import {
  countsOf,
  judgeUnits,
  lateNulls,
  lateUnits,
  sessionUnits,
  shareOf,
  type Traffic,
} from '../test/judge/simulated.ts';
import { median, quantile } from './measure.ts';

const canaries = Number(process.argv[2] ?? 4000);
/** Those that take the whole path of a stream cost more. */
const streamed = Math.ceil(canaries / 10);
const lookEvery = 5;

const healthy: Traffic = {
  candidates: 0.8,
  baselines: 7.2,
  candidateFails: 0.08,
  baselineFails: 0.08,
  minutes: 240,
};
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`.padStart(9);

/** Runs and failures of both in the `minutes` before `end`. */
function sums(counts: readonly TickCounts[], end: number, minutes: number): TickCounts {
  const sum = [0, 0, 0, 0] as [number, number, number, number];
  for (const tick of counts.slice(Math.max(0, end - minutes), end))
    for (const [i, count] of tick.entries()) sum[i]! += count;
  return sum;
}

type Rule = (counts: readonly TickCounts[], end: number) => boolean;
const below =
  (minutes: number, success: number, fewest: number): Rule =>
  (counts, end) => {
    const [runs, failed] = sums(counts, end, minutes);
    return runs >= Math.max(1, fewest) && 1 - failed / runs < success;
  };

/** Static rules, looked at every 5 minutes: how many looks in a row, or in all, they want. */
const rules: readonly {
  readonly name: string;
  readonly is: Rule;
  readonly inRow?: number;
  readonly inAll?: number;
}[] = [
  { name: 'success of 5 min below 90 %, the 4th time', is: below(5, 0.9, 1), inAll: 4 },
  { name: 'success of 1 h below 90 %', is: below(60, 0.9, 1) },
  { name: 'success of 1 h below 90 %, 30 runs, for 10 min', is: below(60, 0.9, 30), inRow: 3 },
  { name: 'success of 1 h below 85 %, 30 runs, for 10 min', is: below(60, 0.85, 30), inRow: 3 },
  {
    name: 'success of 1 h 5 points below baseline, 30 runs, for 10 min',
    is: (counts, end) => {
      const [runs, failed, others, othersFailed] = sums(counts, end, 60);
      return runs >= 30 && others > 0 && failed / runs > othersFailed / others + 0.05;
    },
    inRow: 3,
  },
];

/** The minute in which the rule acts; Infinity when it does not. */
function actsAt({ is, inRow = 1, inAll = 1 }: (typeof rules)[number], counts: readonly TickCounts[]): number {
  let inARow = 0;
  let all = 0;
  for (let end = lookEvery; end <= counts.length; end += lookEvery) {
    inARow = is(counts, end) ? inARow + 1 : 0;
    all += Number(inARow > 0);
    if (inARow >= inRow && all >= inAll) return end;
  }
  return Infinity;
}

function judgeActsAt(counts: readonly TickCounts[], evidence: number): number {
  const found = replayTicks(0.08, counts).findIndex((log) => log >= Math.log(evidence));
  return found === -1 ? Infinity : found + 1;
}

const told = (minutes: number): string => (Number.isFinite(minutes) ? `${minutes} min` : '-');

function row(name: string, minutes: readonly number[], limit = ''): void {
  const found = minutes.filter(Number.isFinite);
  const delays =
    found.length === 0 ? '' : `median ${told(median(minutes))}, p95 ${told(quantile(minutes, 0.95))}`;
  console.log(
    `  ${name.padEnd(62)} ${percent(found.length / minutes.length)}  ${limit.padEnd(12)} ${delays}`,
  );
}

const cells: readonly (readonly [title: string, traffic: Traffic, limits: readonly [string, string]])[] = [
  ['healthy, 4 and 36 runs in 5 min', healthy, ['<= 2.6 %', '<= 0.75 %']],
  ['healthy, 12 and 108', { ...healthy, candidates: 2.4, baselines: 21.6 }, ['<= 2.6 %', '<= 0.75 %']],
  ['12 points worse, 4 and 36', { ...healthy, candidateFails: 0.2 }, ['>= 95.5 %', '>= 89.5 %']],
  [
    '12 points worse, 12 and 108',
    { ...healthy, candidates: 2.4, baselines: 21.6, candidateFails: 0.2 },
    ['', '>= 99.5 %'],
  ],
  ['57 points worse, 4 and 36', { ...healthy, candidateFails: 0.65 }, ['', '']],
];
console.log(
  `${canaries} canaries of 4 h, 8 % of the runs of the baseline fail: how many each rule acts on, and when\n`,
);
for (const [title, traffic, [pause, rollback]] of cells) {
  console.log(title);
  const all = Array.from({ length: canaries }, (_, seed) => countsOf(traffic, seed + 1));
  for (const rule of rules)
    row(
      rule.name,
      all.map((counts) => actsAt(rule, counts)),
    );
  row(
    'judge, evidence 20 (pause)',
    all.map((counts) => judgeActsAt(counts, 20)),
    pause,
  );
  row(
    'judge, evidence 100 (rollback)',
    all.map((counts) => judgeActsAt(counts, 100)),
    rollback,
  );
}

console.log(
  `\n${streamed} canaries a line, through the whole path of a stream, 12 h, no difference but in when it is known how runs end`,
);
for (const lateness of lateNulls) {
  const traffic = { ...healthy, minutes: 720 };
  const most = Array.from(
    { length: streamed },
    (_, i) => judgeUnits(lateUnits(traffic, lateness, i + 1, 15), 720, {}).most,
  );
  const at = (level: number): number => shareOf(streamed, (seed) => most[seed - 1]! >= level);
  console.log(
    `  ${lateness.name.padEnd(80)} pause ${percent(at(1))} (<= 3.5 %)  rollback ${percent(at(2))} (<= 0.8 %)`,
  );
}

console.log(`\n${streamed} canaries a line of 24 h, sessions of 3 runs, correlation 0.3, nothing is worse`);
for (const unit of ['session', 'run'] as const) {
  const traffic = { ...healthy, minutes: 1440 };
  const all = Array.from({ length: streamed }, (_, i) =>
    judgeUnits(sessionUnits(traffic, 0.3, i + 1), 1440, { unit }),
  );
  const share = (holds: (one: (typeof all)[number]) => boolean): string =>
    percent(all.filter(holds).length / streamed);
  console.log(
    `  unit ${unit.padEnd(8)} pause ${share(({ most }) => most >= 1)}  rollback ${share(({ most }) => most === 2)}  split at fault ${share(({ standing }) => standing.reason.includes('dispersion'))}`,
  );
}

/** Nanoseconds of CPU for a run that is seen and ends, and of closing its ticks, by a judge that covers it or not. */
function costOf(isCovered: boolean): number {
  const covering = rulesWith();
  const judge = new Judge(() => (isCovered ? covering : undefined));
  const runs = 500_000;
  const before = process.cpuUsage();
  for (let slot = 0; slot < runs; slot++) {
    const timeMs = noonMs + Math.floor((slot * minuteMs) / 5000);
    const run = {
      slot,
      agent,
      environment,
      release: slot % 10 === 0 && slot > 10_000 ? '2' : '1',
      sessionId: '',
      userId: '',
    };
    judge.seen(run, timeMs);
    judge.finished({ ...good, slot }, timeMs + 1000);
    judge.advance(timeMs);
  }
  const { user, system } = process.cpuUsage(before);
  return (1000 * (user + system)) / runs;
}
console.log(
  `\na run that no policy covers: ${costOf(false).toFixed(0)} ns; one that is judged: ${costOf(true).toFixed(0)} ns`,
);
