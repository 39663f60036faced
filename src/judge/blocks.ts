import type { CanaryRules } from './canary-rules.ts';
import { baseOf, learn, type KpiEvidence } from './kpi-evidence.ts';
import { bet, copyOf, logEvidence, shiftWeights, type Mixture } from './mixture.ts';
import { scoresOf, sumOf, tallyOf, type Tally } from './tally.ts';
import { levelFactors, nearnessWeights, notWorseFactors, worseFactors, type Evidence } from './tests.ts';

/** Units that joined in one tick. */
export interface Tick {
  readonly candidate: Tally;
  readonly baseline: Tally;
}

/** A closed block: its members are fixed, and for each KPI the mean of the baseline that bets on it start from. */
interface Block {
  readonly ticks: readonly Tick[];
  readonly bases: readonly number[];
}

/** KPIs that units join together, and the evidence on them: blocks settle strictly in order. */
export interface Group {
  readonly kpis: readonly KpiEvidence[];
  open: Tick[];
  /** Ticks since the block was opened. */
  age: number;
  closed: Block[];
  /** Ticks that wait for scores, for the tests that look at one release alone: both are known of as long. */
  readonly levels: Tick[];
}

/** The releases of a pair. */
export type Side = 'candidate' | 'baseline';

/** Told of evidence each time there is more of it, with the highest that is certain now. */
export interface Watcher {
  worse?(kpi: KpiEvidence, logEvidence: number): void;
  notWorse?(kpi: KpiEvidence, logEvidence: number): void;
  /** Of the candidate; `baseline` is the most that there can be of the other release over the same ticks. */
  level?(kpi: KpiEvidence, test: 'floor' | 'before', logEvidence: number, baseline: number): void;
}

/** How much worse is not worse, and by how much a candidate that passes is surely not worse. */
type Differences = Pick<CanaryRules, 'tolerance' | 'margin'>;

/** A block closes when it has so many units of each release, or after so many ticks. */
const fewest = 2;
const longest = 60;

export function newGroup(kpis: readonly KpiEvidence[]): Group {
  return { kpis, open: [], age: 0, closed: [], levels: [] };
}

export function newTick({ kpis }: Group): Tick {
  return { candidate: tallyOf(kpis.length), baseline: tallyOf(kpis.length) };
}

/** Ends a tick: its units join the open block, which may close, and what is settled becomes evidence. */
export function endTick(group: Group, tick: Tick, differences: Differences, watcher: Watcher): void {
  const { candidate, baseline } = tick;
  if (candidate.units + baseline.units > 0) {
    group.open.push(tick);
    group.levels.push(tick);
  }
  group.age++;
  settle(group, differences, watcher);
  const isFull = unitsOf(group.open, 'candidate') >= fewest && unitsOf(group.open, 'baseline') >= fewest;
  if (isFull || group.age >= longest) {
    if (group.open.length > 0) group.closed.push({ ticks: group.open, bases: group.kpis.map(baseOf) });
    group.open = [];
    group.age = 0;
    settle(group, differences, watcher);
  }
  for (const [k, kpi] of group.kpis.entries())
    if (group.closed.length > 0) watcher.worse?.(kpi, certainEvidence(group, k, differences.tolerance));
  settleLevels(group, watcher);
}

/** Whether nothing of the group waits for anything. */
export function isQuiet({ open, closed, levels }: Group): boolean {
  return open.length + closed.length + levels.length === 0;
}

/** Ends `ticks` in which nothing joins a group that is quiet. */
export function passTicks(group: Group, ticks: number): void {
  group.age = (group.age + ticks) % longest;
}

function isSettled({ candidate, baseline }: Tick): boolean {
  return candidate.open + baseline.open === 0;
}

function unitsOf(ticks: readonly Tick[], side: Side): number {
  return ticks.reduce((sum, tick) => sum + tick[side].units, 0);
}

function settle(group: Group, { tolerance, margin }: Differences, watcher: Watcher): void {
  while (group.closed[0]?.ticks.every((tick) => isSettled(tick))) {
    const block = group.closed.shift()!;
    for (const [k, kpi] of group.kpis.entries()) {
      const evidence = evidenceOf(block, k);
      if (isBet(evidence)) {
        const base = block.bases[k]!;
        bet(kpi.worse.mixture, shiftWeights, worseFactors(evidence, base, tolerance));
        bet(kpi.notWorse.mixture, nearnessWeights, notWorseFactors(evidence, base, margin));
        watcher.worse?.(kpi, logEvidence(kpi.worse.mixture));
        watcher.notWorse?.(kpi, logEvidence(kpi.notWorse.mixture));
      }
      learn(kpi, sumOf(evidence.baseline), evidence.baselines);
    }
  }
}

/** Units without scores count as good of the candidate and as bad of the baseline: the least evidence there can be. */
function evidenceOf({ ticks }: Block, k: number): Evidence {
  return {
    candidates: unitsOf(ticks, 'candidate'),
    baselines: unitsOf(ticks, 'baseline'),
    candidate: scoresOf(
      ticks.map(({ candidate }) => candidate),
      k,
      0,
    ),
    baseline: scoresOf(
      ticks.map(({ baseline }) => baseline),
      k,
      1,
    ),
  };
}

function isBet({ candidates, baselines }: Evidence): boolean {
  return candidates > 0 && baselines > 0;
}

/** The most evidence that the closed blocks will have brought at the end of one of them, whatever becomes of their open units. */
function certainEvidence({ kpis, closed }: Group, k: number, tolerance: number): number {
  const mixture: Mixture = copyOf(kpis[k]!.worse.mixture);
  let most = logEvidence(mixture);
  for (const block of closed) {
    const evidence = evidenceOf(block, k);
    if (!isBet(evidence)) continue;
    bet(mixture, shiftWeights, worseFactors(evidence, block.bases[k]!, tolerance));
    most = Math.max(most, logEvidence(mixture));
  }
  return most;
}

/**
 * Evidence on each release alone, tick by tick, as far as both are settled, then the most that is certain of the candidate
 * beside the least that is certain to be good of the baseline: an outage hits both, and slow runs of one must not hide that.
 */
function settleLevels({ kpis, levels }: Group, watcher: Watcher): void {
  const open = levels.findIndex((tick) => !isSettled(tick));
  const settled = levels.splice(0, open === -1 ? levels.length : open);
  for (const [k, kpi] of kpis.entries())
    for (const name of ['floor', 'before'] as const) {
      const test = kpi[name];
      if (!test) continue;
      const betOn = (candidate: Mixture, baseline: Mixture, tick: Tick): void => {
        betOnLevel(baseline, test.level, tick.baseline, k, 1);
        if (tick.candidate.units === 0) return;
        betOnLevel(candidate, test.level, tick.candidate, k, 0);
        watcher.level?.(kpi, name, logEvidence(candidate), logEvidence(baseline));
      };
      for (const tick of settled) betOn(test.candidate.mixture, test.baseline.mixture, tick);
      const [candidate, baseline] = [copyOf(test.candidate.mixture), copyOf(test.baseline.mixture)];
      for (const tick of levels) betOn(candidate, baseline, tick);
    }
}

function betOnLevel(mixture: Mixture, level: number, tally: Tally, k: number, open: number): void {
  if (tally.units > 0) bet(mixture, shiftWeights, levelFactors(scoresOf([tally], k, open), level));
}
