import type { CanaryRules } from './canary-rules.ts';
import { isQuiet, passTicks } from './blocks.ts';
import { historyOf, type History } from './history.ts';
import { idleMs } from './idle.ts';
import { newPair, type Pair } from './pair.ts';
import type { Run, Unit } from './unit.ts';

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
  /** Start of the oldest tick that is not closed. */
  tickMs: number;
  /** The release that new ones are compared with. */
  incumbent: string | undefined;
  readonly releases: Map<string, Release>;
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
/** Another release takes the place of an incumbent that is idle once it had so many units since: chance alone hardly does that. */
const enoughUnits = 10;
/** After so long without a unit, what becomes of its baseline tells nothing of a candidate any more. */
const restMs = 24 * 60 * minuteMs;
const forgetMs = 7 * 24 * 60 * minuteMs;
const maxReleases = 64;

export function newDeployment(
  agent: string,
  environment: string,
  rules: CanaryRules,
  timeMs: number,
): Deployment {
  return {
    agent,
    environment,
    rules,
    nextRules: undefined,
    tickMs: Math.floor(timeMs / rules.tickMs) * rules.tickMs,
    incumbent: undefined,
    releases: new Map(),
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
  const { releases, rules, tickMs, incumbent } = deployment;
  const known = releases.get(name);
  if (known) return known;
  if (releases.size >= maxReleases) {
    const [oldest] = [...releases.values()]
      .filter((release) => release.name !== incumbent && release.lastMs < tickMs - idleMs)
      .toSorted((a, b) => a.lastMs - b.lastMs);
    if (!oldest) return undefined;
    releases.delete(oldest.name);
  }
  const release: Release = {
    name,
    lastMs: tickMs,
    units: 0,
    isEstablished: false,
    history: historyOf(rules.kpis.length),
    pair: undefined,
    open: new Map(),
    over: new Set(),
  };
  releases.set(name, release);
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
  const isIdle = !incumbent || tickMs - incumbent.lastMs >= idleMs;
  if (!isIdle) return;
  const [next] = [...joined.keys()].toSorted((a, b) => b.units - a.units);
  if (next && (!incumbent || next.units >= enoughUnits)) install(deployment, next);
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
  for (const release of joined) {
    const { name, pair } = release;
    const isGoing = pair !== undefined && !pair.isOver;
    if (name === baseline) {
      const hasFloor = rules.kpis.some(({ floor }) => floor !== undefined);
      if (!isGoing && hasFloor)
        release.pair = newPair({ candidate: name, baseline: undefined }, rules, [], tickMs, 1);
    } else if (!isGoing || pair.baseline !== baseline) {
      const history = releases.get(baseline!)?.history ?? [];
      release.pair = newPair({ candidate: name, baseline }, rules, history, tickMs, startsOf(name));
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

/** Lets all ticks pass that close until `streamMs`; false where something waits in one of them. */
export function passQuietTicks(deployment: Deployment, streamMs: number): boolean {
  const { pending, active, units, unscored, releases, rules, tickMs } = deployment;
  const pairs = [...releases.values()].flatMap(({ pair }) => pair ?? []);
  if (pending.size + active.size + units.size + unscored.size > 0 || !pairs.every(isSettled)) return false;
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

/** Forgets releases that were not seen for some days. */
export function forgetReleases({ releases }: Deployment, nowMs: number): void {
  for (const { name, lastMs } of releases.values()) if (lastMs < nowMs - forgetMs) releases.delete(name);
}

/** Takes new rules into use, for what begins from now on, once no canary is being judged by those there are. */
export function adoptRules(deployment: Deployment): void {
  const { nextRules, rules, releases, tickMs } = deployment;
  if (!nextRules) return;
  const isJudging = [...releases.values()].some(
    ({ pair, lastMs }) => pair?.isConcurrent === true && !pair.isOver && lastMs > tickMs - idleMs,
  );
  if (isJudging) return;
  deployment.nextRules = undefined;
  deployment.rules = nextRules;
  deployment.tickMs = Math.ceil(tickMs / nextRules.tickMs) * nextRules.tickMs;
  if (meaningOf(rules) === meaningOf(nextRules)) return;
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
