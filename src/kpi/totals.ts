import {
  escalationReasons,
  escalationResolutions,
  evidenceLevels,
  outcomes,
  results,
  severities,
} from '../semconv/vocabulary.ts';
import {
  callBounds,
  callColumns,
  categories,
  costBounds,
  durationColumns,
  runBounds,
  runColumns,
} from './counter-columns.ts';
import { Counts, restoreCounts, saveCounts, type CountsState } from './counts.ts';
import type { KpiIncident, KpiRun, KpiToolCall } from './facts.ts';
import { escalationReasonOf, isRatioed, runSeconds, runUsd } from './kpi-sums.ts';
import type { Held } from './rolling.ts';
import { SeriesTable, type Series } from './series-table.ts';

/** Counts of runs with the same labels, and the places of those runs. */
class RunCounts extends Counts {
  readonly places: Place[] = [];
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

/** All counters as plain data. */
export interface TotalsState {
  readonly runs: CountsState;
  readonly tools: CountsState;
  readonly durations: CountsState;
  /** When it was saved, by the clock; where that was set back, still later than the state before. */
  readonly savedMs: number;
}

/**
 * How many requests `after` has of each kind, by its place, that are not among those of `before`. An answer to one that
 * was there without is no other request, so of each reason as many are new as there are more of it than ever before.
 */
function* moreRequests(before: KpiRun, after: KpiRun): Generator<[number, number]> {
  const width = escalationResolutions.length;
  for (const [reason, peak] of after.peakRequests.entries()) {
    let left = peak - (before.peakRequests[reason] ?? 0);
    for (let i = reason * width; i < (reason + 1) * width; i++) {
      const more = Math.min(left, after.escalationRequests[i]! - (before.escalationRequests[i] ?? 0));
      if (more <= 0) continue;
      yield [i, more];
      left -= more;
    }
  }
}

/** An event is as old as its arrival, which is known at the next sweep. */
const onArrival = Number.POSITIVE_INFINITY;

/**
 * Counters and histograms: they take every event, however late, and never fall. A series is as old as the sweep after
 * its latest event, not as that event: backlogs must be seen, too.
 */
export class Totals {
  readonly #runs: SeriesTable<RunCounts>;
  readonly #tools: SeriesTable<Counts>;
  readonly #durations: SeriesTable<Counts>;
  readonly #zeroForMs: number;
  /** Of the latest state. */
  #savedMs = Number.NEGATIVE_INFINITY;
  /** What was not born by then was not exported. */
  #exportedMs = Number.NEGATIVE_INFINITY;

  /** `limits` are label sets, of runs and of tools. A series is exported as 0 until it is `zeroForMs` old. */
  constructor(limits: { readonly runs: number; readonly tools: number }, zeroForMs: number) {
    this.#zeroForMs = zeroForMs;
    this.#runs = new SeriesTable(limits.runs, 3, () => new RunCounts(runColumns.names.length));
    this.#tools = new SeriesTable(limits.tools, 4, () => new Counts(callColumns.names.length));
    this.#durations = new SeriesTable(limits.tools, 3, () => new Counts(durationColumns.names.length), 1);
  }

