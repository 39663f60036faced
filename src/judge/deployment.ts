import type { CanaryRules } from './canary-rules.ts';
import { isQuiet, passTicks } from './blocks.ts';
import { historyOf, type History } from './history.ts';
import { idleMs } from './idle.ts';
import { isNamed, newEnds, type Ends } from './membership.ts';
import { newPair, sideOf, type Pair } from './pair.ts';
import type { Run, Unit } from './unit.ts';

/** A release that one may go back to, and why: it passed, or it was what others were compared with. */
export interface Destination {
  readonly release: string;
  readonly why: 'passed' | 'established';
}

/** One release of an agent in an environment. */
export interface Release {
  readonly name: string;
  /** Start of the latest tick in which a unit of it joined, or of that in which it was first seen. */
  lastMs: number;
  /** Units since the incumbent had its latest. */
  units: number;
  /** It was the incumbent. */
  isEstablished: boolean;
  history: History;
  readonly ends: Ends;
  /** How it is judged now, or was last. */
  pair: Pair | undefined;
  /** Sessions or users whose first hour is not over, by id. */
  readonly open: Map<string, Unit>;
  /** Hashes of those that are over: what comes of them later is ignored. */
  readonly over: Set<number>;
}

/** An agent in an environment, with its releases. Plain data, all of which a snapshot keeps. */
export interface Deployment {
  readonly agent: string;
  readonly environment: string;
  rules: CanaryRules;
  /** Those of the policy in use, where a pair that is being judged keeps `rules` in place. */
  nextRules: CanaryRules | undefined;
  /** Since when there are such. */
  nextSinceMs: number;
  /** Start of the oldest tick that is not closed. */
  tickMs: number;
  /** Start of the latest tick in which it had a run. */
  lastMs: number;
  /** The release that new ones are compared with. */
  incumbent: string | undefined;
  readonly releases: Map<string, Release>;
  /** Some that are not among them any more, the one that was seen last first. */
  remembered: readonly Destination[];
  /** Runs of ticks that are not closed. */
  readonly pending: Set<Run>;
  /** Runs that joined a unit and have not ended. */
  readonly active: Set<Run>;
  /** Units that are not settled. */
  readonly units: Set<Unit>;
  /** Runs that an evaluator may speak of: it has not yet, or its score is not yet taken. */
  readonly unscored: Set<Run>;
}

const minuteMs = 60_000;
/**
 * Another release takes the place of an incumbent that is idle once it had so many units since, and where there is none the
 * one that had most of so many: chance alone hardly makes it a candidate.
 */
const enoughUnits = 10;
/** After so long without a unit, what becomes of its baseline tells nothing of a candidate any more. */
const restMs = 24 * 60 * minuteMs;
const forgetMs = 7 * 24 * 60 * minuteMs;
const maxReleases = 64;
const maxRemembered = 8;

export function newDeployment(
  agent: string,
  environment: string,
  rules: CanaryRules,
  timeMs: number,
): Deployment {
  const tickMs = Math.floor(timeMs / rules.tickMs) * rules.tickMs;
  return {
    agent,
    environment,
    rules,
    nextRules: undefined,
    nextSinceMs: tickMs,
    tickMs,
    lastMs: tickMs,
    incumbent: undefined,
    releases: new Map(),
    remembered: [],
    pending: new Set(),
    active: new Set(),
    units: new Set(),
    unscored: new Set(),
  };
}

/** When a tick that begins at `tickMs` closes: labels of its runs are known by then. */
export function closesMs({ rules }: Pick<Deployment, 'rules'>, tickMs: number): number {
  return tickMs + rules.tickMs + Math.min(rules.tickMs, minuteMs / 2);
}

/** The release of that name; undefined when there are too many that are in use. */
export function releaseOf(deployment: Deployment, name: string): Release | undefined {
  const { releases, rules, tickMs, incumbent, remembered } = deployment;
  const known = releases.get(name);
  if (known) return known;
  if (releases.size >= maxReleases) {
    const [oldest] = [...releases.values()]
      .filter((release) => release.name !== incumbent && release.lastMs < tickMs - idleMs)
      .toSorted((a, b) => a.lastMs - b.lastMs);
    if (!oldest) return undefined;
    forgetRelease(deployment, oldest);
  }
  const release: Release = {
    name,
    lastMs: tickMs,
    units: 0,
    isEstablished: remembered.some((destination) => destination.release === name),
    history: historyOf(rules.kpis.length),
    ends: newEnds(),
    pair: undefined,
    open: new Map(),
    over: new Set(),
  };
  releases.set(name, release);
  deployment.remembered = remembered.filter((destination) => destination.release !== name);
  return release;
}

