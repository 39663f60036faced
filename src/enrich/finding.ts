import type { CostSource, EscalationReason, EscalationState, Result, Step } from '../semconv/vocabulary.ts';

/**
 * What enrichment makes of one span. One object serves all spans: each step fills in its part and reads what the
 * steps before it found. '' is "not so" or "nobody knows".
 */
export class Finding {
  step: Step = 'other';
  /** The tool's name where only the span's name says it. */
  toolFromName = '';
  /** Something about the span says that it failed; control flow may still say otherwise. */
  looksFailed = false;
  /** The exception or message was a pause or a jump, not a failure. */
  isControlFlow = false;
  reason: EscalationReason | '' = '';
  state: EscalationState | '' = '';
  /** Which escalation rule fired. */
  rule = '';
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

  /** Forgets the last span. */
  reset(): void {
    this.step = 'other';
    this.toolFromName = '';
    this.looksFailed = false;
    this.isControlFlow = false;
    this.reason = '';
    this.state = '';
    this.rule = '';
    this.keepsRule = false;
    this.result = '';
    this.errorType = '';
    this.inputTokens = undefined;
    this.outputTokens = undefined;
    this.costUsd = undefined;
    this.costSource = '';
  }

  /** Records that control passed to a human, by `rule`. */
  escalate(reason: EscalationReason, state: EscalationState, rule: string): void {
    this.reason = reason;
    this.state = state;
    this.rule = rule;
  }
}