  /** Events that went to the overflow series. */
  get overflowed(): { readonly runs: number; readonly tools: number } {
    return { runs: this.#runs.overflowed, tools: this.#tools.overflowed };
  }

  /** Counts a run and returns where. */
  addRun(run: KpiRun): Series<RunCounts> {
    const { traceId, endMs } = run;
    const { at } = runColumns;
    const series = this.#runs.at(onArrival, run.agent, run.release, run.environment);
    const counts = series.state;
    const ended =
      outcomes.indexOf(run.outcome) * evidenceLevels.length + evidenceLevels.indexOf(run.evidence);
    counts.add(at.ended + ended, 1, traceId, endMs);
    const reason = escalationReasonOf(run);
    if (reason) counts.add(at.escalations + escalationReasons.indexOf(reason), 1, traceId, endMs);
    for (const [i, requests] of run.escalationRequests.entries())
      if (requests > 0) counts.add(at.requests + i, requests, traceId, endMs);
    counts.observe(at.seconds, runBounds, runSeconds(run), traceId, endMs);
    if (run.priced) counts.observe(at.usd, costBounds, runUsd(run), traceId, endMs);
    for (let i = 0; i < categories.length; i++) {
      const usd = run.costUsd[categories[i]!];
      if (usd > 0) counts.add(at.costUsd + i, usd, traceId, endMs);
    }
    return series;
  }

  /**
   * Adds what became known after the end: a first escalation, more requests and more cost. The outcome counted first stays
   * counted, and so does what came of a request.
   * It belongs where `place` says that the run was counted, whatever its labels are by now. Returns where that is.
   */
  reviseRun(before: KpiRun, place: Place | undefined, after: KpiRun): Series<RunCounts> {
    const { agent, release, environment, traceId, endMs } = after;
    const { at } = runColumns;
    const counted = place?.counted;
    const series = counted?.kept ? counted : this.#runs.at(onArrival, agent, release, environment);
    this.#runs.touch(series, onArrival);
    const counts = series.state;
    const reason = escalationReasonOf(after);
    if (reason && !escalationReasonOf(before))
      counts.add(at.escalations + escalationReasons.indexOf(reason), 1, traceId, endMs);
    for (const [i, more] of moreRequests(before, after)) counts.add(at.requests + i, more, traceId, endMs);
    for (let i = 0; i < categories.length; i++) {
      const more = after.peakUsd[categories[i]!] - before.peakUsd[categories[i]!];
      if (more > 0) counts.add(at.costUsd + i, more, traceId, endMs);
    }
    return series;
  }

  /** The place of a run that is counted in `counted` and held by windows as `held`. */
  placeOf(counted: Series<RunCounts> | undefined, held: Held | undefined): Place {
    const places = counted?.state.places;
    for (const place of places ?? []) if (place.held === held) return place;
    const place = new Place(counted, held);
    if (places && places.length < sharedLimit) places.push(place);
    return place;
  }

  /** Counts a tool call. */
  addCall(call: KpiToolCall): void {
    const { agent, release, environment, tool, result, attempts, traceId, endMs } = call;
    const { at } = callColumns;
    const counts = this.#tools.at(onArrival, agent, release, environment, tool).state;
    const column = results.indexOf(result);
    counts.add(at.calls + column, 1, traceId, endMs);
    counts.add(at.attempts + column, 1, traceId, endMs);
    if (attempts > 1) counts.add(at.attempts + results.indexOf('error'), attempts - 1, traceId, endMs);
    if (!isRatioed(call)) return;
    const durations = this.#durations.at(onArrival, agent, environment, tool).state;
    durations.observe(durationColumns.at.seconds, callBounds, call.durationMs / 1000, traceId, endMs);
  }

  /** Counts an incident. */
  addIncident({ agent, release, environment, severity, timeMs }: KpiIncident): void {
    const counts = this.#runs.at(onArrival, agent, release, environment).state;
    counts.add(runColumns.at.incidents + severities.indexOf(severity), 1, '', timeMs);
  }

  /**
   * Forgets series to which nothing was added for longer than `keepMs` as of `watermarkMs`. Whether the latest state shows
   * some as 0 that one which is saved at `clockMs` does not.
   */
  sweep(watermarkMs: number, clockMs: number, keepMs: number): boolean {
    const heldSinceMs = this.#savedMs - this.#zeroForMs;
    const eldestMs = this.#tables.map((table) => table.expire(watermarkMs, keepMs, heldSinceMs));
    return Math.max(this.#savedMs + 1, clockMs) - Math.min(...eldestMs) >= this.#zeroForMs;
  }

  get #tables(): readonly SeriesTable<Counts>[] {
    return [this.#runs, this.#tools, this.#durations];
  }

  /** Copies of all counts at `nowMs`; every series gets its `index`. What no state that was exported has is born now. */
  save(nowMs: number): TotalsState {
    this.#savedMs = Math.max(this.#savedMs + 1, nowMs);
    for (const table of this.#tables) table.bear(this.#exportedMs, this.#savedMs);
    return this.copy();
  }

  /** Copies of all counts, as of the latest state; every series gets its `index`. */
  copy(): TotalsState {
    return {
      runs: saveCounts(this.#runs, runColumns.names),
      tools: saveCounts(this.#tools, callColumns.names),
      durations: saveCounts(this.#durations, durationColumns.names),
      savedMs: this.#savedMs,
    };
  }

  /** Notes that `state` is exported from now on. */
  exported({ savedMs }: TotalsState): void {
    this.#exportedMs = savedMs;
  }

  /**
   * Takes what `save` gave, when nothing was counted yet; returns the series of runs in their order. What was still shown as
   * 0 will be for as long again: nobody knows whether it was scraped.
   */
  restore(state: TotalsState): readonly Series<RunCounts>[] {
    this.#savedMs = state.savedMs;
    this.#exportedMs = state.savedMs - this.#zeroForMs;
    restoreCounts(this.#tools, state.tools, callColumns.names);
    restoreCounts(this.#durations, state.durations, durationColumns.names);
    return restoreCounts(this.#runs, state.runs, runColumns.names);
  }
}
