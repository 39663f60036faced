import { endTick, newGroup, newTick, type Group, type Side, type Tick, type Watcher } from './blocks.ts';
import type { CanaryRules } from './canary-rules.ts';
import { isScoredLater, type Figures } from './figures.ts';
import type { History } from './history.ts';
import { idleMs } from './idle.ts';
import { newEvidence, scoreOf, type KpiEvidence, type Test } from './kpi-evidence.ts';
import { membershipFault, newMembership, type Ends, type Membership } from './membership.ts';
import { logEvidence } from './mixture.ts';
import { addSplit, newSplit, splitFault, type Split } from './split.ts';
import { note, type Tally } from './tally.ts';

/** Units of a release in a pair. */
interface Arm {
  joined: number;
  settled: number;
}

/** The judgement of a release, `candidate`, beside the one it is compared with. Plain data, all of which a snapshot keeps. */
export interface Pair {
  readonly candidate: string;
  /** Undefined of a release that was there first: it has a floor only. */
  readonly baseline: string | undefined;
  readonly rules: CanaryRules;
  /** Units first seen from then on are in it. */
  readonly startedMs: number;
  readonly starts: number;
  /** KPIs of the rules that cannot be judged: nothing says how much an amount may be. */
  readonly unjudged: readonly string[];
  /** KPIs that are known when a unit ends, and those that an evaluator tells later. */
  readonly ended: Group;
  readonly scored: Group;
  readonly split: Split;
  readonly membership: Membership;
  readonly arms: { readonly candidate: Arm; readonly baseline: Arm };
  endedTick: Tick;
  scoredTick: Tick;
  /** Start of the latest tick in which a unit of the candidate joined. */
  seenMs: number;
  /** How long the candidate got units until then: what it was idle for longer does not count. */
  spentMs: number;
  /** Whether the other release is still there to compare with. */
  isConcurrent: boolean;
  /** Nothing joins it any more: other rules are in use. */
  isOver: boolean;
  failedMs: number | undefined;
  passedMs: number | undefined;
}

/** What evidence each test of a KPI wants, as natural logarithms of e-values. */
export interface Thresholds {
  readonly pause: number;
  readonly rollback: number;
  readonly pass: number;
}

/** Evidence at which a KPI passes. */
const passAt = 20;

/** A pair that starts now; `history` is what units of the baseline showed before, if there is any, `ends` how runs of both end. */
export function newPair(
  names: Pick<Pair, 'candidate' | 'baseline'>,
  rules: CanaryRules,
  { history, ends }: { readonly history: History; readonly ends: readonly Ends[] },
  startedMs: number,
  starts: number,
): Pair {
  const ended: KpiEvidence[] = [];
  const scored: KpiEvidence[] = [];
  const unjudged: string[] = [];
  for (const [index, kpi] of rules.kpis.entries()) {
    const evidence = newEvidence(kpi, index, history[index] ?? [], rules.tolerance);
    if (evidence) (isScoredLater(kpi.kpi) ? scored : ended).push(evidence);
    else unjudged.push(kpi.kpi);
  }
  const groups = { ended: newGroup(ended), scored: newGroup(scored) };
  return {
    ...names,
    rules,
    startedMs,
    starts,
    unjudged,
    ...groups,
    split: newSplit(),
    membership: newMembership(ends),
    arms: { candidate: { joined: 0, settled: 0 }, baseline: { joined: 0, settled: 0 } },
    endedTick: newTick(groups.ended),
    scoredTick: newTick(groups.scored),
    seenMs: startedMs,
    spentMs: 0,
    isConcurrent: names.baseline !== undefined,
    isOver: false,
    failedMs: undefined,
    passedMs: undefined,
  };
}

/** Which side of the pair a unit of `release` joins; undefined where it joins none, as of a baseline that was replaced. */
export function sideOf(pair: Pair, release: string): Side | undefined {
  if (release === pair.candidate) return 'candidate';
  return pair.isConcurrent && release === pair.baseline ? 'baseline' : undefined;
}

