import { escalationReasons, evidenceLevels, outcomes, results, severities } from '../semconv/vocabulary.ts';
import type { KpiIncident, KpiRun, KpiToolCall } from './facts.ts';
import { escalationReasonOf, isRatioed, runSeconds } from './kpi-sums.ts';
import type { Held } from './rolling.ts';
import { SeriesTable, type Series, type SeriesState } from './series-table.ts';

/** Upper bounds of the buckets of run durations, in seconds. */
export const runBounds = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600] as const;
/** Upper bounds of the buckets of tool-call durations, in seconds. */
export const callBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] as const;
/** What money is spent on. */
export const categories = ['llm', 'tool', 'review'] as const;

/** Where in a row of numbers of a series each kind of count begins. A histogram has a count for each bound, one beyond, and the sum. */
export const runPlaces = {
  ended: 0,
  escalations: outcomes.length * evidenceLevels.length,
  costUsd: outcomes.length * evidenceLevels.length + escalationReasons.length,
  incidents: outcomes.length * evidenceLevels.length + escalationReasons.length + categories.length,
  seconds:
    outcomes.length * evidenceLevels.length +
    escalationReasons.length +
    categories.length +
    severities.length,
} as const;
const runWidth = runPlaces.seconds + runBounds.length + 2;

/** As `runPlaces`, of the calls of a tool. */
export const callPlaces = { calls: 0, attempts: results.length } as const;
const callWidth = 2 * results.length;
const callSecondsWidth = callBounds.length + 2;

/** The most series one set of labels of runs, or of tools, gives in any metric. */
export const widest = {
  runs: outcomes.length * evidenceLevels.length,
  tools: callBounds.length + 3,
} as const;

/** Counts of one series. */
interface Counts {
  readonly values: Float64Array;
}

/** Counts of runs with the same labels, and the places of those runs. */
interface RunCounts extends Counts {
  readonly places: Place[];
}

/** Where a run is counted. Runs that are counted in the same series share it. */
export class Place {
  /** Undefined when that was forgotten before a restart. */
  readonly counted: Series<RunCounts> | undefined;
  /** Undefined when no window took the run: nothing is taken back when it is revised. */
  readonly held: Held | undefined;
  /** Its place in the latest state that was saved. */
  index = -1;

  constructor(counted: Series<RunCounts> | undefined, held: Held | undefined) {
    this.counted = counted;
    this.held = held;
  }
}

/** So many places of one release are shared; runs elsewhere have their own. */
const sharedLimit = 16;

/** One table as plain data: the row of each series, one after the other. */
export interface CountsState {
  readonly series: SeriesState;
  readonly values: Float64Array;
}

/** All counters as plain data. */
export interface TotalsState {
  readonly runs: CountsState;
  readonly tools: CountsState;
  readonly durations: CountsState;
}

/** An event is as old as its arrival, which is known at the next `expire`. */
const onArrival = Number.POSITIVE_INFINITY;

/**
 * Counters and histograms: they take every event, however late, and never fall. A series is as old as the sweep after
 * its latest event, not as that event: backlogs must be seen, too.
 */
export class Totals {
  readonly #runs: SeriesTable<RunCounts>;
  readonly #tools: SeriesTable<Counts>;
  readonly #durations: SeriesTable<Counts>;

  /** `limits` are label sets, of runs and of tools. */
  constructor(limits: { readonly runs: number; readonly tools: number }) {
    this.#runs = new SeriesTable(limits.runs, 3, () => ({ values: new Float64Array(runWidth), places: [] }));
    this.#tools = new SeriesTable(limits.tools, 4, zeros(callWidth));
    this.#durations = new SeriesTable(limits.tools, 3, zeros(callSecondsWidth));
  }

