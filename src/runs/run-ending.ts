import type { SpanFacts } from '../semconv/span-facts.ts';
import {
  escalationReasons,
  evidenceLevels,
  outcomes,
  type EscalationReason,
  type EvidenceLevel,
  type Outcome,
} from '../semconv/vocabulary.ts';
import type { Arrival } from './arrival.ts';
import { noteRequest } from './escalation-requests.ts';
import type { ClosedBy } from './finished-run.ts';
import { none } from './rows.ts';
import { byte, cell, type RunTable } from './run-table.ts';
import { known, type SpanTable } from './span-table.ts';

/** Whether a span is there, and whether it failed. */
const end = { absent: 0, well: 1, failed: 2 } as const;

/** Bits of the latest time control passed to a human, or came back. */
const gate = { there: 1, pending: 2, final: 4 } as const;

/**
 * How runs ended, from whatever arrived in whatever order. An explicit outcome wins, the strongest evidence
 * first. Otherwise: a failed root is a failure; a human who was asked and has not answered is an escalation; the
 * rest completed. A failed tool call never decides: agents handle it.
 */
export class RunEnding {
  readonly #runs: RunTable;
  readonly #spans: SpanTable;
  readonly #guesses: boolean;

  /** `guesses`: a run that ended with a call for a tool that nobody made is taken to wait for a human's approval. */
  constructor(runs: RunTable, spans: SpanTable, guesses: boolean) {
    this.#runs = runs;
    this.#spans = spans;
    this.#guesses = guesses;
  }

  /** Whether a root span of `run` has arrived. */
  hasRoot(run: number): boolean {
    return this.#runs.bytes[this.#runs.byteAt(run) + byte.root] !== end.absent;
  }

  /** Why control first passed to a human. */
  escalationReason(run: number): EscalationReason | undefined {
    return this.#seenReason(run) ?? (this.#seemsToWait(run) ? 'approval' : undefined);
  }

  #seenReason(run: number): EscalationReason | undefined {
    return escalationReasons[this.#runs.bytes[this.#runs.byteAt(run) + byte.escalationReason]! - 1];
  }

  /** Whether a model asked for a tool after which nothing was done; never so where guesses are not allowed. */
  #seemsToWait(run: number): boolean {
    const { bytes, cells } = this.#runs;
    if (bytes[this.#runs.byteAt(run) + byte.saidOutcome] !== 0) return false;
    const at = this.#runs.cellAt(run);
    const askedMs = cells[at + cell.toolAskedMs]!;
    return askedMs > 0 && cells[at + cell.lastWorkStartMs]! < askedMs;
  }

  /** A human was asked and has not answered, and nobody said how the run ended. Work that went on shows an answer, except after a handoff. */
  #waitsForHuman(run: number): boolean {
    const { bytes, cells } = this.#runs;
    const at = this.#runs.byteAt(run);
    const bits = bytes[at + byte.gate]!;
    if (bytes[at + byte.saidOutcome] !== 0 || (bits & gate.pending) === 0) return false;
    const cellsAt = this.#runs.cellAt(run);
    return (
      (bits & gate.final) !== 0 || cells[cellsAt + cell.lastWorkStartMs]! < cells[cellsAt + cell.gateAtMs]!
    );
  }

