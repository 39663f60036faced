import type { KpiIncident, KpiRun, KpiScore, KpiToolCall } from './facts.ts';
import type { Family } from './family.ts';
import { gaugeFamilies, type Judgement } from './gauges.ts';
import { isRatioed, runSeconds, runSums, scoreSums, toolSums } from './kpi-sums.ts';
import { runKpis, scoreKpis, toolKpis } from './kpi-table.ts';
import { RollingTable, type Rolling, type RollingState } from './rolling-table.ts';
import type { Series } from './series-table.ts';
import { logBucket, shareBucket } from './sketch.ts';
import type { Window } from './window.ts';

type ScoreSeries = Series<Rolling<undefined>>;
type RunSeries = Series<Rolling<Held[]>>;

/** Where windows hold a run, by which it can be taken back. Runs that are held in the same series share it. */
export interface Held {
  readonly run: RunSeries;
  readonly scores: readonly HeldScore[];
  /** Its place in the latest state that was saved. */
  index: number;
}

interface HeldScore {
  readonly evaluator: string;
  readonly series: ScoreSeries;
}

/** What the windows hold as plain data. */
export interface WindowsState {
  readonly runs: RollingState;
  readonly scores: RollingState;
  readonly tools: RollingState;
  readonly held: HeldState;
}

/** Every `Held` that there is, by the places of its series in their tables. */
interface HeldState {
  readonly runs: Int32Array;
  /** How many scores each has. */
  readonly scores: Int32Array;
  readonly scoreSeries: Int32Array;
  readonly evaluators: readonly string[];
}

/** So many sets of evaluators of one release are shared; runs with others have their own `Held`. */
const sharedLimit = 16;

/** Rolling KPIs over event-time windows. What the windows have passed is forgotten by `sweep`. */
export class RollingKpis {
  readonly #runs: RollingTable<KpiRun, keyof typeof runSums, Held[]>;
  readonly #scores: RollingTable<KpiScore, keyof typeof scoreSums>;
  readonly #tools: RollingTable<KpiToolCall, keyof typeof toolSums>;
  readonly #windows: readonly Window[];
  /** Of the run at hand. */
  readonly #found: HeldScore[] = [];

  /** `limits` are label sets, of runs (and of scores) and of tools. */
  constructor(windows: readonly Window[], limits: { readonly runs: number; readonly tools: number }) {
    const { runs, tools } = limits;
    this.#windows = windows;
    this.#runs = new RollingTable({ windows, limit: runs, depth: 3, sums: runSums, own: () => [] });
    this.#scores = new RollingTable({ windows, limit: runs, depth: 4, sums: scoreSums, own: nothing });
    this.#tools = new RollingTable({ windows, limit: tools, depth: 4, sums: toolSums, own: nothing });
  }

  /** Events that went to the overflow series. */
  get overflowed(): { readonly runs: number; readonly scores: number; readonly tools: number } {
    return {
      runs: this.#runs.series.overflowed,
      scores: this.#scores.series.overflowed,
      tools: this.#tools.series.overflowed,
    };
  }

