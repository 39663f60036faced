import type { SpanFacts, SpanIds } from '../semconv/span-facts.ts';
import { evidenceLevels, outcomes, results, type EscalationState } from '../semconv/vocabulary.ts';
import type { Arrival } from './arrival.ts';
import type { ClosedBy, FinishedRun, RunSink, RunStart, RunToolCalls } from './finished-run.ts';
import { HeldCalls } from './held-calls.ts';
import { LeafUsage } from './leaf-usage.ts';
import { none } from './rows.ts';
import { RunEnding } from './run-ending.ts';
import { nanosOf, nanosPerUsd, tokensOf } from './quantities.ts';
import { addLabels, addTrace } from './run-labels.ts';
import { byte, cell, RunTable, text, word } from './run-table.ts';
import { known, SpanTable } from './span-table.ts';

/** What an answer tells of the call that was asked about; calls that were allowed to run say themselves what came of it. */
const answers: Readonly<Partial<Record<EscalationState, number>>> = {
  rejected: known.refused,
  requested: known.unanswered,
  aborted: known.unanswered,
  timed_out: known.unanswered,
};

const closings = ['root', 'idle', 'spill'] as const satisfies readonly ClosedBy[];

/** The runs in memory: folds their spans, in whatever order they arrive, and says what is known of each. */
export class Runs {
  readonly table = new RunTable();
  readonly #spans = new SpanTable(this.table);
  readonly #calls = new HeldCalls(this.table, this.#spans);
  readonly #usage = new LeafUsage(this.#spans);
  readonly #ending: RunEnding;
  /** Where runs with spans on several partitions begin on others than the first. */
  readonly #otherStarts = new Map<number, RunStart[]>();
  #spanIds = 0;

  /** `guesses` as of `RunEnding`. */
  constructor(guesses: boolean) {
    this.#ending = new RunEnding(this.table, this.#spans, guesses);
  }

  /** Span ids in memory. */
  get spanIds(): number {
    return this.#spanIds;
  }

  /** Everything held one by one: at most two spans for each span id, and the tool calls that wait. */
  get entryCount(): number {
    return this.#spans.count + this.#calls.count;
  }

  /** Begins a run with its first span, which is on `partition` at `offset`. `lane` is the caller's own. */
  begin(ids: SpanIds, lane: number, partition: number, offset: number): number {
    const { table } = this;
    const run = table.begin(ids);
    const at = table.cellAt(run);
    table.words[table.wordAt(run) + word.lane] = lane;
    table.words[table.wordAt(run) + word.partition] = partition;
    table.cells[at + cell.offset] = offset;
    table.cells[at + cell.startMs] = Number.POSITIVE_INFINITY;
    table.cells[at + cell.lastEndMs] = Number.NEGATIVE_INFINITY;
    table.cells[at + cell.lastWorkStartMs] = Number.NEGATIVE_INFINITY;
    return run;
  }

  /** What the caller said on which lane `run` began. */
  lane(run: number): number {
    return this.table.words[this.table.wordAt(run) + word.lane]!;
  }

  /** The partition on which `run` began. */
  partition(run: number): number {
    return this.table.words[this.table.wordAt(run) + word.partition]!;
  }

  /** Whether `run` has spans on several partitions. */
  isSpread(run: number): boolean {
    return this.#otherStarts.size > 0 && this.#otherStarts.has(run);
  }

  /** Notes that `run` has spans on `partition`, too, from `offset` on. False when that was known. */
  addStart(run: number, partition: number, offset: number): boolean {
    if (this.startOn(run, partition) !== undefined) return false;
    const others = this.#otherStarts.get(run);
    if (others) others.push({ partition, offset });
    else this.#otherStarts.set(run, [{ partition, offset }]);
    return true;
  }