/** Notes that in the tick at `tickMs` so many units joined by release, and says who is the incumbent then. */
export function noteUnits(
  deployment: Deployment,
  joined: ReadonlyMap<Release, number>,
  tickMs: number,
): void {
  const { releases } = deployment;
  for (const [release, units] of joined) {
    release.lastMs = tickMs;
    release.units += units;
  }
  const incumbent = deployment.incumbent === undefined ? undefined : releases.get(deployment.incumbent);
  if (incumbent && joined.has(incumbent)) for (const release of releases.values()) release.units = 0;
  if (incumbent && tickMs - incumbent.lastMs < idleMs) return;
  const [next] = [...(incumbent ? joined.keys() : releases.values())].toSorted((a, b) => b.units - a.units);
  let units = 0;
  for (const release of releases.values()) units += release.units;
  if (next && (incumbent ? next.units : units) >= enoughUnits) install(deployment, next);
}

function install(deployment: Deployment, release: Release): void {
  deployment.incumbent = release.name;
  release.isEstablished ||= release.pair?.failedMs === undefined;
  for (const { pair } of deployment.releases.values())
    if (pair) pair.isConcurrent = pair.baseline === release.name;
}

/** Begins to judge releases that units joined in the tick at `tickMs`, where nothing does. `startsOf` counts one more start. */
export function beginPairs(
  deployment: Deployment,
  joined: Iterable<Release>,
  tickMs: number,
  startsOf: (release: string) => number,
): void {
  const { incumbent: baseline, releases, rules } = deployment;
  if (baseline === undefined) return;
  for (const release of joined) {
    const { name, pair } = release;
    const isGoing = pair !== undefined && !pair.isOver;
    if (name === baseline) {
      const hasFloor = rules.kpis.some(({ floor }) => floor !== undefined);
      if (!isGoing && hasFloor)
        release.pair = newPair(
          { candidate: name, baseline: undefined },
          rules,
          { history: [], ends: [release.ends] },
          tickMs,
          1,
        );
    } else if (!isGoing || pair.baseline !== baseline) {
      const { history = [], ends = newEnds() } = releases.get(baseline) ?? {};
      const known = { history, ends: [release.ends, ends] };
      release.pair = newPair({ candidate: name, baseline }, rules, known, tickMs, startsOf(name));
    }
  }
}

/** The pairs that units join in the tick at `tickMs`. */
export function pairsAt({ releases }: Deployment, tickMs: number): readonly Pair[] {
  const pairs: Pair[] = [];
  for (const { pair, lastMs } of releases.values())
    if (pair && !pair.isOver && lastMs > tickMs - restMs) pairs.push(pair);
  return pairs;
}

/** Notes a run of `release` in the pairs that units join now: where that is no name, in all of them, as one that says it late. */
export function noteMember(deployment: Deployment, release: string): void {
  const isLate = !isNamed(release);
  for (const pair of pairsAt(deployment, deployment.tickMs)) {
    if (!isLate && !sideOf(pair, release)) continue;
    pair.membership.runs++;
    if (isLate) pair.membership.late++;
  }
}

/** A run that was noted as one of `was` turned out to be one of `is`. */
export function noteLate(deployment: Deployment, was: string, is: string): void {
  for (const pair of pairsAt(deployment, deployment.tickMs)) {
    const isNoted = sideOf(pair, was) !== undefined;
    if (!isNoted && !sideOf(pair, is)) continue;
    if (!isNoted) pair.membership.runs++;
    pair.membership.late++;
  }
}

/** Lets all ticks pass that close until `streamMs`; false where something waits in one of them. */
export function passQuietTicks(deployment: Deployment, streamMs: number): boolean {
  const { releases, rules, tickMs } = deployment;
  const pairs = [...releases.values()].flatMap(({ pair }) => pair ?? []);
  if (isWaiting(deployment) || !pairs.every(isSettled)) return false;
  const ticks = Math.floor((streamMs - closesMs(deployment, tickMs)) / rules.tickMs) + 1;
  deployment.tickMs += ticks * rules.tickMs;
  for (const { ended, scored } of pairs) {
    passTicks(ended, ticks);
    passTicks(scored, ticks);
  }
  return true;
}

