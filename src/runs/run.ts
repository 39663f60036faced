import type { SpanFacts } from '../semconv/span-facts.ts';
import type { ClosedBy, FinishedRun, RunStart, ToolCall } from './finished-run.ts';
import { LeafUsage, type Usage } from './leaf-usage.ts';
import { RunEnding } from './run-ending.ts';
import { RunLabels } from './run-labels.ts';

/** A tool call whose labels are not settled yet. */
interface HeldCall {
  readonly span: Pick<ToolCall, 'tool' | 'result' | 'endMs' | 'durationMs' | 'behindMs'>;
  readonly parentSpanId: string;
}

const noUsage: Usage = { costUsd: 0, inputTokens: 0, outputTokens: 0, priced: true };

/** Event times in milliseconds since the epoch. */
interface Ends {
  readonly endMs: number;
  readonly newestMs: number;
}

/** One run in memory: folds its spans, in whatever order they arrive, and says what is known. */
export class Run {
  readonly runId: string;
  /** A run id of its own may be resumed by a later trace; one that is the trace id cannot. */
  readonly resumable: boolean;
  /** What was last reported; undefined while the run is open. */
  finished: FinishedRun | undefined;
  /** Waits for `settle` because it ended or changed. */
  touched = false;
  readonly starts: RunStart[];
  readonly #spanIds = new Set<string>();
  readonly #labels = new RunLabels();
  readonly #ending = new RunEnding();
  // Most runs have no use for some of these, and there are many runs.
  #modelUsage: LeafUsage | undefined;
  #agentUsage: LeafUsage | undefined;
  #tools: Map<string, string> | undefined;
  #held: HeldCall[] = [];
  #startMs = Number.POSITIVE_INFINITY;
  #lastEndMs = Number.NEGATIVE_INFINITY;
  #toolCostUsd = 0;
  #reviewCostUsd = 0;
  #priced = true;

  constructor(runId: string, traceId: string, start: RunStart) {
    this.runId = runId;
    this.resumable = runId !== traceId;
    this.starts = [start];
  }

  /** Span ids held in memory, which is what a run costs. */
  get spanCount(): number {
    return this.#spanIds.size;
  }

  get lastEndMs(): number {
    return this.#lastEndMs;
  }

  /** Event time of the latest root's end; the latest span's where there is no root. */
  get endMs(): number {
    return this.#ending.rootEndMs ?? this.#lastEndMs;
  }

  /** Event time of the oldest tool call that waits for the labels of the root; undefined when none does. */
  get heldSinceMs(): number | undefined {
    return this.#held[0]?.span.endMs;
  }

  get heldCount(): number {
    return this.#held.length;
  }

  /** The root has ended and nothing is awaited that could still belong to the run. */
  get ended(): boolean {
    return this.#ending.rootEndMs !== undefined && !(this.resumable && this.#ending.expectsAnotherRoot);
  }

  /** Everything held one by one: at most five for each span id, and the tool calls that wait. */
  get entryCount(): number {
    return (
      this.#spanIds.size +
      (this.#modelUsage?.entryCount ?? 0) +
      (this.#agentUsage?.entryCount ?? 0) +
      this.#ending.entryCount +
      (this.#tools?.size ?? 0) +
      this.#held.length
    );
  }

  /** Whether `spanId` is already in the run. */
  has(spanId: string): boolean {
    return this.#spanIds.has(spanId);
  }

  /**
   * Takes a span, and its id as long as there are fewer than `limit`; false when there are not: it then goes into
   * sums only, and a resent one counts again. `endMs` is its end after clamping, `newestMs` the newest event of its
   * partition.
   */
  add(span: SpanFacts, spanId: string, limit: number, { endMs, newestMs }: Ends): boolean {
    const folded = this.#spanIds.size >= limit;
    if (!folded) this.#spanIds.add(spanId);
    const parentSpanId = span.parentSpanId;
    const startMs = Math.min(span.startMs, endMs);
    if (startMs < this.#startMs) this.#startMs = startMs;
    if (endMs > this.#lastEndMs) this.#lastEndMs = endMs;
    this.#labels.add(span, parentSpanId === '', startMs);
    const when = { startMs, endMs, behindMs: newestMs - endMs };
    this.#ending.add(span, { spanId, parentSpanId, folded }, when);
    const step = span.step;
    if (step === 'llm' || step === 'agent') {
      const usage =
        step === 'llm' ? (this.#modelUsage ??= new LeafUsage()) : (this.#agentUsage ??= new LeafUsage());
      if (folded) usage.fold(span, spanId, parentSpanId);
      else usage.add(span, spanId, parentSpanId);
    } else if (step === 'tool' || step === 'review') this.#addCost(span, step);
    if (step === 'tool') {
      if (!folded) (this.#tools ??= new Map<string, string>()).set(spanId, span.tool);
      this.#addCall(span, parentSpanId, when);
    }
    return !folded;
  }

  #addCost(span: SpanFacts, step: 'tool' | 'review'): void {
    if (step === 'tool') this.#toolCostUsd += span.costUsd ?? 0;
    else this.#reviewCostUsd += span.costUsd ?? 0;
    this.#priced &&= span.costSource !== 'unpriced';
  }

  #addCall(
    span: SpanFacts,
    parentSpanId: string,
    when: { startMs: number; endMs: number; behindMs: number },
  ): void {
    const { tool, result } = span;
    if (result === undefined) return;
    const { startMs, endMs, behindMs } = when;
    const durationMs = endMs - startMs;
    this.#held.push({ span: { tool, result, endMs, durationMs, behindMs }, parentSpanId });
  }

  /** Hands over the tool calls held so far, with the labels as known now. A call inside a call of the same tool is that call. */
  releaseCalls(take: (call: ToolCall) => void): void {
    if (this.#held.length === 0) return;
    const { agent, release, environment } = this.#labels;
    for (const { span, parentSpanId } of this.#held) {
      if (this.#tools?.get(parentSpanId) === span.tool) continue;
      take({ agent, release, environment, ...span });
    }
    this.#held = [];
  }

  /** Of the model calls; agent spans repeat it, and speak where no model call does. */
  #usage(): Usage {
    const spoken = this.#modelUsage?.isEmpty === false ? this.#modelUsage : this.#agentUsage;
    return spoken?.total() ?? noUsage;
  }

  /** What is known of the run when `closedBy` ends it at event time `closedMs`. */
  finish(closedBy: ClosedBy, closedMs: number): FinishedRun {
    const { agent, release, environment, sessionId } = this.#labels;
    const usage = this.#usage();
    const { outcome, evidence } = this.#ending.outcome(closedBy, (spanId) => this.#spanIds.has(spanId));
    return {
      runId: this.runId,
      sessionId,
      agent,
      release,
      environment,
      startMs: this.#startMs,
      endMs: this.endMs,
      closedMs,
      closedBy,
      outcome,
      evidence,
      escalationReason: this.#ending.escalationReason,
      costUsd: { llm: usage.costUsd, tool: this.#toolCostUsd, review: this.#reviewCostUsd },
      priced: usage.priced && this.#priced,
      inputTokens: usage.inputTokens,
      outputTokens: usage.outputTokens,
      behindMs: closedBy === 'root' ? this.#ending.behindMs : 0,
      starts: [...this.starts],
    };
  }
}
