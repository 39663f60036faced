import type { SpanFacts } from '../semconv/span-facts.ts';
import { evidenceLevels } from '../semconv/vocabulary.ts';
import type { EscalationReason, EvidenceLevel, Outcome } from '../semconv/vocabulary.ts';
import type { ClosedBy } from './finished-run.ts';

/**
 * How a run ended, from whatever arrived in whatever order. An explicit outcome wins, the strongest evidence
 * first. Otherwise: a failed root is a failure; a human who was asked and has not answered is an escalation; the
 * rest completed. A failed tool call never decides: agents handle it.
 */
export class RunEnding {
  #said: { outcome: Outcome; evidence: EvidenceLevel; atMs: number } | undefined;
  #root: { endMs: number; failed: boolean; behindMs: number } | undefined;
  /** Spans that may turn out to be the topmost one that arrived: whether one failed, by the span id of the parent. */
  #candidates: Map<string, boolean> | undefined;
  /** The earliest such span among those that the run does not remember. */
  #folded: { startMs: number; failed: boolean } | undefined;
  #escalation: { reason: EscalationReason; atMs: number } | undefined;
  #lastGate: { pending: boolean; final: boolean; atMs: number } | undefined;
  #lastWorkStartMs = Number.NEGATIVE_INFINITY;

  /** End of the latest root span; undefined while none has arrived. */
  get rootEndMs(): number | undefined {
    return this.#root?.endMs;
  }

  /** Why control first passed to a human. */
  get escalationReason(): EscalationReason | undefined {
    return this.#escalation?.reason;
  }

  /** A human was asked and has not answered, and nobody said how the run ended. Work that went on shows an answer, except after a handoff. */
  get waitsForHuman(): boolean {
    const gate = this.#lastGate;
    if (this.#said || !gate?.pending) return false;
    return gate.final || this.#lastWorkStartMs < gate.atMs;
  }

  /** Another root span is to come where the run can be resumed: a human has not answered, or answered after the latest root ended. */
  get expectsAnotherRoot(): boolean {
    return this.waitsForHuman || (!this.#said && (this.#lastGate?.atMs ?? 0) > (this.#root?.endMs ?? 0));
  }

  /** How late the latest root came. */
  get behindMs(): number {
    return this.#root?.behindMs ?? 0;
  }

  /** What it holds one by one: one at most for each span that the run remembers. */
  get entryCount(): number {
    return this.#candidates?.size ?? 0;
  }

  /** `behindMs` is how far `endMs` lies behind the newest event of the partition. `folded` spans are not remembered. */
  add(
    span: SpanFacts,
    { spanId, parentSpanId, folded }: { spanId: string; parentSpanId: string; folded: boolean },
    when: { startMs: number; endMs: number; behindMs: number },
  ): void {
    const { startMs, endMs, behindMs } = when;
    const { step, failed } = span;
    const isWork = step === 'llm' || step === 'tool';
    if (isWork && startMs > this.#lastWorkStartMs && span.escalationReason === undefined) {
      this.#lastWorkStartMs = startMs;
    }
    if (parentSpanId === '') this.#addRoot({ endMs, failed, behindMs });
    else if (step !== 'tool' && (failed || step === 'agent')) {
      if (folded) this.#fold({ startMs, failed });
      else {
        this.#candidates ??= new Map();
        this.#candidates.set(parentSpanId, failed || this.#candidates.get(parentSpanId) === true);
      }
    }
    if (folded) this.#candidates?.delete(spanId); // their parent has arrived, though nobody will know its id
    this.#addOutcome(span, endMs);
    this.#addEscalation(span, endMs);
  }

  /** The outcome when `closedBy` ends the run; `has` tells whether a span of the run has arrived. */
  outcome(
    closedBy: ClosedBy,
    has: (spanId: string) => boolean,
  ): { outcome: Outcome; evidence: EvidenceLevel } {
    if (this.#said) return { outcome: this.#said.outcome, evidence: this.#said.evidence };
    return { outcome: closedBy === 'spill' ? 'unknown' : this.#inferred(has), evidence: 'none' };
  }

  #inferred(has: (spanId: string) => boolean): Outcome {
    if (this.#root?.failed) return 'failure';
    const tops = this.#root ? [] : this.#tops(has);
    if (tops.includes(true)) return 'failure';
    if (this.waitsForHuman) return 'escalated';
    return this.#root || tops.length > 0 ? 'completed' : 'unknown';
  }

  /** Whether they failed. What wraps others starts first, so of the spans not remembered the earliest stands for all. */
  #tops(has: (spanId: string) => boolean): boolean[] {
    const tops = this.#folded ? [this.#folded.failed] : [];
    for (const [parentSpanId, failed] of this.#candidates ?? []) if (!has(parentSpanId)) tops.push(failed);
    return tops;
  }

  #fold(next: { startMs: number; failed: boolean }): void {
    const earliest = this.#folded;
    if (!earliest || next.startMs < earliest.startMs) this.#folded = next;
    else if (next.startMs === earliest.startMs) earliest.failed ||= next.failed;
  }

  #addRoot(next: { endMs: number; failed: boolean; behindMs: number }): void {
    const root = this.#root;
    if (!root || next.endMs > root.endMs) this.#root = next;
    else if (next.endMs === root.endMs) root.failed ||= next.failed;
  }

  #addOutcome(span: SpanFacts, atMs: number): void {
    const outcome = span.outcome;
    if (outcome === undefined) return;
    const evidence = span.evidence === 'none' ? 'app' : span.evidence;
    const said = this.#said;
    const stronger = said ? evidenceLevels.indexOf(evidence) - evidenceLevels.indexOf(said.evidence) : 1;
    const later = said ? atMs - said.atMs || (outcome < said.outcome ? 1 : 0) : 1;
    if (stronger > 0 || (stronger === 0 && later > 0)) this.#said = { outcome, evidence, atMs };
  }

  #addEscalation(span: SpanFacts, atMs: number): void {
    const reason = span.escalationReason;
    const state = span.escalationState;
    if (reason === undefined || state === 'auto') return; // nobody was asked
    const first = this.#escalation;
    if (!first || atMs < first.atMs || (atMs === first.atMs && reason < first.reason)) {
      this.#escalation = { reason, atMs };
    }
    const gate = {
      pending: state === 'requested' || state === 'timed_out',
      final: reason === 'human_handoff',
      atMs,
    };
    const last = this.#lastGate;
    if (!last || atMs > last.atMs || (atMs === last.atMs && !gate.pending)) this.#lastGate = gate;
  }
}