  /** Events that went to the overflow series. */
  get overflowed(): { readonly runs: number; readonly tools: number } {
    return { runs: this.#runs.overflowed, tools: this.#tools.overflowed };
  }

  /** Counts a run and returns where. */
  addRun(run: KpiRun): Series<RunCounts> {
    const series = this.#runs.at(onArrival, run.agent, run.release, run.environment);
    const { values } = series.state;
    values[
      runPlaces.ended +
        outcomes.indexOf(run.outcome) * evidenceLevels.length +
        evidenceLevels.indexOf(run.evidence)
    ]! += 1;
    const reason = escalationReasonOf(run);
    if (reason) values[runPlaces.escalations + escalationReasons.indexOf(reason)]! += 1;
    observe(values, runPlaces.seconds, runBounds, runSeconds(run));
    for (let i = 0; i < categories.length; i++) values[runPlaces.costUsd + i]! += run.costUsd[categories[i]!];
    return series;
  }

  /**
   * Adds what became known after the end: a first escalation and more cost. The outcome counted first stays counted.
   * It belongs where `place` says that the run was counted, whatever its labels are by now. Returns where that is.
   */
  reviseRun(before: KpiRun, place: Place | undefined, after: KpiRun): Series<RunCounts> {
    const { agent, release, environment } = after;
    const counted = place?.counted;
    const series = counted?.kept ? counted : this.#runs.at(onArrival, agent, release, environment);
    this.#runs.touch(series, onArrival);
    const { values } = series.state;
    const reason = escalationReasonOf(after);
    if (reason && !escalationReasonOf(before))
      values[runPlaces.escalations + escalationReasons.indexOf(reason)]! += 1;
    for (let i = 0; i < categories.length; i++) {
      const category = categories[i]!;
      values[runPlaces.costUsd + i]! += Math.max(0, after.costUsd[category] - before.costUsd[category]);
    }
    return series;
  }

  /** The place of a run that is counted in `counted` and held by windows as `held`. */
  placeOf(counted: Series<RunCounts> | undefined, held: Held | undefined): Place {
    const places = counted?.state.places ?? [];
    for (const place of places) if (place.held === held) return place;
    const place = new Place(counted, held);
    if (places.length < sharedLimit) places.push(place);
    return place;
  }

  /** Counts a tool call. */
  addCall(call: KpiToolCall): void {
    const { agent, release, environment, tool, result, attempts } = call;
    const { values } = this.#tools.at(onArrival, agent, release, environment, tool).state;
    values[callPlaces.calls + results.indexOf(result)]! += 1;
    values[callPlaces.attempts + results.indexOf(result)]! += 1;
    values[callPlaces.attempts + results.indexOf('error')]! += attempts - 1;
    if (!isRatioed(call)) return;
    const durations = this.#durations.at(onArrival, agent, environment, tool).state;
    observe(durations.values, 0, callBounds, call.durationMs / 1000);
  }

  /** Counts an incident. */
  addIncident({ agent, release, environment, severity }: KpiIncident): void {
    const { values } = this.#runs.at(onArrival, agent, release, environment).state;
    values[runPlaces.incidents + severities.indexOf(severity)]! += 1;
  }

  /** Forgets, as of `nowMs`, series to which nothing was added for longer than `keepMs`. */
  expire(nowMs: number, keepMs: number): void {
    for (const table of [this.#runs, this.#tools, this.#durations]) table.expire(nowMs, keepMs);
  }

  /** Copies of all counts; every series gets its `index`. */
  save(): TotalsState {
    return {
      runs: saved(this.#runs, runWidth),
      tools: saved(this.#tools, callWidth),
      durations: saved(this.#durations, callSecondsWidth),
    };
  }

  /** Takes what `save` gave, when nothing was counted yet; returns the series of runs in their order. */
  restore(state: TotalsState): readonly Series<RunCounts>[] {
    restored(this.#tools, state.tools);
    restored(this.#durations, state.durations);
    return restored(this.#runs, state.runs);
  }
}

function zeros(width: number): () => Counts {
  return () => ({ values: new Float64Array(width) });
}

function observe(values: Float64Array, at: number, bounds: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
  values[at + bucket]! += 1;
  values[at + bounds.length + 1]! += value;
}

function saved(table: SeriesTable<Counts>, width: number): CountsState {
  const values = new Float64Array(width * table.size);
  let at = 0;
  for (const { state } of table) {
    values.set(state.values, at);
    at += width;
  }
  return { series: table.save(), values };
}

function restored<T extends Counts>(table: SeriesTable<T>, state: CountsState): readonly Series<T>[] {
  const all = table.restore(state.series);
  const width = state.values.length / all.length;
  all.forEach((series, i) => series.state.values.set(state.values.subarray(i * width, (i + 1) * width)));
  return all;
}