/** Adds a unit that joins in this tick; the tally wants its scores once it is settled. */
export function join(pair: Pair, side: Side): Tally {
  pair.arms[side].joined++;
  const tally = pair.endedTick[side];
  tally.units++;
  tally.open++;
  return tally;
}

/** Settles a unit that joined `tally`. */
export function settleUnit(pair: Pair, side: Side, tally: Tally, figures: Figures): void {
  pair.arms[side].settled++;
  tally.open--;
  for (const [k, kpi] of pair.ended.kpis.entries()) note(tally.scores[k]!, scoreOf(kpi, figures[kpi.index]!));
}

/** Adds what an evaluator says of a unit of the pair: it joins the tests of that KPI now, and is settled. */
export function score(pair: Pair, side: Side, figures: Figures): void {
  const tally = pair.scoredTick[side];
  tally.units++;
  for (const [k, kpi] of pair.scored.kpis.entries())
    note(tally.scores[k]!, scoreOf(kpi, figures[kpi.index]!));
}

/** The tick that ends: when it began, until when is settled what becomes evidence, and what else there was in it. */
export interface TickEnd {
  readonly timeMs: number;
  readonly nowMs: number;
  /** Units of any release that joined. */
  readonly units: number;
  /** The pairs of now. */
  readonly company: readonly Pair[];
}

/** Ends a tick of the pair. */
export function endPairTick(pair: Pair, { timeMs, nowMs, units, company }: TickEnd): void {
  const { rules, split, endedTick } = pair;
  const candidates = endedTick.candidate.units;
  if (pair.isConcurrent) addSplit(split, rules.share, timeMs, candidates, units - candidates);
  if (candidates > 0) {
    pair.spentMs = spentMs(pair, timeMs);
    pair.seenMs = timeMs;
  }
  const watcher = watcherOf(pair, nowMs, company);
  endTick(pair.ended, endedTick, rules, watcher);
  endTick(pair.scored, pair.scoredTick, rules, watcher);
  pair.endedTick = newTick(pair.ended);
  pair.scoredTick = newTick(pair.scored);
  const kpis = kpisOf(pair);
  if (kpis.some(({ worse, floor }) => (worse.failedMs ?? floor?.candidate.failedMs) !== undefined))
    pair.failedMs ??= nowMs;
  const isSure = kpis.length > 0 && kpis.every(({ notWorse }) => notWorse.passedMs !== undefined);
  if (
    isSure &&
    pair.isConcurrent &&
    pair.unjudged.length === 0 &&
    pair.arms.candidate.settled >= rules.minRuns
  )
    pair.passedMs ??= nowMs;
}

/** How long the candidate got units until `nowMs`: of the time it is idle, no more than makes it so. */
export function spentMs(pair: Pick<Pair, 'seenMs' | 'spentMs'>, nowMs: number): number {
  return pair.spentMs + Math.min(Math.max(0, nowMs - pair.seenMs), idleMs);
}

/** The KPIs that are judged, in the order of the rules. */
export function kpisOf({ ended, scored }: Pair): readonly KpiEvidence[] {
  return [...ended.kpis, ...scored.kpis].toSorted((a, b) => a.index - b.index);
}

/** How many times the evidence is needed where judgement began `starts` times. */
export function timesAfter(starts: number): number {
  return starts > 1 ? starts * (starts + 1) : 1;
}

/** What evidence on `kpi` is enough: the more the less it weighs, the more tests there are, and the more often the pair began. */
export function thresholdsOf({ rules, starts }: Pair, { index, floor }: KpiEvidence): Thresholds {
  const share = rules.kpis[index]!.weight / (floor ? 2 : 1);
  const again = timesAfter(starts);
  const at = (evidence: number): number => Math.log((evidence * again) / share);
  return { pause: at(rules.pauseAt), rollback: at(rules.rollbackAt), pass: Math.log(passAt * again) };
}

