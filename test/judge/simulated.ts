import type { CanaryRules } from '../../src/judge/canary-rules.ts';
import { Judge } from '../../src/judge/judge.ts';
import type { TickCounts } from '../../src/judge/replay.ts';
import type { Standing } from '../../src/judge/standing.ts';
import { agent, environment, good, minuteMs, noonMs, randomOf, rulesWith } from './releases.ts';

/** Traffic of a canary: runs per minute of both, share that fails. */
export interface Traffic {
  readonly candidates: number;
  readonly baselines: number;
  readonly candidateFails: number;
  readonly baselineFails: number;
  readonly minutes: number;
}

/** A Poisson number with this mean. */
function poisson(random: () => number, mean: number): number {
  let left = random();
  let term = Math.exp(-mean);
  let count = 0;
  while (left > term && count < 1000) {
    left -= term;
    term *= mean / ++count;
  }
  return count;
}

function binomial(random: () => number, trials: number, share: number): number {
  let count = 0;
  for (let i = 0; i < trials; i++) if (random() < share) count++;
  return count;
}

/** Runs by minute, which end at once. */
export function countsOf(traffic: Traffic, seed: number): readonly TickCounts[] {
  const random = randomOf(seed);
  return Array.from({ length: traffic.minutes }, () => {
    const candidates = poisson(random, traffic.candidates);
    const baselines = poisson(random, traffic.baselines);
    return [
      candidates,
      binomial(random, candidates, traffic.candidateFails),
      baselines,
      binomial(random, baselines, traffic.baselineFails),
    ] as const;
  });
}

/** A unit of a canary: its release, the minute it is first seen, and its runs. */
export interface SimulatedUnit {
  readonly isCandidate: boolean;
  readonly minute: number;
  readonly runs: readonly {
    readonly isBad: boolean;
    readonly afterMinutes: number;
    readonly takesMinutes: number;
  }[];
}

/** What the judge says, through the whole path of a stream, once `minutes` are over; sooner where it has rolled back. */
export function judgeUnits(
  units: readonly SimulatedUnit[],
  minutes: number,
  changes: Partial<CanaryRules>,
): { readonly most: number; readonly standing: Standing } {
  const rules = rulesWith(changes);
  const judge = new Judge(() => rules);
  const events: { readonly timeMs: number; readonly give: () => void }[] = [];
  let slot = 0;
  const add = (release: string, session: number, seen: number, takes: number, isBad: boolean): void => {
    const run = { slot: slot++, agent, environment, release, sessionId: `s${session}`, userId: '' };
    const [seenMs, endedMs] = [noonMs + seen * minuteMs, noonMs + (seen + takes) * minuteMs];
    events.push({ timeMs: seenMs, give: () => judge.seen(run, seenMs) });
    if (takes === Infinity) return;
    const result = { ...good, slot: run.slot, outcome: isBad ? 'failure' : 'completed' } as const;
    events.push({ timeMs: endedMs, give: () => judge.finished(result, endedMs) });
  };
  for (let i = 1; i <= 10; i++) add('1', -i, -1, 0.1, false);
  for (const [i, { isCandidate, minute, runs }] of units.entries())
    for (const { isBad, afterMinutes, takesMinutes } of runs)
      add(isCandidate ? '2' : '1', i, minute + afterMinutes, takesMinutes, isBad);
  events.sort((a, b) => a.timeMs - b.timeMs);
  let next = 0;
  let most = 0;
  let standing: Standing | undefined;
  for (let minute = 0; minute < minutes; minute++) {
    const nowMs = noonMs + (minute + 1.5) * minuteMs;
    while (next < events.length && events[next]!.timeMs < nowMs) events[next++]!.give();
    judge.advance(nowMs);
    if (minute % 10 !== 9) continue;
    standing = judge.standings().find(({ release }) => release === '2');
    most = Math.max(most, standing?.action === 'rollback' ? 2 : Number(standing?.action === 'pause'));
    if (most === 2) break;
  }
  return { most, standing: standing! };
}

/** How runs of the two releases end that are equally good in the end. */
export interface Lateness {
  readonly name: string;
  /** Minutes that a run takes. */
  readonly takes: (isCandidate: boolean, isBad: boolean, random: () => number) => number;
}

/** Nothing differs in what becomes of runs, but in when it is known. */
export const lateNulls: readonly Lateness[] = [
  { name: 'all after 2 min', takes: () => 2 },
  { name: 'failures after 0.5 min, successes after 20', takes: (_, isBad) => (isBad ? 0.5 : 20) },
  {
    name: 'successes of the candidate after 8 min, of the baseline after 3, failures after 2',
    takes: (isCandidate, isBad) => (isBad ? 2 : isCandidate ? 8 : 3),
  },
  {
    name: 'failures of the candidate after 1 min, of the baseline after 30',
    takes: (isCandidate, isBad) => (isBad ? (isCandidate ? 1 : 30) : 5),
  },
  {
    name: 'half of the failures of the baseline hang',
    takes: (isCandidate, isBad, random) => (isBad && !isCandidate && random() < 0.5 ? Infinity : 2),
  },
];

/** Runs on their own, each a unit. */
export function lateUnits(
  traffic: Traffic,
  { takes }: Lateness,
  seed: number,
  deadlineMinutes: number,
): readonly SimulatedUnit[] {
  const random = randomOf(seed);
  const units: SimulatedUnit[] = [];
  for (let minute = 0; minute < traffic.minutes; minute++)
    for (const isCandidate of [true, false])
      for (let i = poisson(random, isCandidate ? traffic.candidates : traffic.baselines); i > 0; i--) {
        const isBad = random() < (isCandidate ? traffic.candidateFails : traffic.baselineFails);
        const takesMinutes = takes(isCandidate, isBad, random);
        // What is late for the deadline would count as bad: then nothing would be equal any more.
        const inTime = isBad ? takesMinutes : Math.min(takesMinutes, deadlineMinutes - 1);
        units.push({
          isCandidate,
          minute,
          runs: [{ isBad, afterMinutes: random() * 0.9, takesMinutes: inTime }],
        });
      }
  return units;
}

/** Sessions of three runs that share a likelihood to fail: its spread makes the correlation of two runs of a session `icc`. */
export function sessionUnits(traffic: Traffic, icc: number, seed: number): readonly SimulatedUnit[] {
  const random = randomOf(seed);
  const units: SimulatedUnit[] = [];
  for (let minute = 0; minute < traffic.minutes; minute++)
    for (const isCandidate of [true, false])
      for (let i = poisson(random, (isCandidate ? traffic.candidates : traffic.baselines) / 3); i > 0; i--) {
        const share = isCandidate ? traffic.candidateFails : traffic.baselineFails;
        // With chance icc all runs of the session do the same, else each on its own.
        const same = random() < icc ? random() < share : undefined;
        const runs = [0, 1, 2].map((j) => ({
          isBad: same ?? random() < share,
          afterMinutes: (random() * 0.8 + 0.001 * j) % 0.9,
          takesMinutes: 0.1,
        }));
        units.push({ isCandidate, minute, runs });
      }
  return units;
}

/** Share of `seeds` for which it holds. */
export function shareOf(seeds: number, holds: (seed: number) => boolean): number {
  let count = 0;
  for (let seed = 1; seed <= seeds; seed++) if (holds(seed)) count++;
  return count / seeds;
}
