import type { SpanFacts } from '../semconv/span-facts.ts';
import { Arrival } from './arrival.ts';
import type { ClosedBy, FinishedRun, RunSink } from './finished-run.ts';
import type { Lane } from './lane.ts';
import { none } from './rows.ts';
import { noCounts } from './run-counts.ts';
import { RunList, type RunListState } from './run-list.ts';
import { byte } from './run-table.ts';
import { Runs, type RunsState } from './runs.ts';

/** Durations are event time, in milliseconds. */
export interface RunSettings {
  /** A run without a root span ends this long after its last span. */
  readonly idleTimeoutMs: number;
  /** A run that its root ended is remembered this long, so that late and resent spans find it. */
  readonly rememberMs: number;
  /** The same for a run that ended by timeout, because its root may still come; then a run is no longer counted once. */
  readonly rememberIdleMs: number;
  /** Tool calls wait this long for the root span, which knows the agent best. */
  readonly holdMs: number;
  /** Runs in memory, open and remembered; as many results of earlier ones are kept. */
  readonly maxRuns: number;
  /** Span ids a run remembers; further spans go into its sums only. */
  readonly maxSpansPerRun: number;
  /** Span ids in memory over all runs. */
  readonly maxSpans: number;
  /** Whether a run that ended with a call for a tool that nobody made counts as one that waits for an approval. */
  readonly guessEscalations: boolean;
}

/** The runs and where each is in its life, as a snapshot keeps them. */
export interface AssemblerState {
  readonly runs: RunsState;
  readonly open: RunListState;
  readonly ended: RunListState;
  readonly timedOut: RunListState;
  readonly settled: RunListState;
}

/** With this many tool calls that wait, a run does not wait for its root any more once the record is settled. */
const maxHeldCalls = 256;

/** Where a run is in its life: one of the lists below holds it. */
const state = { open: 0, ended: 1, timedOut: 2, settled: 3 } as const;

/**
 * Puts runs together from spans in any order. A run ends with its root span or by idle timeout and is then
 * reported once; spans that come later revise it while it is remembered, and never make a second run. Memory is
 * bounded: without room, the oldest remembered run is forgotten, else the oldest open run ends as `unknown`.
 */
export class RunAssembler {
  readonly counts = noCounts();
  readonly #settings: RunSettings;
  readonly #sink: RunSink;
  readonly #runs: Runs;
  readonly #arrival = new Arrival();
  /** In the order in which they began. */
  readonly #open: RunList;
  /** Remembered runs, in the order in which they ended: by their root or for want of room, and by timeout. */
  readonly #ended: RunList;
  readonly #timedOut: RunList;
  /** Forgotten runs of which the result is kept, so that a late span does not make a second run. */
  readonly #settled: RunList;
  /** Runs that wait for `settle`, with what was last reported of those that have ended. */
  readonly #touched = new Map<number, FinishedRun | undefined>();
  /** Open runs that the sink does not know as they are; `settle` tells it. */
  readonly #news = new Set<number>();

  constructor(settings: RunSettings, sink: RunSink) {
    this.#settings = settings;
    this.#sink = sink;
    this.#runs = new Runs(settings.guessEscalations, settings.maxRuns);
    this.#open = new RunList(this.#runs.table);
    this.#ended = new RunList(this.#runs.table);
    this.#timedOut = new RunList(this.#runs.table);
    this.#settled = new RunList(this.#runs.table);
  }

  /** Everything but what the sink keeps with runs, lent until a span is added. Between records only. */
  save(): AssemblerState {
    return {
      runs: this.#runs.save(),
      open: this.#open.save(),
      ended: this.#ended.save(),
      timedOut: this.#timedOut.save(),
      settled: this.#settled.save(),
    };
  }

  /** Makes these the runs that were saved, with what the sink keeps with each. */
  restore({ runs, open, ended, timedOut, settled }: AssemblerState, places: unknown[]): void {
    this.#runs.restore(runs, places);
    this.#open.restore(open);
    this.#ended.restore(ended);
    this.#timedOut.restore(timedOut);
    this.#settled.restore(settled);
  }

  /** What the sink keeps with each run. */
  get places(): readonly unknown[] {
    return this.#runs.table.places;
  }

  get openRuns(): number {
    return this.#open.size;
  }

  /** Runs in memory, open and remembered. */
  get size(): number {
    return this.#runs.table.count - this.#settled.size;
  }

  /** Span ids in memory. */
  get spanIds(): number {
    return this.#runs.spanIds;
  }

  /** Everything held one by one: at most two spans for each span id, and the tool calls that wait. */
  get entryCount(): number {
    return this.#runs.entryCount;
  }

