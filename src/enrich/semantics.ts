import { TextMemo } from '../otlp/text-memo.ts';
import type { OwnView } from './own-view.ts';
import type { Meaning } from '../semconv/convention.ts';
import { handoffTool } from '../semconv/control-flow.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { limitTextBytes } from '../semconv/plimsoll.ts';
import { namedSteps, signals } from '../semconv/tables.ts';
import { stepOf, type Step } from '../semconv/vocabulary.ts';
import type { Finding } from './finding.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;

/** The signals as they are asked: by field, then by value. */
const asked = signals.map(({ field, meanings }) => {
  const known = new Map(Object.entries(meanings));
  return { field, meanings: new TextMemo((value) => known.get(value)) };
});

const isHandoffTool = new TextMemo((tool) => handoffTool.test(tool));

interface Named {
  readonly step: Step | undefined;
  readonly tool: string;
}

const stepOfName = new TextMemo((name): Named => {
  for (const { name: pattern, match, step, rest } of namedSteps) {
    if (match === 'whole' ? name !== pattern : !name.startsWith(pattern)) continue;
    const tool = rest ? name.slice(pattern.length) : '';
    return { step, tool: Buffer.byteLength(tool) <= limitTextBytes ? tool : '' };
  }
  return { step: undefined, tool: '' };
});

/**
 * Says what the span means, and whether anything about it looks like a failure. Order: our own key; handoff, which
 * is recorded as an ordinary tool call by most; a convention's signal; a tool's name or call id; the span's name; a
 * model with tokens.
 */
export function findStep(view: OwnView, finding: Finding): void {
  let signalled: Step | undefined;
  for (let k = 0; k < asked.length; k++) {
    const { field, meanings } = asked[k]!;
    if (!view.has(field)) continue;
    const meaning = meanings.get(view.string(field) ?? '');
    if (!meaning) continue;
    signalled ??= meaning.step;
    applySignal(meaning, finding);
  }
  finding.looksFailed ||= view.statusCode === 2 || view.has(fields.senderErrorType);
  const said = view.own(fields.step);
  finding.step = (said === undefined ? undefined : stepOf(said)) ?? derivedStep(view, signalled);
  if (finding.step === 'tool' && !view.has(fields.tool))
    finding.toolFromName = stepOfName.get(view.name()).tool;
}

function applySignal(meaning: Meaning, finding: Finding): void {
  if (meaning.failed) finding.looksFailed = true;
  if (meaning.escalation && finding.rule === '') {
    finding.escalate(meaning.escalation.reason, meaning.escalation.state, meaning.escalation.rule);
  }
}

function derivedStep(view: OwnView, signalled: Step | undefined): Step {
  if (view.has(fields.handoffTarget)) return 'handoff';
  const tool = view.string(fields.tool);
  if (tool !== undefined && isHandoffTool.get(tool)) return 'handoff';
  if (signalled) return signalled;
  if (tool !== undefined || view.has(fields.toolCallId)) return 'tool';
  const named = stepOfName.get(view.name()).step;
  if (named) return named;
  const hasTokens = view.has(fields.inputTokens) || view.has(fields.outputTokens);
  return hasTokens && view.has(fields.model) ? 'llm' : 'other';
}