  /** Another root span is to come where the run can be resumed: a human has not answered, or answered after the latest root ended. */
  expectsAnotherRoot(run: number): boolean {
    if (this.#waitsForHuman(run)) return true;
    const { bytes, cells } = this.#runs;
    const at = this.#runs.cellAt(run);
    const isSaid = bytes[this.#runs.byteAt(run) + byte.saidOutcome] !== 0;
    return !isSaid && cells[at + cell.gateAtMs]! > cells[at + cell.rootEndMs]!;
  }

  /** Takes what a span says of the end of its run. */
  add(span: SpanFacts, arrival: Arrival): void {
    const { run, step, failed, startMs } = arrival;
    const { cells } = this.#runs;
    const at = this.#runs.cellAt(run);
    const reason = span.escalationReason;
    if (reason === undefined) {
      if (this.#guesses && span.asksForTool && arrival.endMs > cells[at + cell.toolAskedMs]!)
        cells[at + cell.toolAskedMs] = arrival.endMs;
      const isWork = step === 'llm' || step === 'tool';
      if (isWork && startMs > cells[at + cell.lastWorkStartMs]!) cells[at + cell.lastWorkStartMs] = startMs;
    } else this.#addEscalation(span, reason, arrival);
    const { endMs, behindMs } = arrival;
    if (arrival.isRoot) this.#addRoot(run, failed ? end.failed : end.well, endMs, behindMs);
    else if (arrival.log === 'untraced')
      this.#addTold(run, failed ? end.failed : end.well, step === 'llm' ? endMs : 0);
    else if (arrival.isWork && step !== 'tool' && (failed || step === 'agent')) this.#addTop(arrival);
    if (arrival.folded && arrival.row !== none) {
      const facts = this.#spans.known(arrival.row); // it has arrived, though nobody will know its id
      this.#spans.setKnown(arrival.row, facts & ~(known.aboveTop | known.aboveFailure));
    }
    this.addWord(run, span, endMs);
  }

  /** Takes what a span that ended at `endMs` explicitly says of how its run ended, if it does. */
  addWord(run: number, { outcome, evidence }: SpanFacts, endMs: number): void {
    if (outcome === undefined) return;
    const level = evidenceLevels.indexOf(evidence === 'none' ? 'app' : evidence) + 1;
    this.#addOutcome(run, outcomes.indexOf(outcome) + 1, level, endMs);
  }

  /** The outcome of `run` when `closedBy` ends it, and who says so. */
  outcome(run: number, closedBy: ClosedBy): { outcome: Outcome; evidence: EvidenceLevel } {
    const { bytes } = this.#runs;
    const at = this.#runs.byteAt(run);
    const said = outcomes[bytes[at + byte.saidOutcome]! - 1];
    if (said) return { outcome: said, evidence: evidenceLevels[bytes[at + byte.saidEvidence]! - 1]! };
    return { outcome: closedBy === 'spill' ? 'unknown' : this.#inferred(run), evidence: 'none' };
  }

  #inferred(run: number): Outcome {
    const root = this.#runs.bytes[this.#runs.byteAt(run) + byte.root]!;
    const top = root || this.#top(run) || this.#runs.bytes[this.#runs.byteAt(run) + byte.told]!;
    if (top === end.failed) return 'failure';
    if (this.#waitsForHuman(run) || this.#seemsToWait(run)) return 'escalated';
    return top === end.absent ? 'unknown' : 'completed';
  }

  /** Of the topmost spans, whether one is there and whether one failed. What wraps others starts first, so of the spans not remembered the earliest stands for all. */
  #top(run: number): number {
    const spans = this.#spans;
    let top = this.#runs.bytes[this.#runs.byteAt(run) + byte.foldedTop]!;
    for (let span = spans.first(run); span !== none; span = spans.after(span)) {
      const facts = spans.known(span);
      if ((facts & known.arrived) !== 0 || (facts & known.aboveTop) === 0) continue;
      top = Math.max(top, (facts & known.aboveFailure) === 0 ? end.well : end.failed);
    }
    return top;
  }

  /** Takes a span that may turn out to be the topmost one that arrived. */
  #addTop({ run, ids, folded, failed, startMs }: Arrival): void {
    if (folded) {
      this.#foldTop(run, startMs, failed ? end.failed : end.well);
      return;
    }
    const spans = this.#spans;
    const parent = spans.obtain(run, ids.parent0, ids.parent1);
    const facts = spans.known(parent) | known.aboveTop;
    spans.setKnown(parent, failed ? facts | known.aboveFailure : facts);
  }

  #foldTop(run: number, startMs: number, top: number): void {
    const { bytes, cells } = this.#runs;
    const topAt = this.#runs.byteAt(run) + byte.foldedTop;
    const startAt = this.#runs.cellAt(run) + cell.foldedTopMs;
    const earliest = bytes[topAt]!;
    if (earliest === end.absent || startMs < cells[startAt]!) {
      bytes[topAt] = top;
      cells[startAt] = startMs;
    } else if (startMs === cells[startAt]! && top > earliest) bytes[topAt] = top;
  }

  /**
   * Log records without a trace have no root: the run went as its latest model call did, which ended at `endMs`, and well
   * without one; 0 is another record's.
   */
  #addTold(run: number, told: number, endMs: number): void {
    const { bytes, cells } = this.#runs;
    const toldAt = this.#runs.byteAt(run) + byte.told;
    const endAt = this.#runs.cellAt(run) + cell.toldEndMs;
    if (endMs === 0) bytes[toldAt] ||= end.well;
    else if (endMs > cells[endAt]!) {
      bytes[toldAt] = told;
      cells[endAt] = endMs;
    } else if (endMs === cells[endAt]! && told === end.failed) bytes[toldAt] = end.failed;
  }

