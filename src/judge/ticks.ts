import type { CanaryRules } from './canary-rules.ts';
import {
  adoptRules,
  beginPairs,
  closesMs,
  forgetReleases,
  isSettled,
  noteLate,
  noteMember,
  noteUnits,
  pairsAt,
  releaseOf,
  type Deployment,
  type Release,
} from './deployment.ts';
import { figuresAtDeadline, isScoredLater, type Figures } from './figures.ts';
import { remember } from './history.ts';
import { addEnd, isNamed } from './membership.ts';
import { endPairTick, join, score, settleUnit, sideOf } from './pair.ts';
import { addFigures, addRun, meansOf, newUnit, type Run, type Unit } from './unit.ts';

/** Runs of which not all was taken, and why. */
export interface Ignored {
  /** A later one of a unit that was counted. */
  again: number;
  /** It had not ended by its deadline: it counts as failed. */
  late: number;
  /** It changed its release or unit when its tick was closed. */
  relabelled: number;
  /** A figure of it was no number. */
  unsound: number;
  /** There was no room for it. */
  refused: number;
}

/** No run was left out. */
export const nothingIgnored: Readonly<Ignored> = { again: 0, late: 0, relabelled: 0, unsound: 0, refused: 0 };

/** Who counts what the ticks of a deployment leave out and begin. */
export interface Books {
  readonly ignored: Ignored;
  /** Runs that ended without a score, by their slot. */
  readonly scorable: Map<number, Run>;
  startsOf(deployment: Deployment, release: string): number;
}

const maxOver = 50_000;
/** Evaluators may speak of a run for at least so long. */
const scoreMs = 3_600_000;

/** Closes the oldest tick: its runs join, what ended in time settles, and pairs take their evidence. */
export function closeTick(deployment: Deployment, books: Books): void {
  const { tickMs, rules } = deployment;
  const nowMs = closesMs(deployment, tickMs);
  deployment.tickMs += rules.tickMs;
  const { units, members } = joinRuns(deployment, tickMs + rules.tickMs, books);
  if (members.length > 0) deployment.lastMs = tickMs;
  const joined = new Map<Release, number>();
  for (const unit of units) {
    const release = deployment.releases.get(unit.release)!;
    joined.set(release, (joined.get(release) ?? 0) + 1);
  }
  noteUnits(deployment, joined, tickMs);
  beginPairs(deployment, joined.keys(), tickMs, (name) => books.startsOf(deployment, name));
  for (const unit of units) placeUnit(deployment, unit, tickMs);
  for (const { release } of members) noteMember(deployment, release);
  settleRuns(deployment, nowMs, books);
  takeScores(deployment, nowMs, books);
  settleUnits(deployment, nowMs);
  const company = pairsAt(deployment, tickMs);
  const end = { timeMs: tickMs, nowMs, units: units.length, company };
  const going = new Set(company);
  for (const { pair } of deployment.releases.values())
    if (pair && (going.has(pair) || !isSettled(pair))) endPairTick(pair, end);
  forgetReleases(deployment, nowMs);
  adoptRules(deployment);
}

/** Makes the runs that were first seen before `endMs` members of units. Returns them, with those of no release, which join none, and the units that are new. */
function joinRuns(
  deployment: Deployment,
  endMs: number,
  { ignored }: Books,
): { readonly members: readonly Run[]; readonly units: readonly Unit[] } {
  const { pending, active, units, rules } = deployment;
  const begun: Unit[] = [];
  const members: Run[] = [];
  for (const run of pending) {
    if (run.firstMs >= endMs) continue;
    pending.delete(run);
    if (!isNamed(run.release)) {
      members.push(run);
      continue;
    }
    const release = releaseOf(deployment, run.release);
    if (!release) ignored.refused++;
    else if (isOver(release, run)) ignored.again++;
    else {
      let unit = run.unitId === '' ? undefined : release.open.get(run.unitId);
      if (!unit) {
        unit = newUnit(rules, run);
        units.add(unit);
        begun.push(unit);
        if (run.unitId !== '') release.open.set(run.unitId, unit);
      }
      addRun(rules, unit, run);
      active.add(run);
      members.push(run);
    }
  }
  return { members, units: begun };
}

