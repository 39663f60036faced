import { createHash } from 'node:crypto';
import { attributesOf, type Values } from '../enrich/one-span.ts';
import { encodeRequest, type OracleResourceSpans, type OracleSpan } from '../otlp/oracle.ts';
import { durationMs } from './case-lines.ts';
import type { RunLine, SpanLine } from './case.ts';

/** What stands around the spans of a load. */
export interface Around {
  /** Event time 0, and of spans that say no other end, in milliseconds since the epoch. */
  readonly zeroMs: number;
  readonly nowMs: number;
  /** Options for all spans of the load. */
  readonly options: ReadonlyMap<string, string>;
}

function id(bytes: number, ...names: readonly string[]): Buffer {
  return createHash('sha256').update(names.join('\0')).digest().subarray(0, bytes);
}

const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);

/** What makes a span the step it is. `words` are those after the step. */
const steps: Readonly<Record<string, (words: readonly string[]) => Values>> = {
  root: () => ({ 'gen_ai.operation.name': 'invoke_agent' }),
  agent: () => ({ 'gen_ai.operation.name': 'invoke_agent' }),
  llm: () => ({ 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai' }),
  tool: ([tool = '']) => ({ 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': tool }),
  review: () => ({ 'plimsoll.step': 'review' }),
  gate: ([reason = '', state = '']) => ({
    'plimsoll.escalation.reason': reason,
    'plimsoll.escalation.state': state,
  }),
  handoff: ([target = '']) => ({ 'plimsoll.step': 'handoff', 'plimsoll.handoff.target': target }),
  evaluator: () => ({ 'plimsoll.step': 'evaluator' }),
  other: () => ({}),
};

const outcomes = ['success', 'failure', 'abandoned'];

/** What single words after a step say. */
function said(step: string, words: readonly string[]): Values {
  const values: Record<string, string> = {};
  for (const word of words) {
    if (outcomes.includes(word)) values['plimsoll.run.outcome'] = word;
    if (step === 'root' && word === 'escalated') values['plimsoll.run.outcome'] = word;
    if (step === 'tool' && (word === 'rejected' || word === 'cancelled')) values['plimsoll.result'] = word;
    if (step === 'tool' && word === 'refused') values['plimsoll.escalation.state'] = 'rejected';
  }
  return values;
}

/** Attributes by the short names of options. */
const shortNames: Readonly<Record<string, string>> = {
  cost: 'plimsoll.cost.usd',
  model: 'gen_ai.request.model',
  tokens: 'gen_ai.usage.input_tokens',
  args: 'gen_ai.tool.call.arguments',
  call: 'gen_ai.tool.call.id',
  attempt: 'plimsoll.attempt',
  seconds: 'plimsoll.review.seconds',
  state: 'plimsoll.escalation.state',
  evidence: 'plimsoll.run.evidence',
  runid: 'plimsoll.run.id',
};

const placing = new Set(['end', 'lasting', 'as', 'in', 'trace', 'agent', 'release', 'environment']);

/** Options as attributes: by a short name, as a score, or under the full name, which has a dot. */
function optionsOf(options: ReadonlyMap<string, string>): Values {
  const values: Record<string, string | number> = {};
  for (const [name, text] of options) {
    if (placing.has(name)) continue;
    const key = shortNames[name] ?? (name.startsWith('score.') ? `plimsoll.${name}` : name);
    if (!key.includes('.')) throw new Error(`a span has no ${name}`);
    const number = Number(text);
    values[key] = text === '' || Number.isNaN(number) || key.endsWith('.id') ? text : number;
  }
  return values;
}

function withoutEmpty(values: Readonly<Record<string, string>>): Values {
  return Object.fromEntries(Object.entries(values).filter(([, text]) => text !== ''));
}

/** One span, in a resource of its own. */
function resourceSpans(run: string, span: SpanLine, number: number, around: Around): OracleResourceSpans {
  const { step, words } = span;
  const valuesOf = steps[step];
  if (!valuesOf) throw new Error(`there is no step "${step}": ${Object.keys(steps).join(', ')}`);
  const options = new Map([...around.options, ...span.options]);
  const text = (name: string, otherwise: string): string => options.get(name) ?? otherwise;
  const trace = text('trace', run);
  const agent = text('agent', 'refund');
  const end = options.get('end');
  const endMs = end === undefined ? around.nowMs : around.zeroMs + durationMs(end);
  const name = text('as', step === 'root' ? 'root' : `${step} ${number}`);
  const isAgent = step === 'root' || step === 'agent';
  const values: Values = {
    ...valuesOf(words),
    ...(isAgent && agent !== '' && { 'gen_ai.agent.name': agent }),
    ...said(step, words),
    ...optionsOf(options),
  };
  const oracle: OracleSpan = {
    traceId: id(16, trace),
    spanId: id(8, trace, name),
    ...(step !== 'root' && { parentSpanId: id(8, trace, text('in', 'root')) }),
    name: step === 'review' ? 'plimsoll.review' : step,
    startTimeUnixNano: nanoseconds(endMs - durationMs(text('lasting', '1s'))),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesOf(values),
    ...(words.includes('error') && { status: { code: 2 } }),
  };
  const resource = withoutEmpty({
    'service.name': agent,
    'service.version': text('release', '1.4.0'),
    'deployment.environment.name': text('environment', 'production'),
  });
  return { resource: { attributes: attributesOf(resource) }, scopeSpans: [{ spans: [oracle] }] };
}

/** `span` of the run with this number, which `#` in its options stands for. */
function numbered(span: SpanLine, run: number): SpanLine {
  const options = [...span.options].map(([name, text]) => [name, text.replaceAll('#', `${run}`)] as const);
  return { ...span, options: new Map(options) };
}

/** The runs of a load as one ExportTraceServiceRequest in protobuf. Throws for what is no span. */
export function requestOf(runs: readonly RunLine[], around: Around): Uint8Array {
  const all = runs.flatMap(({ name, count, spans, line }) =>
    Array.from({ length: count }, (_, run) => name ?? `line ${line}, ${run}`).flatMap((run, n) =>
      spans.map((span, i) => resourceSpans(run, numbered(span, n), line * 100 + i, around)),
    ),
  );
  return encodeRequest({ resourceSpans: all });
}