  /** The offset at which `run` begins on `partition`; undefined when it has no span there. */
  startOn(run: number, partition: number): number | undefined {
    const { table } = this;
    if (this.partition(run) === partition) return table.cells[table.cellAt(run) + cell.offset];
    return this.#otherStarts.get(run)?.find((start) => start.partition === partition)?.offset;
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
      this.#spans.learn(arrival.row, known.arrived);
      table.words[countAt]! += 1;
      this.#spanIds++;
    }
    const { cells } = table;
    const at = table.cellAt(run);
    if (startMs < cells[at + cell.startMs]!) cells[at + cell.startMs] = startMs;
    if (endMs > cells[at + cell.lastEndMs]!) cells[at + cell.lastEndMs] = endMs;
    addLabels(table, span, arrival);
    if (table.isNamed(run)) addTrace(table, arrival);
    this.#ending.add(span, arrival);
    if (step === 'llm' || step === 'agent') this.#usage.add(span, arrival);
    else if (step === 'tool' || step === 'review') this.#addCost(span, arrival);
    if (step === 'tool') this.#addCall(span, arrival);
    else if (step === 'review') this.#addAnswer(span, arrival);
    return !folded;
  }

  #addCost(span: SpanFacts, { run, step }: Arrival): void {
    const { table } = this;
    const cost = step === 'tool' ? cell.toolCostNanos : cell.reviewCostNanos;
    table.cells[table.cellAt(run) + cost]! += nanosOf(span.costUsd);
    if (span.costSource === 'unpriced') table.bytes[table.byteAt(run) + byte.unpriced] = 1;
  }

  #addCall(span: SpanFacts, arrival: Arrival): void {
    const { tool, result } = span;
    if (!arrival.folded) this.#spans.setTool(arrival.row, tool);
    if (result !== undefined) this.#calls.hold(span, result, arrival);
  }

  /** A human's answer decides whether the call around the review ran. */
  #addAnswer({ escalationState }: SpanFacts, { run, ids, folded, isRoot }: Arrival): void {
    const bit = escalationState === undefined ? undefined : answers[escalationState];
    if (bit === undefined || folded || isRoot) return;
    this.#spans.learn(this.#spans.obtain(run, ids.parent0, ids.parent1), bit);
  }

  lastEndMs(run: number): number {
    return this.table.cells[this.table.cellAt(run) + cell.lastEndMs]!;
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
  releaseCalls(run: number, sink: RunSink, live: boolean): void {
    this.#calls.release(run, sink, live);
  }

  /** Settles what is known of `run` when `closedBy` ends it at event time `closedMs`: `report` says that from now on. */
  finish(run: number, closedBy: ClosedBy, closedMs: number): void {
    const { table } = this;
    const { cells, bytes } = table;
    const at = table.cellAt(run);
    const bytesAt = table.byteAt(run);
    const usage = this.#usage.of(run);
    const { outcome, evidence } = this.#ending.outcome(run, closedBy);
    cells[at + cell.closedMs] = closedMs;
    cells[at + cell.llmCostNanos] = usage.costNanos;
    cells[at + cell.inputTokens] = usage.inputTokens;
    cells[at + cell.outputTokens] = usage.outputTokens;
    bytes[bytesAt + byte.closedBy] = closings.indexOf(closedBy);
    bytes[bytesAt + byte.outcome] = outcomes.indexOf(outcome);
    bytes[bytesAt + byte.evidence] = evidenceLevels.indexOf(evidence);
    bytes[bytesAt + byte.lowerBound] = usage.priced && bytes[bytesAt + byte.unpriced] === 0 ? 0 : 1;
  }

  /** `run` as it was when it was finished last; call it before a span is added to it since. */
  report(run: number): FinishedRun {
    const { table } = this;
    const { cells, bytes } = table;
    const at = table.cellAt(run);
    const bytesAt = table.byteAt(run);
    const closedBy = closings[bytes[bytesAt + byte.closedBy]!]!;
    const start = { partition: this.partition(run), offset: cells[at + cell.offset]! };
    return {
      runId: table.id(run),
      traceId: table.traceId(run),
      agent: table.label(run, text.agent),
      release: table.label(run, text.release),
      environment: table.label(run, text.environment),
      sessionId: table.text(run, text.session),
      userId: table.text(run, text.user),
      taskType: table.text(run, text.taskType),
      startMs: cells[at + cell.startMs]!,
      endMs: this.endMs(run),
      closedMs: cells[at + cell.closedMs]!,
      closedBy,
      outcome: outcomes[bytes[bytesAt + byte.outcome]!]!,
      evidence: evidenceLevels[bytes[bytesAt + byte.evidence]!]!,
      escalationReason: this.#ending.escalationReason(run),
      toolCalls: this.#toolCalls(run),
      costUsd: {
        llm: cells[at + cell.llmCostNanos]! / nanosPerUsd,
        tool: cells[at + cell.toolCostNanos]! / nanosPerUsd,
        review: cells[at + cell.reviewCostNanos]! / nanosPerUsd,
      },
      priced: bytes[bytesAt + byte.lowerBound] === 0,
      inputTokens: cells[at + cell.inputTokens]!,
      outputTokens: cells[at + cell.outputTokens]!,
      behindMs: closedBy === 'root' ? cells[at + cell.rootBehindMs]! : 0,
      starts: this.isSpread(run) ? [start, ...this.#otherStarts.get(run)!] : [start],
      version: table.words[table.wordAt(run) + word.version]!,
      place: table.places[run],
    };
  }

  #toolCalls(run: number): RunToolCalls {
    const { words } = this.table;
    const at = this.table.wordAt(run);
    const [ok, error, rejected, cancelled] = results.map((_, i) => words[at + word.toolCalls + i]!);
    return {
      ok: ok!,
      error: error!,
      rejected: rejected!,
      cancelled: cancelled!,
      attempts: words[at + word.toolCallAttempts]!,
    };
  }

  closedMs(run: number): number {
    return this.table.cells[this.table.cellAt(run) + cell.closedMs]!;
  }

  closedBy(run: number): ClosedBy {
    return closings[this.table.bytes[this.table.byteAt(run) + byte.closedBy]!]!;
  }

  /** Forgets the spans of `run`; what was reported of it remains. */
  forgetSpans(run: number): void {
    const { table } = this;
    const countAt = table.wordAt(run) + word.spanCount;
    this.#spanIds -= table.words[countAt]!;
    table.words[countAt] = 0;
    this.#spans.forget(run);
    this.#usage.forget(run);
  }

  /**
   * Adds `span` to a run whose spans are forgotten: what it cost, because nobody knows whether another one repeats it.
   * Whether it may change what is known of the run.
   */
  addLate(run: number, span: SpanFacts): boolean {
    const { cells, words, bytes } = this.table;
    const { step } = span;
    if (step !== 'llm' && step !== 'tool' && step !== 'review') return false;
    words[this.table.wordAt(run) + word.version]! += 1;
    const at = this.table.cellAt(run);
    const cost = { llm: cell.llmCostNanos, tool: cell.toolCostNanos, review: cell.reviewCostNanos }[step];
    cells[at + cost]! += nanosOf(span.costUsd);
    cells[at + cell.inputTokens]! += tokensOf(span.inputTokens);
    cells[at + cell.outputTokens]! += tokensOf(span.outputTokens);
    if (span.costSource === 'unpriced') bytes[this.table.byteAt(run) + byte.lowerBound] = 1;
    return true;
  }

  /**
   * Notes that what is known of `run` is not kept yet, from now on: some span or the end is new. What comes later may be
   * older, from a partition that is read again behind the others, and is news all the same.
   */
  makeNews(run: number): void {
    this.table.bytes[this.table.byteAt(run) + byte.isNews] = 1;
  }

  isNews(run: number): boolean {
    return this.table.bytes[this.table.byteAt(run) + byte.isNews] !== 0;
  }

  /** Forgets `run`, whose spans are forgotten. */
  drop(run: number): void {
    this.#otherStarts.delete(run);
    this.table.drop(run);
  }
}
