import type { SpanFacts } from '../semconv/span-facts.ts';
import { evidenceLevels } from '../semconv/vocabulary.ts';
import type { EscalationReason, EvidenceLevel, Outcome } from '../semconv/vocabulary.ts';
import type { ClosedBy } from './finished-run.ts';

/** A span that may turn out to be the topmost one that arrived. */
interface Candidate {
  readonly parentSpanId: string;
  readonly failed: boolean;
}

/**
 * How a run ended, from whatever arrived in whatever order. An explicit outcome wins, the strongest evidence
 * first. Otherwise: a failed root is a failure; a human who was asked and has not answered is an escalation; the
 * rest completed. A failed tool call never decides: agents handle it.
 */
export class RunEnding {
  #said: { outcome: Outcome; evidence: EvidenceLevel; atMs: number } | undefined;
  #root: { endMs: number; failed: boolean } | undefined;
  #candidates: Candidate[] = [];
  #escalation: { reason: EscalationReason; atMs: number } | undefined;
  #lastGate: { pending: boolean; atMs: number } | undefined;

  /** End of the latest root span; undefined while none has arrived. */
  get rootEndMs(): number | undefined {
    return this.#root?.endMs;
  }

  /** Why control first passed to a human. */
  get escalationReason(): EscalationReason | undefined {
    return this.#escalation?.reason;
  }

  /** A human was asked and has not answered, and nobody said how the run ended. */
  get waitsForHuman(): boolean {
    return this.#said === undefined && this.#lastGate?.pending === true;
  }

  add(span: SpanFacts, parentSpanId: string, endMs: number): void {
    const { step, failed } = span;
    if (parentSpanId === '') this.#addRoot(endMs, failed);
    else if (step !== 'tool' && (failed || step === 'agent')) this.#candidates.push({ parentSpanId, failed });
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
    const tops = this.#root ? [] : this.#candidates.filter((candidate) => !has(candidate.parentSpanId));
    if (tops.some((top) => top.failed)) return 'failure';
    if (this.waitsForHuman) return 'escalated';
    return this.#root || tops.length > 0 ? 'completed' : 'unknown';
  }

  #addRoot(endMs: number, failed: boolean): void {
    const root = this.#root;
    if (!root || endMs > root.endMs) this.#root = { endMs, failed };
    else if (endMs === root.endMs) root.failed ||= failed;
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
    if (reason === undefined || state === 'auto') return;
    const first = this.#escalation;
    if (!first || atMs < first.atMs || (atMs === first.atMs && reason < first.reason)) {
      this.#escalation = { reason, atMs };
    }
    const pending =
      state === 'requested' || state === 'timed_out' || (state === undefined && reason === 'human_handoff');
    const last = this.#lastGate;
    if (!last || atMs > last.atMs) this.#lastGate = { pending, atMs };
    else if (atMs === last.atMs) last.pending &&= pending;
  }
}
