import type { SpanFacts } from '../semconv/span-facts.ts';
import type { FinishedRun, RunSink } from './finished-run.ts';
import { Run } from './run.ts';

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
}

/** What the assembler counts since it was made. */
export interface RunCounts {
  spans: number;
  /** Spans that an open or remembered run already had. */
  resent: number;
  /** Spans whose end lay in the future and was taken back to the limit. */
  clamped: number;
  /** Open runs ended as `unknown` because there was no room for them. */
  spilled: number;
  /** Spans past the limit on ids a run remembers; a resent one among them counts again. */
  unremembered: number;
  /** Spans of a run that ended so long ago that only its result is still known. */
  late: number;
}

/** The partition whose records are being added, and what is true of the current one. Its owner moves it on. */
export interface Lane {
  readonly partition: number;
  /** Of the current record. */
  offset: number;
  /** Ends later than this are clamped to it, in milliseconds since the epoch. */
  latestMs: number;
  /** False while replaying what an earlier process has counted. */
  live: boolean;
  /** Idle timeouts up to this event time were counted by an earlier process. */
  countedMs: number;
  /** Latest end seen, after clamping. */
  newestMs: number;
}

/** At most this many tool calls of a run wait for its root. */
const maxHeldCalls = 256;

/**
 * Puts runs together from spans in any order. A run ends with its root span or by idle timeout and is then
 * reported once; spans that come later revise it while it is remembered, and never make a second run. Memory is
 * bounded: without room, the oldest remembered run is forgotten, else the oldest open run ends as `unknown`.
 */
export class RunAssembler {
  readonly counts: RunCounts = { spans: 0, resent: 0, clamped: 0, spilled: 0, unremembered: 0, late: 0 };
  readonly #settings: RunSettings;
  readonly #sink: RunSink;
  readonly #runs = new Map<string, Run>();
  /** Open runs of each lane, in the order in which they began there. */
  readonly #open = new Map<Lane, Set<Run>>();
  /** Remembered runs, in the order in which they ended: by their root or for want of room, and by timeout. */
  readonly #ended = new Set<Run>();
  readonly #timedOut = new Set<Run>();
  /** Results of forgotten runs, so that a late span does not make a second run. */
  readonly #settled = new Map<string, FinishedRun>();
  #touched: Run[] = [];
  #spanIds = 0;

  constructor(settings: RunSettings, sink: RunSink) {
    this.#settings = settings;
    this.#sink = sink;
  }

  get openRuns(): number {
    return this.#runs.size - this.#ended.size - this.#timedOut.size;
  }

  /** Runs in memory, open and remembered. */
  get size(): number {
    return this.#runs.size;
  }

  /** Takes one span of the current record of `lane`. */
  add(span: SpanFacts, lane: Lane): void {
    this.counts.spans++;
    let endMs = span.endMs;
    if (!(endMs <= lane.latestMs)) {
      endMs = lane.latestMs;
      this.counts.clamped++;
    }
    if (endMs > lane.newestMs) lane.newestMs = endMs;
    const runId = span.runId;
    const known = this.#runs.get(runId);
    const settled = known ? undefined : this.#settled.get(runId);
    if (settled) this.#addLate(span, settled, endMs, lane);
    else this.#addTo(known ?? this.#begin(span, runId, lane), span, endMs, lane);
  }

  #addTo(run: Run, span: SpanFacts, endMs: number, lane: Lane): void {
    if (run.starts[0]?.partition !== lane.partition) this.#addStart(run, lane);
    const spanId = span.spanId;
    if (run.has(spanId)) {
      this.counts.resent++;
      return;
    }
    const { newestMs } = lane;
    if (run.add(span, spanId, this.#settings.maxSpansPerRun, { endMs, newestMs })) this.#spanIds++;
    else this.counts.unremembered++;
    if (!run.touched && (run.finished !== undefined || run.ended || run.heldCount >= maxHeldCalls)) {
      run.touched = true;
      this.#touched.push(run);
    }
  }

  /** A span of a run of which only the result is left: its call and cost count, its end cannot change. */
  #addLate(span: SpanFacts, before: FinishedRun, endMs: number, lane: Lane): void {
    this.counts.late++;
    const { step, result, tool, costUsd = 0 } = span;
    if (result !== undefined) {
      const { agent, release, environment } = before;
      const durationMs = Math.max(0, endMs - span.startMs);
      const call = {
        agent,
        release,
        environment,
        tool,
        result,
        endMs,
        durationMs,
        behindMs: lane.newestMs - endMs,
      };
      this.#sink.toolCall(call, lane.live);
    }
    if (costUsd === 0 || (step !== 'llm' && step !== 'tool' && step !== 'review')) return;
    const after = { ...before, costUsd: { ...before.costUsd, [step]: before.costUsd[step] + costUsd } };
    this.#settled.set(before.runId, after);
    this.#sink.revised(before, after, lane.live);
  }

