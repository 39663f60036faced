import type { CanaryRules } from './canary-rules.ts';
import {
  closesMs,
  forgetReleases,
  isEmpty,
  passQuietTicks,
  type Deployment,
  type Destination,
} from './deployment.ts';
import { Deployments } from './deployments.ts';
import { destinationsOf } from './destinations.ts';
import { figuresOf, isScoredLater, type RunResult } from './figures.ts';
import type { Standing } from './standing.ts';
import { closeTick, nothingIgnored, type Books, type Ignored } from './ticks.ts';
import { endRun, tickOf, unitIdOf, type Run } from './unit.ts';
import { countStart } from './starts.ts';
import { standingOf } from './verdict.ts';

/** What the judge wants to know of an open run; `SeenRun` has it. */
export interface JudgedRun {
  /** Names the run until it is finished. */
  readonly slot: number;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly sessionId: string;
  readonly userId: string;
}

/** What the judge wants to know of a run that ended; `FinishedRun` has it. */
export interface EndedRun extends RunResult {
  readonly slot: number;
}

/** All that a judge knows. Plain data. */
export interface JudgeState {
  readonly streamMs: number;
  readonly deployments: Map<string, Deployment>;
  readonly runs: Map<number, Run>;
  /** Runs that ended, of which an evaluator may yet speak; by slot, the oldest first. */
  readonly scorable: Map<number, Run>;
  /** How often the judgement of a release began, by agent, environment and release. */
  readonly starts: Map<string, number>;
  readonly ignored: Ignored;
}

const maxRuns = 200_000;
/** Beyond these, evaluators speak of the latest runs only. */
const maxScorable = 100_000;

/**
 * Judges releases by their runs, in stream time: the time at which records were appended, so that whoever reads them
 * again says the same. Units join when they are first seen and settle in order; what they are judged by is fixed before.
 */
export class Judge {
  readonly #deployments: Deployments;
  #streamMs = Number.NEGATIVE_INFINITY;
  #runs = new Map<number, Run>();
  #scorable = new Map<number, Run>();
  #starts = new Map<string, number>();
  #ignored: Ignored = { ...nothingIgnored };
  /** The next tick closes at this stream time. */
  #closesMs = Number.POSITIVE_INFINITY;
  #standings: readonly Standing[] | undefined;

  /** `rulesOf` tells the rules of the policies in use; call `rulesChanged` when they are others. */
  constructor(rulesOf: (agent: string, environment: string) => CanaryRules | undefined) {
    this.#deployments = new Deployments(rulesOf, (deployment) => this.#drop(deployment));
  }

  /** Runs that were not judged, and why. */
  get ignored(): Readonly<Ignored> {
    return this.#ignored;
  }

  /** `run` is new, or what is said of it changed, in a record appended at `timeMs`. */
  seen(run: JudgedRun, timeMs: number): void {
    const { slot, agent, environment } = run;
    const known = this.#runs.get(slot);
    if (known) {
      this.#relabel(known, run, timeMs);
      return;
    }
    const home = this.#deployments.obtain(agent, environment, timeMs);
    if (home === undefined) return;
    if (home === 'full' || this.#runs.size >= maxRuns) {
      this.#ignored.refused++;
      return;
    }
    const begun: Run = {
      slot,
      home,
      firstMs: timeMs,
      release: run.release,
      unitId: unitIdOf(home.rules, run),
      late: undefined,
      isFailed: false,
      tookMs: undefined,
      endedMs: Number.POSITIVE_INFINITY,
      figures: undefined,
      scoredMs: Number.POSITIVE_INFINITY,
      unit: undefined,
      absorbed: [],
    };
    this.#runs.set(slot, begun);
    this.#scorable.delete(slot);
    this.#await(begun);
  }