/** Whether the unit of `run` is one that takes no more runs. */
function isOver({ open, over }: Release, { unitId, firstMs }: Run): boolean {
  if (unitId === '') return false;
  const unit = open.get(unitId);
  return unit ? firstMs >= unit.untilMs : over.has(hashOf(unitId));
}

function placeUnit(deployment: Deployment, unit: Unit, tickMs: number): void {
  for (const pair of pairsAt(deployment, tickMs)) {
    const side = sideOf(pair, unit.release);
    if (side && unit.firstMs >= pair.startedMs) unit.places.push({ pair, side, tally: join(pair, side) });
  }
}

/** Ends the runs that ended before `nowMs`, or did not by their deadline. */
function settleRuns(deployment: Deployment, nowMs: number, { ignored }: Books): void {
  const { active, unscored, rules, releases } = deployment;
  for (const run of active) {
    const isLate = run.firstMs + rules.deadlineMs < nowMs;
    if (run.endedMs >= nowMs && !isLate) continue;
    active.delete(run);
    const unit = run.unit!;
    unit.open--;
    if (run.late && run.late.timeMs < nowMs) noteLate(deployment, run.release, run.late.release);
    const isInTime = run.endedMs < nowMs && run.endedMs <= run.firstMs + rules.deadlineMs;
    const ends = releases.get(unit.release)?.ends;
    if (ends) addEnd(ends, run.isFailed || !isInTime, isInTime ? run.tookMs : undefined);
    if (!isInTime) ignored.late++;
    const shown = (isInTime ? run.figures : undefined) ?? figuresAtDeadline(rules);
    // What evaluators say later is taken with the scores, and only there.
    addFigures(unit, unscored.has(run) ? figuresOfKind(rules, shown, false) : shown);
    if (!isInTime) unscored.delete(run);
  }
}

function settleUnits({ units, releases }: Deployment, nowMs: number): void {
  for (const unit of units) {
    if (unit.open > 0 || nowMs < unit.untilMs) continue;
    units.delete(unit);
    unit.isSettled = true;
    const figures = meansOf(unit);
    const release = releases.get(unit.release);
    if (release) {
      remember(release.history, figures);
      if (unit.id !== '') retire(release, unit.id);
    }
    for (const { pair, side, tally } of unit.places) {
      settleUnit(pair, side, tally, figures);
      if (pair.scored.kpis.some(({ index }) => unit.counts[index]! > 0)) score(pair, side, figures);
    }
  }
}

function retire({ open, over }: Release, id: string): void {
  open.delete(id);
  over.add(hashOf(id));
  if (over.size > maxOver) for (const oldest of over) if (over.delete(oldest)) break;
}

/** Takes what evaluators said before `nowMs` of runs that had ended without a score. */
function takeScores(
  { pending, unscored, releases, rules }: Deployment,
  nowMs: number,
  { scorable }: Books,
): void {
  const forMs = Math.max(rules.deadlineMs, scoreMs);
  for (const run of unscored) {
    if (pending.has(run)) continue;
    const isSaid = run.scoredMs < nowMs;
    if (!isSaid && run.firstMs + forMs > nowMs) continue;
    unscored.delete(run);
    if (scorable.get(run.slot) === run) scorable.delete(run.slot);
    const { unit, figures } = run;
    if (!isSaid || !unit) continue; // a run of no release joins no unit
    const said = figuresOfKind(rules, figures!, true);
    if (!unit.isSettled) addFigures(unit, said);
    else if (unit.id === '') {
      const release = releases.get(unit.release);
      if (release) remember(release.history, said);
      for (const { pair, side } of unit.places) score(pair, side, said);
    }
  }
}

/** Those of `figures` that are scored later, or the others; NaN in place of the rest. */
function figuresOfKind({ kpis }: CanaryRules, figures: Figures, areScoredLater: boolean): Figures {
  return figures.map((figure, i) => (isScoredLater(kpis[i]!.kpi) === areScoredLater ? figure : Number.NaN));
}

/** 53 bits of the two halves of an FNV-1a hash, forwards and backwards. */
function hashOf(text: string): number {
  let high = 0x81_1c_9d_c5;
  let low = high;
  for (let i = 0; i < text.length; i++) {
    high = Math.imul(high ^ text.charCodeAt(i), 0x01_00_01_93);
    low = Math.imul(low ^ text.charCodeAt(text.length - 1 - i), 0x01_00_01_93);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}
