import { describe, expect, test } from 'vitest';
import { enriched, failedStatus, stackOf, thrown, traceId, wrapped } from './one-span.ts';

describe('what a span means', () => {
  test.each([
    ['a chat', { 'gen_ai.operation.name': 'chat' }, 'llm'],
    ['an embedding', { 'gen_ai.operation.name': 'embeddings' }, 'llm'],
    ['a tool', { 'gen_ai.operation.name': 'execute_tool' }, 'tool'],
    ['an agent', { 'gen_ai.operation.name': 'invoke_agent' }, 'agent'],
    ['the creation of an agent, which is no run of it', { 'gen_ai.operation.name': 'create_agent' }, 'other'],
    ['a step of an agent, which repeats its call', { 'gen_ai.operation.name': 'agent_step' }, 'other'],
    ['an MCP tool call', { 'mcp.method.name': 'tools/call' }, 'tool'],
    ['another MCP request', { 'mcp.method.name': 'tools/list' }, 'other'],
    ['a tool named without an operation', { 'gen_ai.tool.name': 'get_order' }, 'tool'],
    [
      'an unknown operation with a tool',
      { 'gen_ai.operation.name': 'do_it', 'gen_ai.tool.name': 'get_order' },
      'tool',
    ],
    ['a model with tokens', { 'gen_ai.request.model': 'gpt-4o', 'gen_ai.usage.input_tokens': 7 }, 'llm'],
    ['a model without tokens', { 'gen_ai.request.model': 'gpt-4o' }, 'other'],
    ['a handoff', { 'gen_ai.operation.name': 'agent_handoff' }, 'handoff'],
    [
      'a handoff recorded as a tool',
      { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'transfer_to_billing' },
      'handoff',
    ],
    ['a handoff by its target', { 'gen_ai.handoff.to_agent': 'Billing' }, 'handoff'],
    ['a guardrail', { 'gen_ai.operation.name': 'guardrail_check' }, 'guardrail'],
    ['what the sender says it is', { 'plimsoll.step': 'tool', 'gen_ai.operation.name': 'chat' }, 'tool'],
    [
      'what it is, where the sender says nonsense',
      { 'plimsoll.step': 'banana', 'gen_ai.operation.name': 'chat' },
      'llm',
    ],
    ['nothing of ours', { 'http.request.method': 'GET' }, 'other'],
  ])('is seen for %s', (_, values, step) => {
    expect(enriched(values).facts.step).toBe(step);
  });

  test.each([
    ['execute_tool get_order', 'tool', 'get_order'],
    ['tools/call get_order', 'tool', 'get_order'],
    ['plimsoll.review', 'review', ''],
    ['POST /chat', 'other', ''],
  ])('is seen in the name %s', (name, step, tool) => {
    const { facts } = enriched({}, { name });
    expect([facts.step, facts.tool]).toEqual([step, tool]);
  });
});

test.each([
  ['OpenTelemetry', { 'gen_ai.operation.name': 'chat', 'gen_ai.response.finish_reasons': ['tool_calls'] }],
  ['OpenInference', { 'openinference.span.kind': 'LLM', 'llm.finish_reason': 'tool_calls' }],
])('a model call that asks for a tool says so in the words of %s', (_, values) => {
  expect(enriched(values).facts.asksForTool).toBe(true);
});

describe('who and where', () => {
  const resource = {
    'service.name': 'shop',
    'service.version': '1.2.3',
    'deployment.environment.name': 'production',
  };

  test('comes from the resource when the span does not say', () => {
    const { facts } = enriched({}, {}, resource);
    expect([facts.agent, facts.release, facts.environment]).toEqual(['shop', '1.2.3', 'production']);
  });

  test('comes from our keys first, on the span or on the resource', () => {
    const onSpan = enriched({ 'plimsoll.release': 'r2', 'gen_ai.agent.name': 'refunds' }, {}, resource).facts;
    expect([onSpan.agent, onSpan.release]).toEqual(['refunds', 'r2']);
    const onResource = enriched(
      { 'gen_ai.agent.version': '9' },
      {},
      { ...resource, 'plimsoll.release': 'r3' },
    ).facts;
    expect(onResource.release).toBe('r3');
  });

  test('is unknown when nobody says, and an SDK that was told no name says nothing', () => {
    const { facts } = enriched({}, {}, { 'service.name': 'unknown_service:node' });
    expect([facts.agent, facts.release, facts.environment]).toEqual(['unknown', 'unknown', 'unknown']);
  });

  test('names the run by its id, else by its trace', () => {
    expect(enriched({ 'plimsoll.run.id': 'run-7' }).facts.runId).toBe('run-7');
    expect(enriched({}).facts.runId).toBe(traceId);
  });

  test('takes the session from the conversation, and never from a connection', () => {
    expect(enriched({ 'gen_ai.conversation.id': 'c1' }).facts.sessionId).toBe('c1');
    expect(enriched({ 'gen_ai.conversation.id': 'c1', 'session.id': 's1' }).facts.sessionId).toBe('s1');
    expect(enriched({ 'mcp.session.id': 'transport' }).facts.sessionId).toBe('');
  });

  test('writes nothing that a key already says', () => {
    const { own } = enriched({ 'gen_ai.agent.name': 'refunds', 'http.request.method': 'GET' }, {}, resource);
    expect(own).toEqual({});
  });
});

