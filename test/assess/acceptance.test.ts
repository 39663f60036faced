import { describe, expect, test } from 'vitest';
import type { FinishedRun } from '../../src/runs/finished-run.ts';
import { escalationReasons, escalationResolutions } from '../../src/semconv/vocabulary.ts';
import { capturedRequests, constructedLogs, constructedRequests, thirdPartyRequests } from '../fixtures.ts';
import { logsOf, readAll, readRequest, spansOf, type Reading, type SpanReading } from './read-request.ts';

/** What must be read of one request; a property left out is not asked about. */
interface Expected {
  /** Steps that occur, and how often; those not named are not asked about. */
  readonly steps?: Readonly<Record<string, number>>;
  /** Tool calls as the KPIs count them: "tool result", or "tool result × attempts". */
  readonly calls?: readonly string[];
  /** Failed spans: "step error-type". */
  readonly failed?: readonly string[];
  /** Human escalations: "reason state". */
  readonly escalations?: readonly string[];
  /** What a human was asked, as the KPIs count it: "reason resolution", or "reason resolution × times". */
  readonly asked?: readonly string[];
  readonly handoffs?: readonly string[];
  readonly sessions?: readonly string[];
  /** All runs; one, unless a row says otherwise. */
  readonly runs?: readonly Partial<FinishedRun>[];
  readonly input?: number;
  readonly output?: number;
  /** US dollars of the only run, to nine decimals; or that there is some. */
  readonly cost?: number | 'some';
  /** Sources of costs, each once. */
  readonly costSources?: readonly string[];
}

const requests = new Map(
  [...capturedRequests(), ...constructedRequests(), ...thirdPartyRequests()].map(({ name, json }) => [
    name.replace('.otlp.json', ''),
    json,
  ]),
);

const counted = (values: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(values, (value) => value)].map(([value, all]) => [value, all.length]));

const textsOf = (spans: readonly SpanReading[], text: (span: SpanReading) => string | undefined): string[] =>
  spans.flatMap((span) => text(span) ?? []).toSorted();

function textOfRequests(count: number, at: number): string {
  const reason = escalationReasons[Math.floor(at / escalationResolutions.length)];
  const text = `${reason} ${escalationResolutions[at % escalationResolutions.length]}`;
  return count === 0 ? '' : count === 1 ? text : `${text} × ${count}`;
}

function expectRead(name: string, expected: Expected): void {
  expectReading(readRequest(requests.get(name)!), expected);
}

function expectReading({ spans, reported }: Reading, expected: Expected): void {
  const { runs, calls } = reported;
  if (expected.steps) expect(counted(spans.map(({ step }) => step))).toMatchObject(expected.steps);
  if (expected.calls) {
    const made = calls.map(({ tool, result, attempts }) =>
      `${tool} ${result}${attempts > 1 ? ` × ${attempts}` : ''}`.trim(),
    );
    expect(made.toSorted()).toEqual(expected.calls.toSorted());
  }
  if (expected.failed) {
    const failed = textsOf(spans, ({ step, errorType }) => (errorType ? `${step} ${errorType}` : undefined));
    expect(failed).toEqual(expected.failed.toSorted());
  }
  if (expected.escalations) {
    const asked = textsOf(spans, ({ escalationReason: reason, escalationState: state }) =>
      reason ? `${reason} ${state}` : undefined,
    );
    expect(asked).toEqual(expected.escalations.toSorted());
  }
  if (expected.asked) {
    const requested = runs.flatMap(({ escalationRequests }) => escalationRequests.map(textOfRequests));
    expect(requested.filter((text) => text !== '').toSorted()).toEqual(expected.asked.toSorted());
  }
  if (expected.handoffs) {
    const targets = spans.filter(({ step }) => step === 'handoff').map(({ handoffTarget }) => handoffTarget);
    expect(targets).toEqual(expected.handoffs);
  }
  if (expected.sessions) {
    const sessions = [...new Set(spans.flatMap(({ sessionId }) => sessionId || []))];
    expect(sessions).toEqual(expected.sessions);
  }
  expect(runs).toMatchObject(expected.runs ?? [{}]);
  expect(runs).toHaveLength(expected.runs?.length ?? 1);
  const [run] = runs;
  if (expected.input !== undefined) expect(run!.inputTokens).toBe(expected.input);
  if (expected.output !== undefined) expect(run!.outputTokens).toBe(expected.output);
  if (expected.cost === 'some') expect(run!.costUsd.llm).toBeGreaterThan(0);
  else if (expected.cost !== undefined) expect(run!.costUsd.llm).toBeCloseTo(expected.cost, 9);
  if (expected.costSources) {
    const sources = new Set(spans.flatMap(({ costSource }) => costSource ?? []));
    expect([...sources]).toEqual(expected.costSources);
  }
}

