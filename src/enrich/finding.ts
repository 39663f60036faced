import type { CostSource, EscalationReason, EscalationState, Result, Step } from '../semconv/vocabulary.ts';

/**
 * What enrichment makes of one span. One object serves all spans: each step fills in its part and reads what the
 * steps before it found. '' is "not so" or "nobody knows".
 */
export class Finding {
  step: Step = 'other';
  /** Which rule said the step; '' when it was `gen_ai.operation.name`, as usual, or none. */
  stepRule = '';
  /** The tool's name where no attribute is only that. */
  toolFromSpan = '';
  /** The agent's name, likewise. */
  agentFromSpan = '';
  /** Whom a handoff is to where only a name says it. */
  handoffTarget = '';
  /** Something about the span says that it failed; control flow may still say otherwise. */
  looksFailed = false;
  /** The exception or message was a pause or a jump, not a failure. */
  isControlFlow = false;
  /** A signal says that the call was put off. */
  isDeferred = false;
  reason: EscalationReason | '' = '';
  state: EscalationState | '' = '';
  /** Which rule saw the escalation or the control flow; when none did, which said the step. */
  rule = '';
  /** Nobody but the sender says that there was an escalation. */
  isExplicit = false;
  /** The rule stamped on the span before is the one, or can be: it stands. */
  keepsRule = false;
  result: Result | '' = '';
  /** Not '' exactly when the span failed. */
  errorType = '';
  /** Set where the sender's count leaves out what it should include; else undefined. */
  inputTokens: number | undefined = undefined;
  outputTokens: number | undefined = undefined;
  costUsd: number | undefined = undefined;
  costSource: CostSource | '' = '';
  /** Numbers that are none: not a number, negative, or absurd. */
  nonsense = 0;
  /** By whose prices; '' when none were used. */
  priceRevision = '';
  /** The evaluator whose word in the convention's own way is `score`, in [0, 1]. */
  evaluator = '';
  score = 0;

  /** Forgets the last span. */
  reset(): void {
    this.step = 'other';
    this.stepRule = '';
    this.toolFromSpan = '';
    this.agentFromSpan = '';
    this.handoffTarget = '';
    this.looksFailed = false;
    this.isControlFlow = false;
    this.isDeferred = false;
    this.reason = '';
    this.state = '';
    this.rule = '';
    this.isExplicit = false;
    this.keepsRule = false;
    this.result = '';
    this.errorType = '';
    this.inputTokens = undefined;
    this.outputTokens = undefined;
    this.costUsd = undefined;
    this.costSource = '';
    this.priceRevision = '';
    this.nonsense = 0;
    this.evaluator = '';
    this.score = 0;
  }

  /** Records that control passed to a human, by `rule`; `auto` says that nobody was asked, so it has no reason. */
  escalate(reason: EscalationReason, state: EscalationState, rule: string): void {
    this.reason = state === 'auto' ? '' : reason;
    this.state = state;
    this.rule = rule;
  }
}