describe('how a tool call ended', () => {
  const tool = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'get_order' };

  test('is ok unless something says it failed, whatever its status does not say', () => {
    expect(enriched(tool).facts.result).toBe('ok');
    expect(enriched(tool, { status: { code: 1 } }).facts.result).toBe('ok');
  });

  test.each([
    ['its status', {}, failedStatus, '_OTHER'],
    ['its error type', { 'error.type': 'timeout' }, {}, 'timeout'],
    ['an exception', {}, thrown('TypeError', 'secret 42'), 'TypeError'],
    [
      'the name of an exception in its message',
      {},
      { status: { code: 2, message: 'ValueError: no order 42' } },
      'ValueError',
    ],
    [
      'a message that names no exception',
      {},
      { status: { code: 2, message: 'Order 42 not found' } },
      '_OTHER',
    ],
    ['what a bare exception wraps', {}, wrapped('Exception', "KeyError('order 42')Traceback"), 'KeyError'],
    ['a bare exception', {}, wrapped('Exception', 'no order 42'), 'Exception'],
    ['the class in its stack', {}, stackOf('TypeError', 'no order 42'), 'TypeError'],
    ['a key of Strands', { 'gen_ai.tool.status': 'error' }, {}, '_OTHER'],
    ['the sender', { 'plimsoll.result': 'error' }, {}, '_OTHER'],
    ['the error type that the sender gives', { 'plimsoll.error.type': 'quota' }, {}, 'quota'],
  ])('is an error by %s', (_, more, rest, errorType) => {
    const { facts } = enriched({ ...tool, ...more }, rest);
    expect([facts.result, facts.failed, facts.errorType]).toEqual(['error', true, errorType]);
  });

  test('is what the sender says, even of a span with an error', () => {
    for (const result of ['ok', 'rejected', 'cancelled']) {
      const { facts } = enriched(
        { ...tool, 'plimsoll.result': result, 'plimsoll.error.type': 'x' },
        failedStatus,
      );
      expect([facts.result, facts.failed]).toEqual([result, false]);
    }
  });

  test('is no matter of other steps, which may fail all the same', () => {
    const { facts } = enriched({ 'gen_ai.operation.name': 'chat' }, thrown('APICallError'));
    expect([facts.result, facts.failed, facts.errorType]).toEqual([undefined, true, 'APICallError']);
  });

  test('has an exception event without an error when the exception was handled', () => {
    const { events } = thrown('KeyError');
    expect(enriched(tool, { events: events! }).facts.result).toBe('ok');
  });

  test('is an error where LangSmith has recorded an exception, whose first word was that it went well', () => {
    const { events } = wrapped('Exception', "KeyError('order 42')");
    const { facts } = enriched(
      { ...tool, 'langsmith.span.kind': 'tool' },
      { status: { code: 1 }, events: events! },
    );
    expect([facts.result, facts.errorType]).toEqual(['error', 'KeyError']);
  });
});

describe('how a run ended', () => {
  test('is known when a span says so, by the application unless somebody better does', () => {
    const said = enriched({ 'plimsoll.run.outcome': 'success' }).facts;
    expect([said.outcome, said.evidence]).toEqual(['success', 'app']);
    const confirmed = enriched({ 'plimsoll.run.outcome': 'failure', 'plimsoll.run.evidence': 'human' }).facts;
    expect([confirmed.outcome, confirmed.evidence]).toEqual(['failure', 'human']);
  });

  test('is unknown otherwise: a good end confirms nothing', () => {
    const { outcome, evidence } = enriched(
      { 'gen_ai.operation.name': 'invoke_agent' },
      { status: { code: 1 } },
    ).facts;
    expect([outcome, evidence]).toEqual([undefined, 'none']);
    expect(enriched({ 'plimsoll.run.outcome': 'great' }).facts.outcome).toBeUndefined();
  });
});
