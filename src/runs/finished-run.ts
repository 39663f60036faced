import type { EscalationReason, EvidenceLevel, Outcome, Result } from '../semconv/vocabulary.ts';

/** What ended a run: its root span, the idle timeout, or the limit on runs held in memory. */
export type ClosedBy = 'root' | 'idle' | 'spill';

/** US dollars by what they were spent on. */
interface RunCost {
  readonly llm: number;
  readonly tool: number;
  readonly review: number;
}

/** Tool calls of a run by their result, and all attempts at them. */
export interface RunToolCalls extends Readonly<Record<Result, number>> {
  readonly attempts: number;
}

/** An open run, as far as it is known. */
export interface SeenRun {
  /** Names the run from its first span until it is forgotten, also where its id changes; then another one may have it. */
  readonly slot: number;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  /** These two are '' when nobody says. */
  readonly sessionId: string;
  readonly userId: string;
}

/** A run that ended, as known now; a later span of it makes a new one that replaces this. */
export interface FinishedRun extends SeenRun {
  readonly runId: string;
  /** Lower-case hex. Of a run over several traces, the one whose span speaks best for it. */
  readonly traceId: string;
  /** '' when nobody says. */
  readonly taskType: string;
  /** Start of the earliest span, in milliseconds since the epoch. */
  readonly startMs: number;
  /** End of the root span, or of the latest span where there is no root. */
  readonly endMs: number;
  /** The event time at which windows count the run: `endMs`, or the end of the idle timeout. */
  readonly closedMs: number;
  readonly closedBy: ClosedBy;
  readonly outcome: Outcome;
  readonly evidence: EvidenceLevel;
  /** Of the first time control passed to a human; undefined when it never did. */
  readonly escalationReason: EscalationReason | undefined;
  /** How often a human was asked: by reason and, within it, resolution, in the order of the vocabulary; an empty list for never. */
  readonly escalationRequests: readonly number[];
  /** The most that were ever reported, by reason: what came later may show that one was counted twice. */
  readonly peakRequests: readonly number[];
  /** Those that were handed to `toolCall` so far. */
  readonly toolCalls: RunToolCalls;
  readonly costUsd: RunCost;
  /** The most that it was ever reported to cost: what came later may show that something was counted twice. */
  readonly peakUsd: RunCost;
  /** How long humans worked on its reviews. */
  readonly reviewSeconds: number;
  /** False when a model call of the run has no known price: the cost is then a lower bound and belongs in no ratio. */
  readonly priced: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The latest of each evaluator, in [0, 1]; the same empty map for every run without any. */
  readonly scores: ReadonlyMap<string, number>;
  /** How far its end lay behind the newest event of its partition when it arrived; 0 for a run that timed out. */
  readonly behindMs: number;
  /** Spans it was put together from, the first ones of a resent pair: of two views of a run, the one with more knows more. */
  readonly version: number;
  /** The sink's own: what it leaves here comes back in the next `before` of the run. */
  place: unknown;
}

/** One tool call that ended, however many spans and attempts it took, with the labels of its run. */
export interface ToolCall {
  /** That of its run. */
  readonly traceId: string;
  readonly agent: string;
  readonly release: string;
  readonly environment: string;
  readonly tool: string;
  /** Of the last attempt; those before it failed. */
  readonly result: Result;
  /** From 1 on. */
  readonly attempts: number;
  readonly endMs: number;
  /** Of the last attempt, without what it waited for a human where its spans tell. */
  readonly durationMs: number;
  /** How far its end lay behind the newest event of its partition when it arrived. */
  readonly behindMs: number;
}

/** Who learns what the assembler found. */
export interface RunSink {
  /** An open run is new, or what is said here of it changed. Once a record at most, and before it is `finished`. */
  seen(run: SeenRun): void;
  /** What was taken for a run of its own is part of the one in the slot `into`; it is never `finished`. */
  absorbed(slot: number, into: number): void;
  /** Once per run. */
  finished(run: FinishedRun): void;
  /** A span that came after the end changed what is known: `after`, whose version is greater, replaces `before`. */
  revised(before: FinishedRun, after: FinishedRun): void;
  /** Once per tool call. */
  toolCall(call: ToolCall): void;
}