/** Whether nothing of the pair waits for anything. */
export function isSettled({ isOver, ended, scored }: Pair): boolean {
  return isOver || (isQuiet(ended) && isQuiet(scored));
}

/** Forgets releases that were not seen for some days; whether there were any. */
export function forgetReleases(deployment: Deployment, nowMs: number): boolean {
  const { releases } = deployment;
  const old = [...releases.values()].filter(({ lastMs }) => lastMs < nowMs - forgetMs);
  for (const release of old.toSorted((a, b) => a.lastMs - b.lastMs)) forgetRelease(deployment, release);
  return old.length > 0;
}

/** Forgets all of a release but that one may go back to it, where that is so. */
function forgetRelease(deployment: Deployment, release: Release): void {
  deployment.releases.delete(release.name);
  const destination = destinationOf(release);
  if (destination) deployment.remembered = [destination, ...deployment.remembered].slice(0, maxRemembered);
}

/** The release as one to go back to; undefined where it failed, or nothing is known in its favour. */
export function destinationOf({ name, pair, isEstablished }: Release): Destination | undefined {
  const hasPassed = pair?.passedMs !== undefined;
  if (pair?.failedMs !== undefined || !(hasPassed || isEstablished)) return undefined;
  return { release: name, why: hasPassed ? 'passed' : 'established' };
}

/** Whether something of it is to come. */
function isWaiting({ pending, active, units, unscored }: Deployment): boolean {
  return pending.size + active.size + units.size + unscored.size > 0;
}

/** Whether nothing is left of it. */
export function isEmpty(deployment: Deployment): boolean {
  const { releases, remembered, lastMs, tickMs } = deployment;
  return releases.size + remembered.length === 0 && !isWaiting(deployment) && lastMs < tickMs - forgetMs;
}

/** Whether it had no run for a while, and nothing is to come of those it had. */
function isIdle(deployment: Deployment): boolean {
  return !isWaiting(deployment) && deployment.lastMs < deployment.tickMs - idleMs;
}

/** Takes new rules into use, for what begins from now on: where they mean something else, once no canary is being judged by those there are. */
export function adoptRules(deployment: Deployment): void {
  const { nextRules, nextSinceMs, rules, releases, tickMs } = deployment;
  if (!nextRules) return;
  const isSame = meaningOf(rules) === meaningOf(nextRules);
  const isJudging = [...releases.values()].some(
    ({ pair, lastMs }) => pair?.isConcurrent === true && !pair.isOver && lastMs > tickMs - idleMs,
  );
  // By rules of the same meaning the next one begins at once; for others, canaries that overlap make none wait for ever.
  const isAtOnce = isSame && rules.tickMs === nextRules.tickMs;
  if (isJudging && !isAtOnce && tickMs < nextSinceMs + rules.maxMs) return;
  deployment.nextRules = undefined;
  deployment.rules = nextRules;
  deployment.tickMs = Math.ceil(tickMs / nextRules.tickMs) * nextRules.tickMs;
  // One that no other is compared with is judged anew: a floor that was set too high is corrected so.
  for (const { pair } of releases.values()) if (pair && !pair.isConcurrent) pair.isOver = true;
  if (isSame) return;
  for (const release of releases.values()) {
    release.history = historyOf(nextRules.kpis.length);
    release.open.clear();
    release.over.clear();
    if (release.pair) release.pair.isOver = true;
  }
  for (const set of [deployment.pending, deployment.active, deployment.units, deployment.unscored])
    set.clear();
}

/** What units are and show by the rules: what was seen by others means something else. */
function meaningOf({ unit, deadlineMs, goodOutcomes, kpis }: CanaryRules): string {
  return JSON.stringify([unit, deadlineMs, goodOutcomes, kpis.map(({ kpi, evaluator }) => [kpi, evaluator])]);
}

/** The one of `deployments` that is idle for longest; undefined where none is. */
export function longestIdle(deployments: Iterable<Deployment>): Deployment | undefined {
  let oldest: Deployment | undefined;
  for (const deployment of deployments)
    if (isIdle(deployment) && !(oldest && oldest.lastMs <= deployment.lastMs)) oldest = deployment;
  return oldest;
}