const completed = { outcome: 'completed', evidence: 'none' } as const;
const failure = { outcome: 'failure', evidence: 'none' } as const;

/** Captures of released frameworks. */
const captured: Readonly<Record<string, Expected>> = {
  'ai-sdk-v7-tool-success': {
    steps: { tool: 1, llm: 2, agent: 1 },
    calls: ['get_order ok'],
    failed: [],
    runs: [completed],
    input: 250,
    output: 30,
    cost: 0.0000525,
    costSources: ['computed'],
  },
  'ai-sdk-v7-tool-error': { calls: ['flaky error'], failed: ['tool TypeError'], runs: [completed] },
  // Nothing but the model's finish reason tells that somebody is asked, and that would be a guess.
  'ai-sdk-v7-approval-requested': { calls: [], failed: [], escalations: [], runs: [completed] },
  'ai-sdk-v7-approval-granted': { calls: ['refund ok'], failed: [], runs: [completed] },
  'ai-sdk-v7-approval-denied': { calls: [], failed: [], runs: [completed] },
  'ai-sdk-v7-llm-error': {
    steps: { llm: 1, agent: 1 },
    calls: [],
    failed: ['agent APICallError', 'llm APICallError', 'other APICallError'],
    runs: [failure],
  },
  'ai-sdk-legacy-tool-success': {
    steps: { tool: 1, llm: 2, agent: 1 },
    calls: ['get_order ok'],
    runs: [completed],
    input: 250,
    output: 30,
    cost: 0.0000525,
  },
  'ai-sdk-legacy-tool-error': {
    steps: { tool: 1, llm: 2, agent: 1 },
    calls: ['flaky error'],
    failed: ['tool TypeError'],
    runs: [completed],
    input: 250,
    output: 30,
  },
  'openai-agents-openinference-tool-success': { calls: ['get_order ok'], failed: [], runs: [completed] },
  'openai-agents-openinference-tool-error-handled': {
    calls: ['flaky error'],
    failed: ['tool _OTHER'],
    runs: [completed],
  },
  'openai-agents-openinference-tool-error-fatal': {
    calls: ['hard error'],
    failed: ['agent _OTHER', 'other _OTHER', 'other _OTHER', 'tool _OTHER'],
    runs: [{ ...failure, closedBy: 'idle' }],
  },
  'openai-agents-openinference-handoff': {
    handoffs: ['Billing'],
    escalations: [],
    asked: [],
    calls: [],
    runs: [completed],
  },
  'openai-agents-openinference-approval-rejected': {
    calls: ['refund rejected'],
    failed: [],
    escalations: ['approval rejected'],
    runs: [{ ...completed, escalationReason: 'approval' }],
  },
  'openai-agents-openinference-approval-granted': {
    calls: ['refund ok'],
    escalations: [],
    runs: [completed],
  },
  'openai-agents-openinference-approval-requested': { calls: [], failed: [], runs: [completed] },
};

/** Third-party payloads. Where a checkout has none beside it, these are no tests at all. */
const thirdParty: Readonly<Record<string, Expected>> = {
  'pydantic-ai-tools-2025-12-04': {
    steps: { llm: 4, agent: 3 },
    calls: ['get_dad_joke_suggestion ok', 'get_one_liner_suggestion ok', 'get_pun_suggestion ok'],
    input: 1315,
    cost: 0.00032265,
    costSources: ['reported'],
  },
  'vercel-aisdk-2025-11-17': { calls: ['getWeather ok'], input: 62, output: 85, cost: 'some' },
  'google-adk-2025-08-28': {
    calls: ['say_hello ok'],
    sessions: ['demo-session'],
    input: 67,
    output: 9,
    cost: 'some',
  },
  'claude-agent-2025-12-22': {
    steps: { llm: 4 },
    calls: ['mcp__weather__get_weather ok', 'mcp__weather__get_weather ok'],
    sessions: ['6fb9b4b8-dd4d-4d41-8d4f-c0c0799a6559'],
    runs: [completed],
  },
  'microsoft-agent-2025-12-17': { calls: ['get_weather ok'], input: 293, output: 106, cost: 'some' },
  'koog-2025-08-26': {
    calls: ['HelloTool ok', 'ByeTool ok'],
    sessions: ['6f8d2449-33ed-4c7c-82e7-5410e34ee4e6'],
  },
  'crewai-2025-07-11': { calls: [], input: 190, output: 164, cost: 'some' },
  'pydantic-ai-0.7-tool-call': { calls: ['roulette_wheel ok'], runs: [{ closedBy: 'idle' }] },
  'litellm-anthropic-cache-both-spellings': { steps: { llm: 1 }, input: 100 },
  'google-adk-chat-reasoning-tokens': { steps: { llm: 1 }, input: 100, output: 60 },
  'openinference-agno-cache-tokens': { steps: { llm: 1 }, input: 50_000, output: 200 },
  'openlit-openai-chat': { input: 14, output: 96, cost: 0.000151, costSources: ['reported'] },
};