/** What is wrong with who is counted, or how units are split, in words, where that matters. */
export function splitFaultOf({ isConcurrent, split, membership, rules }: Pair): string | undefined {
  const fault = membershipFault(membership, rules.tickMs);
  if (fault !== undefined) return fault;
  return isConcurrent ? splitFault(split, rules.share) : undefined;
}

/**
 * Whether the evidence of the candidate alone would pause it while every release beside it, at the same time, leans to the
 * same side: then what hits all is at fault. Beside a release that was there first are those that are compared with it.
 */
export function isEnvironment(pair: Pair, nowMs: number, company: readonly Pair[]): boolean {
  if (!pair.isConcurrent && pair.baseline !== undefined) return false;
  if (membershipFault(pair.membership, pair.rules.tickMs) !== undefined) return false;
  const others = besideOf(pair, nowMs, company);
  return kpisOf(pair).some((kpi) => {
    const { pause } = thresholdsOf(pair, kpi);
    return [kpi.floor, kpi.before].some((test) => {
      if (!test || logEvidence(test.candidate.mixture) < pause) return false;
      if (pair.isConcurrent) return logEvidence(test.baseline.mixture) > 0;
      return others.length > 0 && others.every((other) => leansBelowFloor(other, kpi.index));
    });
  });
}

/** What is compared with the candidate of `pair` now: those that are idle are not there. */
function besideOf({ candidate }: Pair, nowMs: number, company: readonly Pair[]): readonly Pair[] {
  return company.filter(
    (other) => other.isConcurrent && other.baseline === candidate && other.seenMs > nowMs - idleMs,
  );
}

function leansBelowFloor(pair: Pair, index: number): boolean {
  const floor = kpisOf(pair).find((kpi) => kpi.index === index)?.floor;
  return floor !== undefined && logEvidence(floor.candidate.mixture) > 0;
}

function latch(test: Test, evidence: number, at: Partial<Thresholds>, nowMs: number): void {
  if (evidence >= (at.pause ?? Infinity)) test.pausedMs ??= nowMs;
  if (evidence >= (at.rollback ?? Infinity)) test.failedMs ??= nowMs;
  if (evidence >= (at.pass ?? Infinity)) test.passedMs ??= nowMs;
}

/**
 * Keeps when evidence first was enough. While the split is at fault, or all releases suffer together, nothing is rolled back;
 * once there is no other release beside the candidate, nothing is decided by comparison with it any more.
 */
function watcherOf(pair: Pair, nowMs: number, company: readonly Pair[]): Watcher {
  const isAtFault = splitFaultOf(pair) !== undefined;
  const isUnsure = membershipFault(pair.membership, pair.rules.tickMs) !== undefined;
  // While others are compared with it, they are all that one could go to, and not known to be better.
  const isAlone = besideOf(pair, nowMs, company).length === 0;
  const isReplaced = !pair.isConcurrent && nowMs <= pair.startedMs + pair.rules.maxMs;
  return {
    worse(kpi, evidence) {
      if (!pair.isConcurrent) return;
      const { pause, rollback } = thresholdsOf(pair, kpi);
      latch(kpi.worse, evidence, isAtFault ? { pause } : { pause, rollback }, nowMs);
    },
    notWorse(kpi, evidence) {
      if (pair.isConcurrent && !isAtFault)
        latch(kpi.notWorse, evidence, { pass: thresholdsOf(pair, kpi).pass }, nowMs);
    },
    level(kpi, name, evidence, baseline) {
      const { pause, rollback } = thresholdsOf(pair, kpi);
      if (name === 'before' && isReplaced) latch(kpi.before!.candidate, evidence, { pause }, nowMs);
      if (name !== 'floor' || evidence < pause) return;
      const isShared = (pair.isConcurrent && baseline > 0) || isEnvironment(pair, nowMs, company);
      if (!isShared)
        latch(kpi.floor!.candidate, evidence, isAlone && !isUnsure ? { pause, rollback } : { pause }, nowMs);
    },
  };
}
