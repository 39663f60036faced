import type { OwnView } from './own-view.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { limitTextBytes } from '../semconv/plimsoll.ts';
import { resultOf, type EscalationState, type Result } from '../semconv/vocabulary.ts';
import type { Finding } from './finding.ts';
import { exceptionType, stackClass, thrownText } from './thrown.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;

/** OpenTelemetry's type of an error that nobody named. */
const unnamedError = '_OTHER';

/** What became of a tool call that a human was asked about; the others ran and may have failed. */
const notRun: ReadonlyMap<EscalationState, Result> = new Map([
  ['requested', 'cancelled'],
  ['rejected', 'rejected'],
  ['aborted', 'cancelled'],
  ['timed_out', 'cancelled'],
]);

/**
 * Decides how the span ended. It is well unless something says it failed: most frameworks leave good spans' status
 * unset. Escalation and control flow come before failure; what the sender says explicitly comes before all.
 */
export function findFailure(view: OwnView, finding: Finding): void {
  const waited = finding.state === '' ? undefined : notRun.get(finding.state);
  if (finding.step === 'tool') {
    const text = view.own(fields.result);
    const said = text === undefined ? undefined : resultOf(text);
    if (said) finding.result = said;
    else if (waited) finding.result = waited;
    else if (finding.isControlFlow || finding.isDeferred) finding.result = 'cancelled';
    else finding.result = finding.looksFailed || view.hasOwn(fields.errorType) ? 'error' : 'ok';
    if (finding.result === 'error') finding.errorType = errorTypeOf(view);
  } else if (
    !waited &&
    !finding.isControlFlow &&
    !finding.isDeferred &&
    (finding.looksFailed || view.hasOwn(fields.errorType))
  ) {
    finding.errorType = errorTypeOf(view);
  }
}

/** A word without spaces is a category; anything else is a message, and content. */
function categoryOf(text: string): string | undefined {
  return /^[A-Za-z_][\w.:-]{0,63}$/.test(text) && text.toLowerCase() !== 'true' ? text : undefined;
}

function errorTypeOf(view: OwnView): string {
  const text = thrownText(view);
  const candidates = [
    view.own(fields.errorType),
    view.string(fields.senderErrorType),
    exceptionType(view),
    categoryOf(view.string(fields.errorCategory) ?? ''),
    stackClass(text),
    // The beginning of a message that names its exception; any other message is content.
    /^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)(?=:|\(|$)/.exec(text)?.[0],
    view.exceptionType(),
  ];
  return candidates.find((type) => type && Buffer.byteLength(type) <= limitTextBytes) ?? unnamedError;
}
