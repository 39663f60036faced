import type { SpanView } from '../otlp/span-view.ts';
import { TextMemo } from '../otlp/text-memo.ts';
import type { OwnView } from './own-view.ts';
import type { Meaning } from '../semconv/convention.ts';
import { handoffTool, mergedTools } from '../semconv/control-flow.ts';
import { fields as canonicalFields } from '../semconv/fields.ts';
import { limitTextBytes } from '../semconv/plimsoll.ts';
import {
  keyTableSpec,
  namedSteps,
  signals,
  unusualSignal as unusual,
  usualSignal,
} from '../semconv/tables.ts';
import { stepOf, type Step } from '../semconv/vocabulary.ts';
import type { Finding } from './finding.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const fields = canonicalFields;
const unusualSignal = unusual;

interface Asked {
  readonly key: string;
  readonly field: number;
  /** By what the span's name must begin with. */
  readonly readings: readonly { readonly within: string; readonly meanings: TextMemo<Meaning | undefined> }[];
}

/** The signals as they are asked: by field, then by value. */
const asked = signals.map(({ key, field, readings }): Asked => ({
  key,
  field,
  readings: readings.map(({ within, meanings }) => {
    const known = new Map(Object.entries(meanings));
    return { within, meanings: new TextMemo((value) => known.get(value)) };
  }),
}));
const askedOfMost = asked.filter(({ key }) => key === usualSignal);

/** The rules that say a step and are neither a signal's key nor a name. */
const stepRule = {
  explicit: 'explicit',
  handoffTarget: 'handoff_target',
  handoffTool: 'handoff_tool',
  tool: 'tool',
  usage: 'usage',
  agentUsage: 'agent_usage',
  reviewSeconds: 'review_seconds',
} as const;

interface Named {
  readonly step: Step | undefined;
  /** What of the name names a tool or the target of a handoff; '' when it is too long for a name. */
  readonly tool: string;
  readonly target: string;
  readonly failed: boolean;
  readonly rule: string;
}

const stepOfName = new TextMemo((name): Named => {
  for (const { name: pattern, match, step, rest, failed = false } of namedSteps) {
    if (match === 'whole' ? name !== pattern : !name.startsWith(pattern)) continue;
    const named = rest ? usable(name.slice(pattern.length)) : '';
    const rule = nameRule(pattern);
    return {
      step,
      tool: rest === 'tool' ? named : '',
      target: rest === 'target' ? named : '',
      failed,
      rule,
    };
  }
  return { step: undefined, tool: usable(name), target: '', failed: false, rule: '' };
});

function nameRule(pattern: string): string {
  return `name ${pattern.trim()}`;
}

function usable(text: string): string {
  return Buffer.byteLength(text) <= limitTextBytes ? text : '';
}

/** Every rule that enrichment may stamp for a step; the usual signal's is taken for granted. */
const stepRules: ReadonlySet<string> = new Set([
  ...Object.values(stepRule),
  ...signals.map(({ key }) => key).filter((key) => key !== usualSignal),
  ...namedSteps.map(({ name }) => nameRule(name)),
]);

/** What a tool's name says of the step: a handoff, to whom, or a span that only repeats calls. */
interface ToolKind {
  readonly isMerged: boolean;
  /** '' when it is no handoff. */
  readonly target: string;
}

const kindOfTool = new TextMemo((tool): ToolKind => {
  const target = handoffTool.exec(tool)?.[1] ?? '';
  return { isMerged: tool === mergedTools, target: usable(target) };
});

/**
 * Says what the span means, by which rule, and whether anything about it looks like a failure. Order: our own key;
 * handoff, which is recorded as an ordinary tool call by most; a convention's signal; the span's name; a tool's name
 * or call id; tokens.
 */
export function findStep(view: OwnView, finding: Finding): void {
  const signalled = findSignals(view, finding);
  finding.looksFailed ||= view.statusCode === 2 || view.has(fields.senderErrorType);
  const text = view.own(fields.step);
  const said = text === undefined ? undefined : stepOf(text);
  const derived = derivedStep(view, finding, signalled);
  finding.step = said ?? derived;
  if (said) {
    const rule = view.own(fields.rule) ?? '';
    if (stepRules.has(rule)) finding.stepRule = rule;
    else if (said !== derived || finding.stepRule !== usualSignal) finding.stepRule = stepRule.explicit;
  }
  if (finding.stepRule === usualSignal) finding.stepRule = '';
  if (finding.step === 'tool') nameTool(view, finding);
  else if (finding.step === 'agent') nameAgent(view, finding);
}