/** Written by hand: one or more for each convention that no capture of ours shows. */
const constructed: Readonly<Record<string, Expected>> = {
  'claude-code-waits': {
    steps: { agent: 1, llm: 2, review: 3 },
    calls: ['Bash ok', 'Write rejected', 'Read error'],
    escalations: ['approval approved', 'approval rejected'],
    asked: ['approval approved', 'approval rejected'],
    failed: ['tool ENOENT'],
    sessions: ['cc-session'],
    runs: [{ ...completed, escalationReason: 'approval' }],
    input: 18_100,
    output: 250,
    cost: 'some',
  },
  'langgraph-interrupt': {
    calls: [],
    failed: [],
    escalations: ['input_request requested', 'input_request requested'],
    asked: ['input_request unknown'],
    sessions: ['thread-7'],
    runs: [{ outcome: 'escalated', escalationReason: 'input_request' }],
  },
  'langgraph-parent-command': {
    handoffs: ['billing'],
    calls: ['lookup error'],
    failed: ['tool ValueError'],
    escalations: [],
  },
  'openllmetry-agent': {
    steps: { agent: 1, llm: 1 },
    calls: ['get_order ok', 'send_mail error'],
    failed: ['tool SMTPError'],
    handoffs: ['Billing'],
    escalations: [],
    sessions: ['tl-session'],
    input: 300,
    output: 30,
    cost: 'some',
  },
  'strands-agent': {
    steps: { agent: 1, llm: 1 },
    calls: ['forecast error', 'thermometer ok'],
    sessions: ['st-session'],
    input: 500,
    output: 50,
  },
  'google-adk-confirmation': {
    calls: ['lookup ok', 'adk_request_confirmation cancelled'],
    handoffs: ['agent'],
    escalations: ['approval requested'],
    sessions: ['adk-session'],
    runs: [{ outcome: 'escalated' }],
    input: 70,
    output: 7,
  },
  'microsoft-agent-framework': {
    calls: ['get_weather error'],
    failed: ['tool ToolException'],
    input: 293,
    output: 106,
  },
  'crewai-tools': { calls: ['search ok', 'scrape error'], input: 190, output: 164, cost: 'some' },
  'gemini-cli': {
    steps: { llm: 1 },
    calls: ['read_file ok', 'write_file rejected', 'run_shell_command error'],
    escalations: ['approval rejected'],
    asked: ['approval rejected'],
    failed: ['tool shell_execute_error'],
    sessions: ['g-session'],
    input: 400,
  },
  'codex-decisions': {
    steps: { review: 3 },
    calls: ['shell ok', 'shell error'],
    escalations: ['approval approved', 'approval rejected'],
    asked: ['approval approved', 'approval rejected'],
    sessions: ['x-session'],
  },
  'langfuse-sdk': {
    steps: { agent: 1, llm: 1, guardrail: 1, evaluator: 1 },
    calls: ['track error'],
    sessions: ['lf-session'],
    runs: [{ release: 'lf-7', environment: 'production' }],
    cost: 0.002,
  },
  // An edit that a policy accepted asked nobody; one that was rejected was never made. Cached tokens cost less.
  'openlit-coding-agent': {
    steps: { agent: 1, llm: 2, tool: 3 },
    calls: ['Bash error', 'Edit ok', 'Write ok'],
    failed: ['tool tool_error'],
    escalations: ['approval approved', 'approval rejected'],
    asked: ['approval approved', 'approval rejected'],
    sessions: ['ol-session'],
    runs: [{ ...completed, agent: 'claude-code', release: '2.1.222', escalationReason: 'approval' }],
    input: 1900,
    output: 100,
    cost: 0.005115,
    costSources: ['reported', 'computed'],
  },
  'laminar-sdk': { calls: ['find_flight ok'], sessions: ['lm-session'], input: 60, output: 6, cost: 0.001 },
  'pydantic-ai-deferral': {
    steps: { agent: 1, llm: 1 },
    calls: ['balance ok', 'transfer cancelled', 'print cancelled', 'rate ok × 2'],
    escalations: ['approval requested'],
    failed: ['tool ToolRetryError'],
    runs: [{ outcome: 'escalated' }],
    input: 131,
    output: 69,
    cost: 0.00006105,
  },
  'mcp-client-server': {
    calls: ['get_order error'],
    escalations: ['input_request requested'],
    sessions: [],
    runs: [{ outcome: 'escalated' }],
  },
  'openinference-python-handoff': {
    steps: { guardrail: 1 },
    calls: ['get_order ok'],
    handoffs: ['Billing', 'Human support'],
    escalations: ['human_handoff requested'],
    runs: [{ outcome: 'escalated', escalationReason: 'human_handoff' }],
  },
};