  /** Counts a run and returns where; undefined when every window has passed it. */
  addRun(run: KpiRun): Held | undefined {
    const series = this.#runs.series.at(run.closedMs, run.agent, run.release, run.environment);
    if (!this.#runs.add(series, run, run.closedMs, logBucket(runSeconds(run)))) return undefined;
    return this.#hold(series, run, undefined);
  }

  /** Counts `after` in place of `before`, which `held` holds. A run that keeps its labels keeps its series. */
  replaceRun(before: KpiRun, held: Held, after: KpiRun): Held | undefined {
    if (!held.run.kept) return undefined;
    this.#runs.takeBack(held.run, before, before.closedMs, logBucket(runSeconds(before)));
    for (const { evaluator, series } of held.scores) {
      const score = before.scores.get(evaluator);
      if (score !== undefined)
        this.#scores.takeBack(series, { evaluator, score }, before.closedMs, shareBucket(score));
    }
    const { agent, release, environment, closedMs } = after;
    const moved = agent !== before.agent || release !== before.release || environment !== before.environment;
    const table = this.#runs.series;
    const series = moved ? table.at(closedMs, agent, release, environment) : held.run;
    table.touch(series, closedMs);
    if (!this.#runs.add(series, after, closedMs, logBucket(runSeconds(after)))) return undefined;
    return this.#hold(series, after, moved ? undefined : held);
  }

  /** Counts the scores of `run`, where those of `before` are counted if there are any, and says where the run is held. */
  #hold(series: RunSeries, run: KpiRun, before: Held | undefined): Held {
    const found = this.#found;
    found.length = 0;
    const { agent, release, environment, closedMs } = run;
    const table = this.#scores.series;
    for (const [evaluator, score] of run.scores) {
      const known = before?.scores.find((one) => one.evaluator === evaluator)?.series;
      const scored = known?.kept ? known : table.at(closedMs, agent, release, environment, evaluator);
      table.touch(scored, closedMs);
      this.#scores.add(scored, { evaluator, score }, closedMs, shareBucket(score));
      found.push({ evaluator, series: scored });
    }
    const shared = series.state.own;
    for (const held of shared) if (isHeld(held, found)) return held;
    const held: Held = { run: series, scores: [...found], index: -1 };
    if (shared.length < sharedLimit) shared.push(held);
    return held;
  }

  /** Counts a tool call. False when every window has passed it. */
  addCall(call: KpiToolCall): boolean {
    const { agent, release, environment, tool, endMs } = call;
    const series = this.#tools.series.at(endMs, agent, release, environment, tool);
    return this.#tools.add(series, call, endMs, isRatioed(call) ? logBucket(call.durationMs / 1000) : -1);
  }

  /** Counts an incident. False when every window has passed it. */
  addIncident({ agent, release, environment, timeMs }: KpiIncident): boolean {
    const series = this.#runs.series.at(timeMs, agent, release, environment);
    return this.#runs.addTo(series, 'incidents', 1, timeMs);
  }

  /** Forgets what every window has passed. */
  sweep(watermarkMs: number): void {
    for (const table of [this.#runs, this.#scores, this.#tools]) table.sweep(watermarkMs);
  }

  /** Copies of everything, and of those of `held` whose series is not forgotten; each of these gets its `index`. */
  save(held: readonly Held[]): WindowsState {
    const [runs, scores, tools] = [this.#runs.save(), this.#scores.save(), this.#tools.save()];
    const sizes = new Int32Array(held.length);
    const scoreSeries: number[] = [];
    const evaluators: string[] = [];
    for (const [i, one] of held.entries()) {
      one.index = i;
      for (const { evaluator, series } of one.scores) {
        if (!series.kept) continue;
        scoreSeries.push(series.index);
        evaluators.push(evaluator);
        sizes[i]! += 1;
      }
    }
    const state: HeldState = {
      runs: Int32Array.from(held, ({ run }) => run.index),
      scores: sizes,
      scoreSeries: Int32Array.from(scoreSeries),
      evaluators,
    };
    return { runs, scores, tools, held: state };
  }

  /** Takes what `save` gave, when nothing was counted yet; returns the `Held` that it was given. Windows are filled since what `filledSinceMs` says of their length. */
  restore(state: WindowsState, filledSinceMs: ReadonlyMap<number, number>): readonly Held[] {
    const runs = this.#runs.restore(state.runs, filledSinceMs);
    const scores = this.#scores.restore(state.scores, filledSinceMs);
    this.#tools.restore(state.tools, filledSinceMs);
    const { evaluators, scoreSeries } = state.held;
    let at = 0;
    return Array.from(state.held.runs, (run, index) => {
      const end = at + state.held.scores[index]!;
      const found: HeldScore[] = [];
      for (; at < end; at++) found.push({ evaluator: evaluators[at]!, series: scores[scoreSeries[at]!]! });
      const held: Held = { run: runs[run]!, scores: found, index };
      const shared = held.run.state.own;
      if (shared.length < sharedLimit) shared.push(held);
      return held;
    });
  }

  /** Whether the window of `lengthMs` goes on with what `state` holds. */
  takes(state: WindowsState, lengthMs: number): boolean {
    return (
      this.#runs.takes(state.runs, lengthMs) &&
      this.#scores.takes(state.scores, lengthMs) &&
      this.#tools.takes(state.tools, lengthMs)
    );
  }

  /** The gauges as of `watermarkMs`. A gauge without a denominator is absent. */
  families(watermarkMs: number, judgement: Judgement): readonly Family[] {
    const given = { windows: this.#windows, judgement };
    return [
      ...gaugeFamilies(this.#runs, { ...given, kpis: runKpis, labels: runLabels }, watermarkMs),
      ...gaugeFamilies(this.#scores, { ...given, kpis: scoreKpis, labels: scoreLabels }, watermarkMs),
      ...gaugeFamilies(this.#tools, { ...given, kpis: toolKpis, labels: toolLabels }, watermarkMs),
    ];
  }
}

const runLabels = ['agent', 'release', 'environment'] as const;
const scoreLabels = [...runLabels, 'evaluator'] as const;
const toolLabels = [...runLabels, 'tool'] as const;

function nothing(): undefined {
  return undefined;
}

function isHeld({ scores }: Held, found: readonly HeldScore[]): boolean {
  if (scores.length !== found.length) return false;
  for (let i = 0; i < found.length; i++) {
    const [one, other] = [scores[i]!, found[i]!];
    if (one.series !== other.series || one.evaluator !== other.evaluator) return false;
  }
  return true;
}
