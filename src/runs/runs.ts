import type { SpanFacts, SpanIds } from '../semconv/span-facts.ts';
import { evidenceLevels, outcomes, results, type EscalationState } from '../semconv/vocabulary.ts';
import type { Arrival } from './arrival.ts';
import { EscalationRequests, type EscalationRequestsState } from './escalation-requests.ts';
import type { ClosedBy, FinishedRun, RunSink, SeenRun } from './finished-run.ts';
import { HeldCalls, type HeldCallsState } from './held-calls.ts';
import { LeafUsage, type LeafUsageState } from './leaf-usage.ts';
import { none } from './rows.ts';
import { RunEnding } from './run-ending.ts';
import { nanosOf, tokensOf } from './quantities.ts';
import { addLabels, addTrace, mergeLabels, mergeTrace } from './run-labels.ts';
import { closedByOf, closings, reportOf, seenOf } from './run-report.ts';
import { RunScores, type RunScoresState } from './run-scores.ts';
import { byte, cell, RunTable, word, type RunTableState } from './run-table.ts';
import { known, SpanTable, type SpanTableState } from './span-table.ts';
import { ToolCosts } from './tool-costs.ts';

/** What an answer tells of the call that was asked about; calls that were allowed to run say themselves what came of it. */
const answers: Readonly<Partial<Record<EscalationState, number>>> = {
  rejected: known.refused,
  requested: known.unanswered,
  aborted: known.unanswered,
  timed_out: known.unanswered,
};

/** Where the costs stand of which a run keeps the peaks, in that order. */
const costs = [cell.llmCostNanos, cell.toolCostNanos, cell.reviewCostNanos] as const;

/** The runs with all that is known of them, as a snapshot keeps them. */
export interface RunsState {
  readonly table: RunTableState;
  readonly spans: SpanTableState;
  readonly spanIds: number;
  readonly calls: HeldCallsState;
  readonly usage: LeafUsageState;
  readonly toolCosts: ReadonlyMap<number, number>;
  readonly scores: RunScoresState;
  readonly requests: EscalationRequestsState;
}

/** The runs in memory: folds their spans, in whatever order they arrive, and says what is known of each. */
export class Runs {
  readonly table: RunTable;
  readonly #spans: SpanTable;
  readonly #calls: HeldCalls;
  readonly #usage: LeafUsage;
  readonly #toolCosts: ToolCosts;
  readonly #ending: RunEnding;
  readonly #scores = new RunScores();
  readonly #requests: EscalationRequests;
  #spanIds = 0;

  /** `guesses` as of `RunEnding`, `limitTraces` as of `RunTable`. */
  constructor(guesses: boolean, limitTraces: number) {
    this.table = new RunTable(limitTraces);
    this.#spans = new SpanTable(this.table);
    this.#calls = new HeldCalls(this.table, this.#spans);
    this.#usage = new LeafUsage(this.#spans);
    this.#toolCosts = new ToolCosts(this.#spans);
    this.#ending = new RunEnding(this.table, this.#spans, guesses);
    this.#requests = new EscalationRequests(this.table, this.#spans);
  }

  /** Span ids in memory. */
  get spanIds(): number {
    return this.#spanIds;
  }

  /** Everything held one by one: at most two spans for each span id, and the tool calls that wait. */
  get entryCount(): number {
    return this.#spans.count + this.#calls.count;
  }

  /** Everything but what the sink keeps with runs, lent until a span is added. */
  save(): RunsState {
    return {
      table: this.table.save(),
      spans: this.#spans.save(),
      spanIds: this.#spanIds,
      calls: this.#calls.save(),
      usage: this.#usage.save(),
      toolCosts: this.#toolCosts.save(),
      scores: this.#scores.save(),
      requests: this.#requests.save(),
    };
  }

  /** Makes these the runs that were saved, with what the sink keeps with each. */
  restore(state: RunsState, places: unknown[]): void {
    this.table.restore(state.table, places);
    this.#spans.restore(state.spans);
    this.#spanIds = state.spanIds;
    this.#calls.restore(state.calls);
    this.#usage.restore(state.usage);
    this.#toolCosts.restore(state.toolCosts);
    this.#scores.restore(state.scores);
    this.#requests.restore(state.requests);
  }