/** The step that the first signal with one says; the finding takes what all of them say. */
function findSignals(view: OwnView, finding: Finding): Step | undefined {
  let signalled: Step | undefined;
  const list = view.has(unusualSignal) ? asked : askedOfMost;
  for (let k = 0; k < list.length; k++) {
    const { field, key, readings } = list[k]!;
    if (!view.has(field)) continue;
    const value = view.string(field) ?? '';
    for (let reading = 0; reading < readings.length; reading++) {
      const { within, meanings } = readings[reading]!;
      const meaning = meanings.get(value);
      if (!meaning || (within !== '' && !view.name().startsWith(within))) continue;
      if (!signalled && meaning.step) {
        signalled = meaning.step;
        finding.stepRule = key;
      }
      applySignal(meaning, view, finding);
    }
  }
  return signalled;
}

function applySignal(meaning: Meaning, view: OwnView, finding: Finding): void {
  if (meaning.failed || (meaning.throws && view.exceptionType() !== undefined)) finding.looksFailed = true;
  if (meaning.deferred) finding.isDeferred = true;
  if (meaning.score) {
    finding.evaluator = meaning.score.evaluator;
    finding.score = meaning.score.value;
  }
  if (meaning.escalation && finding.rule === '') {
    finding.escalate(meaning.escalation.reason, meaning.escalation.state, meaning.escalation.rule);
  }
}

function derivedStep(view: OwnView, finding: Finding, signalled: Step | undefined): Step {
  if (view.has(fields.handoffTarget)) return by(finding, stepRule.handoffTarget, 'handoff');
  const tool = view.string(fields.tool);
  if (tool === undefined && signalled !== undefined && signalled !== 'tool') return signalled;
  const isClear = tool !== undefined && signalled !== undefined;
  const named = isClear ? undefined : stepOfName.get(view.name());
  if (named?.step === 'handoff' || (named?.step && !signalled)) {
    finding.handoffTarget = named.target;
    finding.looksFailed ||= named.failed;
    return by(finding, named.rule, named.step);
  }
  const isCall = tool !== undefined || signalled === 'tool' || view.has(fields.toolCallId);
  if (!isCall) return stepOfUsage(view, finding);
  const { isMerged, target } = kindOfTool.get(tool ?? toolFromSpan(view));
  if (target !== '') {
    finding.handoffTarget = target;
    return by(finding, stepRule.handoffTool, 'handoff');
  }
  if (isMerged) return by(finding, stepRule.tool, 'other');
  return signalled ?? by(finding, stepRule.tool, 'tool');
}

/** What has tokens and does not say what it is: an agent, which repeats those of its calls, or a call. */
function stepOfUsage(view: OwnView, finding: Finding): Step {
  const hasUsage =
    view.has(fields.inputTokens) || view.has(fields.uncachedInputTokens) || view.has(fields.outputTokens);
  if (!hasUsage)
    return view.hasOwn(fields.reviewSeconds) ? by(finding, stepRule.reviewSeconds, 'review') : 'other';
  return hasAgentName(view) ? by(finding, stepRule.agentUsage, 'agent') : by(finding, stepRule.usage, 'llm');
}

function by(finding: Finding, rule: string, step: Step): Step {
  finding.stepRule = rule;
  return step;
}

/** The rank of the service's name among the sources of the agent. */
const serviceName = keyTableSpec.sources
  .filter(({ field }) => field === fields.agent)
  .findIndex(({ key }) => key === 'service.name');

/** Whether somebody names the agent, not only the service. */
export function hasAgentName(view: SpanView): boolean {
  const source = view.source(fields.agent);
  return source !== -1 && source !== serviceName;
}

function nameTool(view: OwnView, finding: Finding): void {
  if (!view.has(fields.tool)) finding.toolFromSpan = toolFromSpan(view);
}

function toolFromSpan(view: OwnView): string {
  return usable(view.string(fields.entity) ?? '') || stepOfName.get(view.name()).tool;
}

function nameAgent(view: OwnView, finding: Finding): void {
  if (!hasAgentName(view)) finding.agentFromSpan = usable(view.string(fields.entity) ?? '');
}