  #addRoot(run: number, root: number, endMs: number, behindMs: number): void {
    const { bytes, cells } = this.#runs;
    const at = this.#runs.cellAt(run);
    const rootAt = this.#runs.byteAt(run) + byte.root;
    if (bytes[rootAt] === end.absent || endMs > cells[at + cell.rootEndMs]!) {
      bytes[rootAt] = root;
      cells[at + cell.rootEndMs] = endMs;
      cells[at + cell.rootBehindMs] = behindMs;
    } else if (endMs === cells[at + cell.rootEndMs]! && root > bytes[rootAt]!) bytes[rootAt] = root;
  }

  /** Takes an outcome, by its place in the vocabulary and that of its evidence, from 1 on. */
  #addOutcome(run: number, outcome: number, level: number, endMs: number): void {
    const { bytes, cells } = this.#runs;
    const at = this.#runs.byteAt(run);
    const saidAt = this.#runs.cellAt(run) + cell.saidAtMs;
    const said = outcomes[bytes[at + byte.saidOutcome]! - 1];
    if (said) {
      const stronger = level - bytes[at + byte.saidEvidence]!;
      const later = endMs - cells[saidAt]! || (outcomes[outcome - 1]! < said ? 1 : 0);
      if (stronger < 0 || (stronger === 0 && later <= 0)) return;
    }
    bytes[at + byte.saidOutcome] = outcome;
    bytes[at + byte.saidEvidence] = level;
    cells[saidAt] = endMs;
  }

  #addEscalation(span: SpanFacts, reason: EscalationReason, arrival: Arrival): void {
    const { run, endMs } = arrival;
    const state = span.escalationState;
    if (state === 'auto') return; // nobody was asked
    noteRequest(this.#spans, reason, state ?? 'requested', arrival);
    const isPending = state === 'requested' || state === 'timed_out';
    const isFinal = reason === 'human_handoff';
    this.#addReason(run, reason, endMs);
    this.#addGate(run, gate.there | (isPending ? gate.pending : 0) | (isFinal ? gate.final : 0), endMs);
  }

  /** The first reason is the run's. */
  #addReason(run: number, reason: EscalationReason, endMs: number): void {
    const firstAt = this.#runs.cellAt(run) + cell.escalatedAtMs;
    const first = this.#seenReason(run);
    const firstMs = this.#runs.cells[firstAt]!;
    if (first && (endMs > firstMs || (endMs === firstMs && reason >= first))) return;
    this.#runs.bytes[this.#runs.byteAt(run) + byte.escalationReason] = escalationReasons.indexOf(reason) + 1;
    this.#runs.cells[firstAt] = endMs;
  }

  /** The latest gate is where the run stands; of two at once the one that was answered. */
  #addGate(run: number, bits: number, endMs: number): void {
    const gateAt = this.#runs.byteAt(run) + byte.gate;
    const lastAt = this.#runs.cellAt(run) + cell.gateAtMs;
    const lastMs = this.#runs.cells[lastAt]!;
    const isFirst = this.#runs.bytes[gateAt] === 0;
    if (!isFirst && (endMs < lastMs || (endMs === lastMs && (bits & gate.pending) !== 0))) return;
    this.#runs.bytes[gateAt] = bits;
    this.#runs.cells[lastAt] = endMs;
  }

  /** Adds what is known of the end of `from` to what is known of that of `into`. */
  merge(from: number, into: number): void {
    const { bytes, cells } = this.#runs;
    const at = this.#runs.byteAt(from);
    const cellsAt = this.#runs.cellAt(from);
    const root = bytes[at + byte.root]!;
    if (root !== end.absent)
      this.#addRoot(into, root, cells[cellsAt + cell.rootEndMs]!, cells[cellsAt + cell.rootBehindMs]!);
    const outcome = bytes[at + byte.saidOutcome]!;
    if (outcome !== 0)
      this.#addOutcome(into, outcome, bytes[at + byte.saidEvidence]!, cells[cellsAt + cell.saidAtMs]!);
    const reason = this.#seenReason(from);
    if (reason) this.#addReason(into, reason, cells[cellsAt + cell.escalatedAtMs]!);
    const bits = bytes[at + byte.gate]!;
    if (bits !== 0) this.#addGate(into, bits, cells[cellsAt + cell.gateAtMs]!);
    const top = bytes[at + byte.foldedTop]!;
    if (top !== end.absent) this.#foldTop(into, cells[cellsAt + cell.foldedTopMs]!, top);
    const told = bytes[at + byte.told]!;
    if (told !== end.absent) this.#addTold(into, told, cells[cellsAt + cell.toldEndMs]!);
    const intoAt = this.#runs.cellAt(into);
    for (const latest of [cell.lastWorkStartMs, cell.toolAskedMs])
      cells[intoAt + latest] = Math.max(cells[intoAt + latest]!, cells[cellsAt + latest]!);
  }
}