  /** Begins a run with its first span. */
  begin(ids: SpanIds): number {
    const { table } = this;
    const run = table.begin(ids);
    const at = table.cellAt(run);
    table.cells[at + cell.startMs] = Number.POSITIVE_INFINITY;
    table.cells[at + cell.lastEndMs] = Number.NEGATIVE_INFINITY;
    table.cells[at + cell.lastWorkStartMs] = Number.NEGATIVE_INFINITY;
    table.bytes[table.byteAt(run) + byte.isNews] = 1;
    return run;
  }

  /** Looks for the span that arrives in its run. True when it is remembered there: it was sent again. */
  find(arrival: Arrival): boolean {
    const { run, ids } = arrival;
    const row = this.#spans.find(run, ids.span0, ids.span1);
    arrival.row = row;
    return row !== none && (this.#spans.known(row) & known.arrived) !== 0;
  }

  /**
   * Adds `span`, which was looked for, and its id as long as the run has fewer than `limit`; false when it has not: the
   * span then goes into sums only, and a resent one counts again.
   */
  add(span: SpanFacts, arrival: Arrival, limit: number): boolean {
    const { table } = this;
    const { run, ids, step, startMs, endMs } = arrival;
    table.words[table.wordAt(run) + word.version]! += 1;
    const countAt = table.wordAt(run) + word.spanCount;
    const folded = table.words[countAt]! >= limit;
    arrival.folded = folded;
    if (!folded) {
      if (arrival.row === none) arrival.row = this.#spans.add(run, ids.span0, ids.span1);
      this.#spans.learn(arrival.row, arrival.log ? known.arrived | known.log : known.arrived);
      table.words[countAt]! += 1;
      this.#spanIds++;
    }
    if (arrival.log) table.bytes[table.byteAt(run) + byte.hasLogs] = 1;
    const { cells } = table;
    const at = table.cellAt(run);
    if (startMs < cells[at + cell.startMs]!) cells[at + cell.startMs] = startMs;
    if (endMs > cells[at + cell.lastEndMs]!) cells[at + cell.lastEndMs] = endMs;
    if (arrival.isWork) table.bytes[table.byteAt(run) + byte.isWork] = 1;
    if (!arrival.isJudge) {
      addLabels(table, span, arrival);
      addTrace(table, arrival);
    }
    const { scores } = span;
    if (scores.size > 0) this.#scores.add(run, scores, endMs);
    this.#ending.add(span, arrival);
    if (step === 'llm' || step === 'agent') this.#usage.add(span, arrival);
    else if (step === 'tool' || step === 'review') this.#addCost(span, arrival);
    if (step === 'tool') this.#addCall(span, arrival);
    else if (step === 'review') this.#addAnswer(span, arrival);
    return !folded;
  }

  /** Makes the spans of `from`, which was never reported, spans of `into`, and forgets `from`. */
  merge(from: number, into: number): void {
    const { table } = this;
    const { cells, words, bytes } = table;
    const at = table.cellAt(into);
    const fromAt = table.cellAt(from);
    cells[at + cell.startMs] = Math.min(cells[at + cell.startMs]!, cells[fromAt + cell.startMs]!);
    cells[at + cell.lastEndMs] = Math.max(cells[at + cell.lastEndMs]!, cells[fromAt + cell.lastEndMs]!);
    for (const sum of [cell.reviewCostNanos, cell.reviewMs]) cells[at + sum]! += cells[fromAt + sum]!;
    for (const flag of [byte.unpriced, byte.hasLogs, byte.isWork])
      bytes[table.byteAt(into) + flag]! |= bytes[table.byteAt(from) + flag]!;
    const added = [
      word.version,
      word.spanCount,
      word.toolCallAttempts,
      ...results.map((_, i) => word.toolCalls + i),
    ];
    for (const sum of added) words[table.wordAt(into) + sum]! += words[table.wordAt(from) + sum]!;
    mergeLabels(table, from, into);
    mergeTrace(table, from, into);
    this.#ending.merge(from, into);
    this.#scores.move(from, into);
    this.#usage.move(from, into);
    this.#toolCosts.move(from, into);
    this.#calls.move(from, into);
    this.#spans.move(from, into);
    this.drop(from);
  }

  /** Of a tool call or a review. */
  #addCost(span: SpanFacts, arrival: Arrival): void {
    const { table } = this;
    const { run, step } = arrival;
    if (step === 'tool') this.#toolCosts.add(span, arrival);
    else {
      table.cells[table.cellAt(run) + cell.reviewCostNanos]! += nanosOf(span.costUsd);
      table.cells[table.cellAt(run) + cell.reviewMs]! += Math.round(1000 * (span.reviewSeconds ?? 0));
    }
    if (span.costSource === 'unpriced') table.bytes[table.byteAt(run) + byte.unpriced] = 1;
  }