describe('what is read of what frameworks really send', () => {
  for (const [name, expected] of Object.entries(captured)) test(name, () => expectRead(name, expected));
  for (const [name, expected] of Object.entries(thirdParty))
    if (requests.has(name)) test(name, () => expectRead(name, expected));
});

describe('what is read of what frameworks document', () => {
  for (const [name, expected] of Object.entries(constructed)) test(name, () => expectRead(name, expected));
});

const logs = new Map(constructedLogs().map(({ name, json }) => [name.replace('.logs.json', ''), json]));

/** Log records of programs that send no spans. */
const told: Readonly<Record<string, Expected>> = {
  'claude-code-events': {
    steps: { llm: 3, tool: 2, review: 3, evaluator: 1 },
    calls: ['Bash ok', 'Read error'],
    failed: ['llm Overloaded', 'tool ENOENT'],
    escalations: ['approval approved', 'approval rejected'],
    sessions: ['cc-logs'],
    runs: [{ ...completed, closedBy: 'idle', escalationReason: 'approval', release: '2.1.222' }],
    input: 12_500,
    output: 150,
    cost: 0.015,
    costSources: ['reported'],
  },
  'gemini-cli-events': {
    calls: ['read_file ok', 'write_file rejected', 'run_shell_command error'],
    escalations: ['approval approved', 'approval rejected'],
    failed: ['tool shell_execute_error'],
    sessions: ['g-logs'],
    runs: [{ ...completed, closedBy: 'idle' }],
  },
  'codex-events': {
    steps: { llm: 1, tool: 3, review: 3 },
    calls: ['shell ok', 'shell rejected', 'apply_patch error'],
    escalations: ['approval approved', 'approval rejected'],
    sessions: ['x-logs'],
    runs: [{ ...completed, closedBy: 'idle' }],
    input: 1200,
    output: 80,
    cost: 'some',
    costSources: ['computed'],
  },
};

describe('what is read of the log records that programs document', () => {
  for (const [name, expected] of Object.entries(told)) {
    test(name, () => expectReading(readAll([logsOf(logs.get(name)!).request]), expected));
  }

  test('what is not kept is counted and named, and says so', () => {
    const { unstored, unstoredReason } = logsOf(logs.get('codex-events')!);
    expect(unstored).toBe(2);
    expect(unstoredReason).toMatch(/^not stored: .*codex\.conversation_starts, codex\.sse_event$/);
  });

  test('a decision says that it was seen in a log record, which tells of no wait', () => {
    const { spans: decisions } = readAll([logsOf(logs.get('claude-code-events')!).request]);
    const asked = decisions.filter(({ escalationReason }) => escalationReason !== undefined);
    expect(asked.map(({ escalationSource, waitMs }) => [escalationSource, waitMs])).toEqual([
      ['log', undefined],
      ['log', undefined],
    ]);
  });

  const spans = spansOf(requests.get('claude-code-waits')!);
  const records = logsOf(logs.get('claude-code-waits')!).request;
  test.each([
    ['before', [records, spans]],
    ['after', [spans, records]],
  ])('log records that come %s the spans of the same calls count nothing twice', (_, both) => {
    const alone = readAll([spans]).reported;
    const { runs, calls } = readAll(both).reported;
    expect(calls).toEqual(alone.calls);
    expect(runs).toHaveLength(1);
    const [run] = alone.runs;
    expect(runs[0]).toMatchObject({
      runId: run!.runId,
      outcome: 'completed',
      closedBy: 'root',
      endMs: run!.endMs,
      escalationReason: 'approval',
      inputTokens: run!.inputTokens,
      outputTokens: run!.outputTokens,
      costUsd: { llm: 0.03 },
    });
  });
});

