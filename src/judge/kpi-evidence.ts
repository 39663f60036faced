import type { KpiRules } from './canary-rules.ts';
import { isAmount } from './figures.ts';
import { mean, quantile, upperBound } from './history.ts';
import { clip } from './log-odds.ts';
import { lateShare, shiftWeights, stake, type Mixture } from './mixture.ts';
import { nearnessWeights } from './tests.ts';

/** An e-process, and when its evidence first was enough, in stream time. What was once enough stays so. */
export interface Test {
  readonly mixture: Mixture;
  pausedMs: number | undefined;
  failedMs: number | undefined;
  passedMs: number | undefined;
}

/** "Its mean is above `level`", asked of both releases, so that an outage which hits both is told from a bad release. */
interface LevelTest {
  readonly level: number;
  readonly candidate: Test;
  readonly baseline: Test;
}

/** Everything that is known of one KPI of a pair. */
export interface KpiEvidence {
  /** Its place in the rules. */
  readonly index: number;
  /** Scores are amounts up to this one, in shares of it; undefined where the KPI is a share of bad itself. */
  readonly cap: number | undefined;
  /** Sum of scores and number of units by which the mean of the baseline is known, older ones fading. */
  bad: number;
  units: number;
  readonly worse: Test;
  readonly notWorse: Test;
  readonly floor: LevelTest | undefined;
  readonly before: LevelTest | undefined;
}

/** Where nothing is known of a baseline, the objective is worth so many units, and a history at most so many. */
const priorUnits = 20;
const historyUnits = 200;
/** Share of bad where the objective says nothing. */
const usualShare = 0.1;
/** Fewer units than these are no history. */
const enough = 20;
/** Of the mean of the baseline, this many units are remembered. */
const remembered = 500;
/** Amounts count up to twice what 95 of 100 units stay below: finer than this part of that they are not told apart. */
const amountStep = 64;

function newTest(weights: readonly number[], reserve: number): Test {
  return { mixture: stake(weights, reserve), pausedMs: undefined, failedMs: undefined, passedMs: undefined };
}

function levelTest(level: number | undefined): LevelTest | undefined {
  if (level === undefined) return undefined;
  return {
    level: clip(level),
    candidate: newTest(shiftWeights, lateShare),
    baseline: newTest(shiftWeights, lateShare),
  };
}

/**
 * The evidence of `kpi`, at `index` of the rules, at the start of a pair, given what units of the baseline showed before;
 * undefined of an amount that has no history, objective or floor which would say where to cap it.
 */
export function newEvidence(
  kpi: KpiRules,
  index: number,
  history: readonly number[],
  tolerance: number,
): KpiEvidence | undefined {
  const cap = isAmount(kpi.kpi) ? capOf(kpi, history) : undefined;
  if (isAmount(kpi.kpi) && cap === undefined) return undefined;
  const scores = history.map((figure) => scoreOf({ cap }, figure));
  const recent = scores.slice(-historyUnits);
  const hasHistory = recent.length >= enough;
  const units = hasHistory ? recent.length : priorUnits;
  const before = hasHistory ? upperBound(mean(scores), scores.length) + tolerance : undefined;
  return {
    index,
    cap,
    bad: units * (hasHistory ? mean(recent) : referenceOf(kpi, cap)),
    units,
    worse: newTest(shiftWeights, lateShare),
    notWorse: newTest(nearnessWeights, 0),
    floor: levelTest(kpi.floor === undefined ? undefined : kpi.floor / (cap ?? 1)),
    before: levelTest(before),
  };
}

function capOf({ limit = 0, floor = 0 }: KpiRules, history: readonly number[]): number | undefined {
  const usual = history.length >= enough ? quantile(history, 0.95) : 0;
  const cap = 2 * Math.max(usual > 0 ? usual : limit, floor);
  return cap > 0 ? cap : undefined;
}

function referenceOf({ reference }: KpiRules, cap = 1): number {
  return reference === undefined ? usualShare : Math.min(1, reference / cap);
}

/** The score of a unit that showed `figure`: 0 is good, 1 is bad. */
export function scoreOf({ cap }: Pick<KpiEvidence, 'cap'>, figure: number): number {
  if (cap === undefined) return Math.min(1, Math.max(0, figure));
  return Math.round((amountStep * Math.min(figure, cap)) / cap) / amountStep;
}

/** The mean of the baseline as known now. */
export function baseOf({ bad, units }: Pick<KpiEvidence, 'bad' | 'units'>): number {
  return clip(bad / units);
}

/** Adds settled units of the baseline, whose scores sum up to `bad`. */
export function learn(evidence: Pick<KpiEvidence, 'bad' | 'units'>, bad: number, units: number): void {
  evidence.bad += bad;
  evidence.units += units;
  if (evidence.units <= remembered) return;
  evidence.bad *= remembered / evidence.units;
  evidence.units = remembered;
}