  #addCall(span: SpanFacts, arrival: Arrival): void {
    const { tool, result } = span;
    if (!arrival.folded) {
      this.#spans.setTool(arrival.row, tool);
      this.#spans.setCall(arrival.row, span.toolCallId);
    }
    if (result !== undefined) this.#calls.hold(span, result, arrival);
  }

  /** A human's answer decides whether the call around the review ran, and the call that a log record of it names. */
  #addAnswer(
    { escalationState, toolCallId }: SpanFacts,
    { run, row, ids, folded, isRoot, log }: Arrival,
  ): void {
    const bit = escalationState === undefined ? undefined : answers[escalationState];
    if (bit === undefined || folded || isRoot) return;
    if (log) {
      this.#spans.learn(row, bit);
      this.#spans.setCall(row, toolCallId);
    } else this.#spans.learn(this.#spans.obtain(run, ids.parent0, ids.parent1), bit);
  }

  lastEndMs(run: number): number {
    return this.table.cells[this.table.cellAt(run) + cell.lastEndMs]!;
  }

  /** Whether `run` is more than what evaluators and log records that tell of no call say of it. */
  isWork(run: number): boolean {
    return this.table.bytes[this.table.byteAt(run) + byte.isWork] !== 0;
  }

  /** Whether `run` is work, and is not what was last `seen`. */
  isNews(run: number): boolean {
    const at = this.table.byteAt(run);
    return this.table.bytes[at + byte.isNews] !== 0 && this.isWork(run);
  }

  /** Open `run`, as far as it is known. */
  seen(run: number): SeenRun {
    this.table.bytes[this.table.byteAt(run) + byte.isNews] = 0;
    return seenOf(this.table, run);
  }

  /** Event time of the latest root's end; the latest span's where there is no root. */
  endMs(run: number): number {
    const endOf = this.#ending.hasRoot(run) ? cell.rootEndMs : cell.lastEndMs;
    return this.table.cells[this.table.cellAt(run) + endOf]!;
  }

  /** The root of `run` has ended and nothing is awaited that could still belong to it. */
  hasEnded(run: number): boolean {
    if (!this.#ending.hasRoot(run)) return false;
    const isResumable = this.table.bytes[this.table.byteAt(run) + byte.resumable] !== 0;
    return !isResumable || !this.#ending.expectsAnotherRoot(run);
  }

  /** Tool calls of `run` that wait for the labels of the root. */
  heldCount(run: number): number {
    return this.#calls.countOf(run);
  }

  /** Event time of the first of them; Infinity when none waits. */
  heldSinceMs(run: number): number {
    return this.#calls.sinceMs(run);
  }

  /** Hands the tool calls that wait to `sink`. */
  releaseCalls(run: number, sink: RunSink): void {
    this.#calls.release(run, sink);
  }

  /** Settles what is known of `run` when `closedBy` ends it at event time `closedMs`: `report` says that from now on. */
  finish(run: number, closedBy: ClosedBy, closedMs: number): void {
    const { table } = this;
    const { cells, bytes } = table;
    const at = table.cellAt(run);
    const bytesAt = table.byteAt(run);
    const hasLogs = bytes[bytesAt + byte.hasLogs] !== 0;
    const usage = this.#usage.of(run, hasLogs);
    const { outcome, evidence } = this.#ending.outcome(run, closedBy);
    cells[at + cell.closedMs] = closedMs;
    cells[at + cell.llmCostNanos] = usage.costNanos;
    cells[at + cell.toolCostNanos] = this.#toolCosts.of(run, hasLogs);
    cells[at + cell.inputTokens] = usage.inputTokens;
    cells[at + cell.outputTokens] = usage.outputTokens;
    this.#notePeak(run);
    bytes[bytesAt + byte.closedBy] = closings.indexOf(closedBy);
    bytes[bytesAt + byte.outcome] = outcomes.indexOf(outcome);
    bytes[bytesAt + byte.evidence] = evidenceLevels.indexOf(evidence);
    bytes[bytesAt + byte.lowerBound] = usage.priced && bytes[bytesAt + byte.unpriced] === 0 ? 0 : 1;
  }

  #notePeak(run: number): void {
    const { cells } = this.table;
    const at = this.table.cellAt(run);
    for (let i = 0; i < costs.length; i++) {
      const peakAt = at + cell.peakCostNanos + i;
      cells[peakAt] = Math.max(cells[peakAt]!, cells[at + costs[i]!]!);
    }
  }

  /** `run` as it was when it was finished last; call it before a span is added to it since. */
  report(run: number): FinishedRun {
    return reportOf(this.table, run, {
      endMs: this.endMs(run),
      escalationReason: this.#ending.escalationReason(run),
      ...this.#requests.report(run),
      scores: this.#scores.of(run),
    });
  }

  closedMs(run: number): number {
    return this.table.cells[this.table.cellAt(run) + cell.closedMs]!;
  }

  closedBy(run: number): ClosedBy {
    return closedByOf(this.table, run);
  }

  /** Forgets the spans of `run`; what was reported of it remains. */
  forgetSpans(run: number): void {
    const { table } = this;
    const countAt = table.wordAt(run) + word.spanCount;
    this.#requests.settle(run);
    this.#spanIds -= table.words[countAt]!;
    table.words[countAt] = 0;
    this.#spans.forget(run);
    this.#usage.forget(run);
    this.#toolCosts.forget(run);
  }

  /**
   * Adds `span`, which ended at `endMs`, to a run whose spans are forgotten: what it cost, because nobody knows whether
   * another one repeats it, its scores, and what it says of how the run ended. Whether it may change what is known of the run.
   */
  addLate(run: number, span: SpanFacts, endMs: number): boolean {
    const { cells, words, bytes } = this.table;
    const { step, scores } = span;
    const hasCost = step === 'llm' || step === 'tool' || step === 'review';
    if (!hasCost && scores.size === 0 && span.outcome === undefined) return false;
    words[this.table.wordAt(run) + word.version]! += 1;
    if (scores.size > 0) this.#scores.add(run, scores, endMs);
    if (span.outcome !== undefined) this.#addWord(run, span, endMs);
    if (!hasCost) return true;
    const at = this.table.cellAt(run);
    const cost = { llm: cell.llmCostNanos, tool: cell.toolCostNanos, review: cell.reviewCostNanos }[step];
    cells[at + cost]! += nanosOf(span.costUsd);
    cells[at + cell.reviewMs]! += Math.round(1000 * (span.reviewSeconds ?? 0));
    cells[at + cell.inputTokens]! += tokensOf(span.inputTokens);
    cells[at + cell.outputTokens]! += tokensOf(span.outputTokens);
    this.#notePeak(run);
    if (span.costSource === 'unpriced') bytes[this.table.byteAt(run) + byte.lowerBound] = 1;
    return true;
  }

  #addWord(run: number, span: SpanFacts, endMs: number): void {
    const { bytes } = this.table;
    const at = this.table.byteAt(run);
    this.#ending.addWord(run, span, endMs);
    const { outcome, evidence } = this.#ending.outcome(run, this.closedBy(run));
    bytes[at + byte.outcome] = outcomes.indexOf(outcome);
    bytes[at + byte.evidence] = evidenceLevels.indexOf(evidence);
  }

  /** Forgets `run`, whose spans are forgotten. */
  drop(run: number): void {
    this.#scores.drop(run);
    this.#requests.drop(run);
    this.table.drop(run);
  }
}