test('every request kept as a file is expected to say something', () => {
  const expected = new Set([
    ...Object.keys(captured),
    ...Object.keys(constructed),
    ...Object.keys(thirdParty),
    // Its usage in other words is inside a JSON text.
    'ai-sdk-anthropic-cache-5m-1h',
  ]);
  for (const name of requests.keys()) expect(expected, name).toContain(name);
});

/** A span of a trace with the attributes given, within span `parent`, or the root where that is 0. */
const delegated = (id: number, parent: number, attributes: Readonly<Record<string, string>>): object => ({
  traceId: '64656c65676174696f6e2d2d2d2d2d2d',
  spanId: `000000000000000${id}`,
  ...(parent ? { parentSpanId: `000000000000000${parent}` } : {}),
  name: 'span',
  startTimeUnixNano: `179540000${id}000000000`,
  endTimeUnixNano: `179540002${9 - id}000000000`,
  attributes: Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } })),
});

/** A trace in which an agent calls another one; each says with `key` which call it is, and the span between them does not. */
function delegation(key: string): string {
  const spans = [
    delegated(4, 3, { 'gen_ai.operation.name': 'chat', [key]: 'inner' }),
    delegated(3, 2, { 'gen_ai.operation.name': 'invoke_agent', [key]: 'inner' }),
    delegated(2, 1, { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'ask_billing' }),
    delegated(1, 0, { 'gen_ai.operation.name': 'invoke_agent', [key]: 'outer' }),
  ];
  return JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
}

test.each([
  'gen_ai.agent.call.id',
  'gcp.vertex.agent.invocation_id',
  'workflow.run_id',
  'coding_agent.session.id',
  'langsmith.trace.id',
  'prompt.id',
])('a trace is one run, with its id, though %s names several calls of agents in it', (key) => {
  const { runs, calls } = readRequest(delegation(key)).reported;
  expect(runs).toMatchObject([{ runId: '64656c65676174696f6e2d2d2d2d2d2d', closedBy: 'root' }]);
  expect(runs).toHaveLength(1);
  expect(calls).toHaveLength(1);
});

test('an approval that is asked for, granted and denied is three traces', () => {
  const traces = ['requested', 'granted', 'denied'].map(
    (how) => readRequest(requests.get(`ai-sdk-v7-approval-${how}`)!).reported.runs[0]!.runId,
  );
  expect(new Set(traces).size).toBe(3);
});

/** Outcome and escalation of the run of a request where guesses are allowed. */
function outcomeOf(name: string): readonly unknown[] {
  const [run] = readRequest(requests.get(name)!, { guessEscalations: true }).reported.runs;
  return [run!.outcome, run!.escalationReason];
}

describe('where guessing is allowed', () => {
  test('a run whose model asked for a tool that nobody called waits for an approval', () => {
    expect(outcomeOf('ai-sdk-v7-approval-requested')).toEqual(['escalated', 'approval']);
  });

  test.each([
    'v7-tool-success',
    'v7-tool-error',
    'v7-approval-granted',
    'v7-approval-denied',
    'legacy-tool-error',
  ])('a run that went on is none: %s', (name) => {
    expect(outcomeOf(`ai-sdk-${name}`)).toEqual(['completed', undefined]);
  });

  test('a failed run is a failed run', () => {
    expect(outcomeOf('ai-sdk-v7-llm-error')).toEqual(['failure', undefined]);
  });
});

test('cached tokens of a call are counted once, whatever number of keys says them', () => {
  const { spans } = readRequest(requests.get('ai-sdk-v7-tool-success')!);
  expect(spans.filter(({ step }) => step === 'llm').map(({ cacheReadTokens }) => cacheReadTokens)).toEqual([
    40, 0,
  ]);
});