  /** Takes one span of the current record of `lane`. */
  add(span: SpanFacts, lane: Lane): void {
    this.counts.spans++;
    const arrival = this.#arrival;
    arrival.log = span.log;
    if (arrival.log === 'unsampled' && span.step !== 'evaluator') {
      this.counts.unsampled++;
      return;
    }
    let { endMs } = span;
    if (!(endMs <= lane.latestMs)) {
      endMs = lane.latestMs;
      this.counts.clamped++;
    }
    if (endMs > lane.newestMs) lane.newestMs = endMs;
    span.readIds(arrival.ids);
    arrival.endMs = endMs;
    arrival.behindMs = lane.newestMs - endMs;
    // Who judges another run leaves its own trace where it is.
    if (arrival.ids.run !== '' && span.step !== 'evaluator' && this.#runs.table.joins(arrival.ids))
      this.#join();
    const run = this.#runs.table.find(arrival.ids);
    if (run === none) this.#addTo(this.#begin(), span);
    else if (this.#stateOf(run) === state.settled) this.#addLate(run, span);
    else this.#addTo(run, span);
  }

  /**
   * The span that arrives is the first to say that its trace belongs to a run with an id of its own: what came of the
   * trace before belongs there, too. Where that has ended, and so was reported as a run, it is the run, with its own id, if
   * no other one has that; a run that ended long ago is joined no more.
   */
  #join(): void {
    const { ids } = this.#arrival;
    const { table } = this.#runs;
    const nameless = table.nameless(ids);
    const known = table.find(ids);
    if (known !== none && this.#stateOf(known) === state.settled) return;
    if (nameless !== none && this.#stateOf(nameless) === state.open) {
      if (known === none) table.rename(nameless, ids);
      else this.#merge(nameless, known);
    } else if (nameless !== none && known === none) {
      table.alias(ids, nameless);
      return;
    }
    const run = table.find(ids);
    table.join(ids, run === none ? this.#begin() : run);
  }

  #merge(from: number, into: number): void {
    const runs = this.#runs;
    const isOpen = this.#stateOf(into) === state.open;
    if (!isOpen && !this.#touched.has(into)) this.#touched.set(into, runs.report(into));
    this.#open.remove(from);
    this.#touched.delete(from);
    this.#news.delete(from);
    runs.merge(from, into);
    this.#sink.absorbed(from, into);
    if (isOpen && runs.isNews(into)) this.#news.add(into);
  }

  #addTo(run: number, span: SpanFacts): void {
    const runs = this.#runs;
    const arrival = this.#arrival;
    arrival.run = run;
    if (runs.find(arrival)) {
      this.counts.resent++;
      return;
    }
    const isOpen = this.#stateOf(run) === state.open;
    if (!isOpen && !this.#touched.has(run)) this.#touched.set(run, runs.report(run));
    arrival.read(span);
    if (!runs.add(span, arrival, this.#settings.maxSpansPerRun)) this.counts.unremembered++;
    if (!isOpen) return;
    if (runs.isNews(run)) this.#news.add(run);
    if (runs.hasEnded(run) || runs.heldCount(run) >= maxHeldCalls) this.#touched.set(run, undefined);
  }

  /** A span of a run of which only the result is left: its call, cost and scores count, its end cannot change. */
  #addLate(run: number, span: SpanFacts): void {
    this.counts.late++;
    const runs = this.#runs;
    const { result, tool, attempt: attempts } = span;
    const before = runs.report(run);
    const isRevised = runs.addLate(run, span, this.#arrival.endMs);
    if (result !== undefined) {
      const { traceId, agent, release, environment } = before;
      const { endMs, behindMs } = this.#arrival;
      const durationMs = Math.max(0, endMs - span.startMs);
      runs.table.addToolCall(run, result, attempts);
      this.#sink.toolCall({
        traceId,
        agent,
        release,
        environment,
        tool,
        result,
        attempts,
        endMs,
        durationMs,
        behindMs,
      });
    }
    if (isRevised) this.#reportRevised(run, before);
  }

  /** Reports what the spans added since the last call ended or changed. Call it after each record. */
  settle(): void {
    if (this.#runs.spanIds > this.#settings.maxSpans) this.#makeRoom(this.#settings.maxRuns);
    for (const run of this.#news) this.#sink.seen(this.#runs.seen(run));
    this.#news.clear();
    if (this.#touched.size === 0) return;
    for (const [run, before] of this.#touched) this.#settleRun(run, before);
    this.#touched.clear();
  }

  #settleRun(run: number, before: FinishedRun | undefined): void {
    const runs = this.#runs;
    runs.releaseCalls(run, this.#sink);
    if (before) {
      const isByRoot = before.closedBy !== 'spill' && runs.hasEnded(run);
      if (isByRoot) runs.finish(run, 'root', runs.endMs(run));
      else runs.finish(run, before.closedBy, before.closedMs);
      this.#reportRevised(run, before);
    } else if (runs.hasEnded(run)) this.#close(run, 'root', runs.endMs(run));
  }

  #reportRevised(run: number, before: FinishedRun): void {
    const after = this.#runs.report(run);
    this.#sink.revised(before, after);
    this.#runs.table.places[run] = after.place;
  }

  /** Ends runs that have been idle, and forgets ended ones, as of event time `watermarkMs`. Between records only. */
  advance(watermarkMs: number): void {
    for (let run = this.#open.first; run !== none;) {
      const next = this.#open.after(run);
      this.#advanceRun(run, watermarkMs);
      run = next;
    }
    this.#forgetUntil(watermarkMs);
  }

  #advanceRun(run: number, watermarkMs: number): void {
    const { idleTimeoutMs, holdMs } = this.#settings;
    const runs = this.#runs;
    const closedMs = runs.lastEndMs(run) + idleTimeoutMs;
    const releasedMs = Math.min(closedMs, runs.heldSinceMs(run) + holdMs);
    if (closedMs <= watermarkMs && !runs.isWork(run)) {
      this.#discard(run);
      return;
    }
    if (releasedMs <= watermarkMs) runs.releaseCalls(run, this.#sink);
    if (closedMs <= watermarkMs) this.#close(run, 'idle', closedMs);
  }

  #forgetUntil(watermarkMs: number): void {
    const { rememberMs, rememberIdleMs } = this.#settings;
    const isOver = (run: number, forMs: number): boolean =>
      run !== none && this.#runs.closedMs(run) + forMs <= watermarkMs;
    while (isOver(this.#ended.first, rememberMs)) this.#forget(this.#ended.first);
    while (isOver(this.#timedOut.first, rememberIdleMs)) this.#forget(this.#timedOut.first);
    while (isOver(this.#settled.first, rememberIdleMs)) this.#drop(this.#settled.first);
  }

  #begin(): number {
    const { maxRuns } = this.#settings;
    if (this.size >= maxRuns) this.#makeRoom(maxRuns - 1);
    const run = this.#runs.begin(this.#arrival.ids);
    this.#open.add(run);
    return run;
  }

  #stateOf(run: number): number {
    const { table } = this.#runs;
    return table.bytes[table.byteAt(run) + byte.state]!;
  }

  /** Adds `run`, which no list holds any more, to another one, and so moves it to the state `next`. */
  #enter(run: number, list: RunList, next: number): void {
    const { table } = this.#runs;
    list.add(run);
    table.bytes[table.byteAt(run) + byte.state] = next;
  }

  /** Ends an open run and reports it. */
  #close(run: number, closedBy: ClosedBy, closedMs: number): void {
    const runs = this.#runs;
    this.#open.remove(run);
    if (closedBy === 'idle') this.#enter(run, this.#timedOut, state.timedOut);
    else this.#enter(run, this.#ended, state.ended);
    runs.finish(run, closedBy, closedMs);
    const finished = runs.report(run);
    this.#sink.finished(finished);
    runs.table.places[run] = finished.place;
  }

  /** Frees room until at most `count` runs, and not too many span ids, are in memory. */
  #makeRoom(count: number): void {
    while (this.size > count || this.#runs.spanIds > this.#settings.maxSpans) {
      const remembered = this.#ended.first === none ? this.#timedOut.first : this.#ended.first;
      const run = remembered === none ? this.#open.first : remembered;
      if (run === none) return;
      if (remembered === none && !this.#runs.isWork(run)) {
        this.#discard(run);
        continue;
      }
      if (remembered === none) this.#spill(run);
      else this.#settleEarly(run);
      this.#forget(run);
    }
  }

  /** Forgets an open run of which nothing is known but what was said of it: what that spoke of is not here, or not any more. */
  #discard(run: number): void {
    this.counts.discarded++;
    const runs = this.#runs;
    this.#open.remove(run);
    this.#touched.delete(run);
    this.#news.delete(run);
    runs.forgetSpans(run);
    runs.drop(run);
  }

  #spill(run: number): void {
    this.counts.spilled++;
    const runs = this.#runs;
    if (this.#news.delete(run)) this.#sink.seen(runs.seen(run));
    runs.releaseCalls(run, this.#sink);
    this.#close(run, runs.hasEnded(run) ? 'root' : 'spill', runs.endMs(run));
    this.#touched.delete(run);
  }

  /** Reports what the current record changed of a run that is about to be forgotten. */
  #settleEarly(run: number): void {
    const before = this.#touched.get(run);
    if (!before) return;
    this.#touched.delete(run);
    this.#settleRun(run, before);
  }

  /** Keeps only the result of a remembered run. */
  #forget(run: number): void {
    this.#runs.forgetSpans(run);
    const from = this.#stateOf(run) === state.timedOut ? this.#timedOut : this.#ended;
    from.remove(run);
    this.#enter(run, this.#settled, state.settled);
    if (this.#settled.size > this.#settings.maxRuns) this.#drop(this.#settled.first);
  }

  #drop(run: number): void {
    this.#settled.remove(run);
    this.#runs.drop(run);
  }
}