  /** Reports what the spans added since the last call ended or changed. Call it after each record. */
  settle(lane: Lane): void {
    if (this.#spanIds > this.#settings.maxSpans) this.#makeRoom(lane, this.#settings.maxRuns);
    if (this.#touched.length === 0) return;
    for (const run of this.#touched) {
      run.touched = false;
      if (run.finished) this.#revise(run, run.finished, lane);
      else if (run.ended) this.#close(run, run.finish('root', run.endMs), lane.live);
      run.releaseCalls((call) => this.#sink.toolCall(call, lane.live));
    }
    this.#touched = [];
  }

  /** Ends runs that have been idle, of one lane or of all, and forgets ended ones, as of event time `watermarkMs`. */
  advance(watermarkMs: number, only?: Lane): void {
    for (const [lane, runs] of this.#open) {
      if (only && lane !== only) continue;
      for (const run of runs) this.#advanceRun(run, lane, watermarkMs);
    }
    this.#forgetUntil(watermarkMs);
  }

  #advanceRun(run: Run, lane: Lane, watermarkMs: number): void {
    const { idleTimeoutMs, holdMs } = this.#settings;
    const closedMs = run.lastEndMs + idleTimeoutMs;
    const releasedMs = Math.min(closedMs, (run.heldSinceMs ?? Number.POSITIVE_INFINITY) + holdMs);
    if (closedMs <= watermarkMs) {
      this.#close(run, run.finish('idle', closedMs), closedMs > lane.countedMs);
    }
    if (releasedMs <= watermarkMs) {
      run.releaseCalls((call) => this.#sink.toolCall(call, releasedMs > lane.countedMs));
    }
  }

  #forgetUntil(watermarkMs: number): void {
    const { rememberMs, rememberIdleMs } = this.#settings;
    for (const run of this.#ended) {
      if ((run.finished?.closedMs ?? 0) + rememberMs > watermarkMs) break;
      this.#forget(run);
    }
    for (const run of this.#timedOut) {
      if ((run.finished?.closedMs ?? 0) + rememberIdleMs > watermarkMs) break;
      this.#forget(run);
    }
    for (const [runId, settled] of this.#settled) {
      if (settled.closedMs + rememberIdleMs > watermarkMs) break;
      this.#settled.delete(runId);
    }
  }

  /** Where the oldest open run of `lane` begins; undefined when none is open. */
  oldestOpenOffset(lane: Lane): number | undefined {
    const oldest = this.#open.get(lane)?.values().next().value;
    return oldest?.starts.find((start) => start.partition === lane.partition)?.offset;
  }

  #begin(span: SpanFacts, runId: string, lane: Lane): Run {
    const { maxRuns } = this.#settings;
    if (this.#runs.size >= maxRuns) this.#makeRoom(lane, maxRuns - 1);
    const run = new Run(runId, span.traceId, { partition: lane.partition, offset: lane.offset });
    this.#runs.set(runId, run);
    this.#openIn(lane).add(run);
    return run;
  }

  #addStart(run: Run, lane: Lane): void {
    if (run.starts.some((start) => start.partition === lane.partition)) return;
    run.starts.push({ partition: lane.partition, offset: lane.offset });
    if (!run.finished) this.#openIn(lane).add(run);
  }

  #openIn(lane: Lane): Set<Run> {
    const open = this.#open.get(lane) ?? new Set<Run>();
    this.#open.set(lane, open);
    return open;
  }

  #close(run: Run, finished: FinishedRun, live: boolean): void {
    for (const open of this.#open.values()) open.delete(run);
    (finished.closedBy === 'idle' ? this.#timedOut : this.#ended).add(run);
    run.finished = finished;
    this.#sink.finished(finished, live);
  }

  #revise(run: Run, before: FinishedRun, lane: Lane): void {
    const after =
      run.ended && before.closedBy !== 'spill'
        ? run.finish('root', run.endMs)
        : run.finish(before.closedBy, before.closedMs);
    run.finished = after;
    this.#sink.revised(before, after, lane.live);
  }

  /** Frees room until at most `runs` runs, and not too many span ids, are in memory. */
  #makeRoom(lane: Lane, runs: number): void {
    while (this.#runs.size > runs || this.#spanIds > this.#settings.maxSpans) {
      const remembered = this.#ended.values().next().value ?? this.#timedOut.values().next().value;
      const run = remembered ?? this.#oldestOpen();
      if (!run) return;
      if (!remembered) this.#spill(run, lane);
      this.#forget(run);
    }
  }

  #spill(run: Run, lane: Lane): void {
    this.counts.spilled++;
    this.#close(run, run.finish(run.ended ? 'root' : 'spill', run.endMs), lane.live);
    run.releaseCalls((call) => this.#sink.toolCall(call, lane.live));
  }

  /** The open run that has been silent longest among the first of each lane. */
  #oldestOpen(): Run | undefined {
    let oldest: Run | undefined;
    for (const open of this.#open.values()) {
      const first = open.values().next().value;
      if (first && (!oldest || first.lastEndMs < oldest.lastEndMs)) oldest = first;
    }
    return oldest;
  }

  #forget(run: Run): void {
    this.#ended.delete(run);
    this.#timedOut.delete(run);
    this.#runs.delete(run.runId);
    this.#spanIds -= run.spanCount;
    if (!run.finished) return;
    this.#settled.set(run.runId, run.finished);
    if (this.#settled.size <= this.#settings.maxRuns) return;
    for (const oldest of this.#settled.keys()) {
      this.#settled.delete(oldest);
      break;
    }
  }
}