  /** What was taken for a run in `slot` turns out, in a record appended at `timeMs`, to be part of the run in `into`. */
  absorbed(slot: number, into: number, timeMs: number): void {
    const run = this.#runs.get(slot);
    if (!run) return;
    this.#runs.delete(slot);
    const { pending } = run.home;
    if (pending.has(run) && timeMs < closesMs(run.home, tickOf(run))) {
      pending.delete(run);
      return;
    }
    // It was counted as a unit, so it ends as the run that it is part of does.
    const whole = this.#runs.get(into) ?? this.#scorable.get(into);
    if (!whole) this.#runs.set(into, run);
    else if (whole.endedMs === Number.POSITIVE_INFINITY) whole.absorbed.push(run, ...run.absorbed);
    else if (whole.figures) endRun(run, whole.figures, timeMs);
  }

  /** The run ended, as a record appended at `timeMs` shows. Its labels are those it was seen with. */
  finished(run: EndedRun, timeMs: number): void {
    const known = this.#runs.get(run.slot);
    if (!known) return;
    this.#runs.delete(run.slot);
    const { home } = known;
    const { rules } = home;
    if (timeMs > known.firstMs + rules.deadlineMs) return;
    if (!home.pending.has(known) && !home.active.has(known)) return;
    const figures = figuresOf(rules, run);
    if (!figures) {
      this.#ignored.unsound++;
      return;
    }
    known.isFailed = !rules.goodOutcomes.includes(run.outcome);
    if (timeMs === known.firstMs) known.tookMs = run.endMs - run.startMs;
    endRun(known, figures, timeMs);
    if (!isUnscored(rules, figures)) return;
    home.unscored.add(known);
    this.#scorable.set(run.slot, known);
    if (this.#scorable.size <= maxScorable) return;
    const [oldest] = this.#scorable.values();
    this.#scorable.delete(oldest!.slot);
    oldest!.home.unscored.delete(oldest!);
  }

  /** What is known of a run that ended changed: what evaluators say of it counts if they had not yet spoken. */
  revised(run: EndedRun, timeMs: number): void {
    if (this.#runs.has(run.slot)) {
      this.finished(run, timeMs);
      return;
    }
    const known = this.#scorable.get(run.slot);
    if (!known) return;
    const { rules, unscored } = known.home;
    const figures = figuresOf(rules, run);
    if (!figures || !unscored.has(known) || isUnscored(rules, figures)) return;
    known.figures = known.figures!.map((was, i) => (isScoredLater(rules.kpis[i]!.kpi) ? figures[i]! : was));
    known.scoredMs = timeMs;
    this.#scorable.delete(run.slot);
  }

  /**
   * Everything that was appended before `streamMs` has been given: ticks that end long enough before it close. Returns
   * whether anything changed.
   */
  advance(streamMs: number): boolean {
    this.#streamMs = Math.max(this.#streamMs, streamMs);
    if (streamMs < this.#closesMs) return false;
    this.#standings = undefined;
    let isChanged = false;
    for (const deployment of this.#deployments.all.values())
      if (this.#closeTicks(deployment)) isChanged = true;
    this.#plan();
    return isChanged;
  }

  /** Where every release stands that is or was judged, until some days after it was last seen. */
  standings(): readonly Standing[] {
    this.#standings ??= [...this.#deployments.all.values()].flatMap((deployment) =>
      [...deployment.releases.values()].flatMap(({ pair }) =>
        pair ? [standingOf(deployment, pair, this.#streamMs)] : [],
      ),
    );
    return this.#standings;
  }

  /**
   * When a release is first judged, in stream time: its first runs are in ticks that are open. Undefined where it is known
   * already, or has no runs.
   */
  awaitedMs(agent: string, environment: string, release: string): number | undefined {
    const deployment = this.#deployments.find(agent, environment);
    if (!deployment || deployment.releases.has(release)) return undefined;
    const firstMs = [...deployment.pending]
      .filter((run) => run.release === release)
      .reduce((least, run) => Math.min(least, closesMs(deployment, tickOf(run))), Number.POSITIVE_INFINITY);
    return Number.isFinite(firstMs) ? firstMs : undefined;
  }

  /** Releases to go back to from `release`, the best first. */
  destinations(agent: string, environment: string, release: string): readonly Destination[] {
    const deployment = this.#deployments.find(agent, environment);
    return deployment ? destinationsOf(deployment, release) : [];
  }

  /** The policies in use changed. What is being judged goes on by the rules it began with; what no policy covers any more is forgotten. */
  rulesChanged(): void {
    this.#deployments.rulesChanged();
  }

  /** All that is known, lent until the judge is told something. */
  save(): JudgeState {
    return {
      streamMs: this.#streamMs,
      deployments: this.#deployments.all,
      runs: this.#runs,
      scorable: this.#scorable,
      starts: this.#starts,
      ignored: this.#ignored,
    };
  }

  /** Goes on with what was saved, which is then the judge's own. */
  restore(state: JudgeState): void {
    this.#streamMs = state.streamMs;
    this.#runs = state.runs;
    this.#scorable = state.scorable;
    this.#starts = state.starts;
    this.#ignored = state.ignored;
    this.#standings = undefined;
    this.#deployments.restore(state.deployments);
    this.#plan();
  }

  /** Begins anew, without evidence; that releases were judged before, as `spent` says, makes them need more of it. */
  restart(spent?: Pick<JudgeState, 'starts'>): void {
    this.restore({
      streamMs: Number.NEGATIVE_INFINITY,
      deployments: new Map(),
      runs: new Map(),
      scorable: new Map(),
      starts: new Map(spent?.starts),
      ignored: { ...nothingIgnored },
    });
  }

  #relabel(known: Run, run: JudgedRun, timeMs: number): void {
    const { pending } = known.home;
    const unitId = unitIdOf(known.home.rules, run);
    const { agent, environment } = known.home;
    const isMoved = agent !== run.agent || environment !== run.environment;
    if (!isMoved && known.release === run.release && known.unitId === unitId) return;
    if (!pending.has(known) || timeMs >= closesMs(known.home, tickOf(known))) {
      this.#ignored.relabelled++;
      if (isMoved || known.release !== run.release)
        known.late ??= { release: isMoved ? known.release : run.release, timeMs };
      return;
    }
    known.release = run.release;
    known.unitId = unitId;
    if (!isMoved) return;
    pending.delete(known);
    const home = this.#deployments.obtain(run.agent, run.environment, known.firstMs);
    if (home === undefined || home === 'full') {
      if (home === 'full') this.#ignored.refused++;
      this.#runs.delete(run.slot);
      return;
    }
    known.home = home;
    known.unitId = unitIdOf(home.rules, run);
    this.#await(known);
  }

  #await(run: Run): void {
    run.home.pending.add(run);
    this.#closesMs = Math.min(this.#closesMs, closesMs(run.home, run.home.tickMs));
  }

  #drop(deployment: Deployment): void {
    this.#standings = undefined;
    for (const runs of [this.#runs, this.#scorable])
      for (const [slot, { home }] of runs) if (home === deployment) runs.delete(slot);
  }

  #closeTicks(deployment: Deployment): boolean {
    const books: Books = {
      ignored: this.#ignored,
      scorable: this.#scorable,
      startsOf: (of, release) => countStart(this.#starts, of, release),
    };
    let isChanged = false;
    while (closesMs(deployment, deployment.tickMs) <= this.#streamMs) {
      if (passQuietTicks(deployment, this.#streamMs)) {
        if (forgetReleases(deployment, this.#streamMs)) isChanged = true;
        continue;
      }
      closeTick(deployment, books);
      isChanged = true;
    }
    if (isEmpty(deployment)) {
      this.#deployments.forget(deployment);
      isChanged = true;
    }
    return isChanged;
  }

  #plan(): void {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const deployment of this.#deployments.all.values())
      nextMs = Math.min(nextMs, closesMs(deployment, deployment.tickMs));
    this.#closesMs = nextMs;
  }
}

function isUnscored({ kpis }: CanaryRules, figures: readonly number[]): boolean {
  return kpis.some(({ kpi }, i) => isScoredLater(kpi) && Number.isNaN(figures[i]!));
}
