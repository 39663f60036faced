import { describe, expect, test } from 'vitest';
import { enriched, failedStatus, stackOf, thrown, wrapped } from './one-span.ts';

const tool = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'refund' };

describe('an escalation', () => {
  test.each([
    ['requested', 'cancelled'],
    ['rejected', 'rejected'],
    ['aborted', 'cancelled'],
    ['timed_out', 'cancelled'],
  ])('%s takes its tool call out of the ratio, error or not', (state, result) => {
    const { facts } = enriched(
      {
        ...tool,
        'plimsoll.escalation.reason': 'approval',
        'plimsoll.escalation.state': state,
        'plimsoll.error.type': 'x',
      },
      failedStatus,
    );
    expect([facts.escalationReason, facts.escalationState]).toEqual(['approval', state]);
    expect([facts.result, facts.failed]).toEqual([result, false]);
  });

  test.each(['approved', 'modified'])('%s lets its tool call run, and fail', (state) => {
    const said = { ...tool, 'plimsoll.escalation.reason': 'approval', 'plimsoll.escalation.state': state };
    expect(enriched(said).facts.result).toBe('ok');
    expect(enriched(said, failedStatus).facts.result).toBe('error');
  });

  test('that a rule decided passed control to nobody', () => {
    const { facts } = enriched({
      ...tool,
      'plimsoll.escalation.reason': 'approval',
      'plimsoll.escalation.state': 'auto',
    });
    expect([facts.escalationReason, facts.escalationState, facts.result]).toEqual([undefined, 'auto', 'ok']);
  });

  test('said by half is completed', () => {
    const byReason = enriched({ 'plimsoll.escalation.reason': 'budget' }).facts;
    expect([byReason.escalationReason, byReason.escalationState]).toEqual(['budget', 'requested']);
    const byState = enriched({ 'plimsoll.escalation.state': 'approved' }).facts;
    expect([byState.escalationReason, byState.escalationState]).toEqual(['other', 'approved']);
  });

  test.each([
    ['langgraph.errors.GraphInterrupt', 'input_request', 'requested'],
    ['pydantic_ai.exceptions.ApprovalRequired', 'approval', 'requested'],
  ])('is thrown as %s, and is no failure', (type, reason, state) => {
    const { facts, own } = enriched(tool, thrown(type));
    expect([facts.escalationReason, facts.escalationState, facts.result]).toEqual([
      reason,
      state,
      'cancelled',
    ]);
    expect(facts.failed).toBe(false);
    expect(own['plimsoll.rule']).toBe('control_flow');
  });

  test.each(['[\n  {\n    "value": "refund?"\n  }\n]', 'one\n\nGraphInterrupt: two', 'a'])(
    'is thrown as the GraphInterrupt that a stack in JavaScript begins with, and is no failure',
    (message) => {
      const { facts } = enriched(tool, stackOf('GraphInterrupt', message));
      expect([facts.escalationReason, facts.escalationState]).toEqual(['input_request', 'requested']);
      expect([facts.result, facts.failed]).toEqual(['cancelled', false]);
    },
  );

  test.each([
    ['Exception', "GraphInterrupt((Interrupt(value='refund?', id='1'),))Traceback (most recent call last):"],
    ['Error', 'refund?\n\nGraphInterrupt: refund?\n    at run (file:///app.mjs:1:2)'],
  ])('is what a bare %s wraps, and is no failure', (type, message) => {
    const { facts } = enriched(tool, wrapped(type, message));
    expect([facts.escalationReason, facts.escalationState]).toEqual(['input_request', 'requested']);
    expect([facts.result, facts.failed]).toEqual(['cancelled', false]);
  });

  test('is rejected by the words of the OpenAI Agents SDK', () => {
    const { facts } = enriched(tool, { status: { code: 2, message: 'Tool execution was not approved: no' } });
    expect([facts.escalationReason, facts.escalationState, facts.result]).toEqual([
      'approval',
      'rejected',
      'rejected',
    ]);
  });

  test.each([
    ['ask_user', 'input_request'],
    ['AskUserQuestion', 'input_request'],
    ['adk_request_confirmation', 'approval'],
    ['escalate_to_support', 'human_handoff'],
  ])('is the call of the tool %s', (name, reason) => {
    const { facts, own } = enriched({ 'gen_ai.tool.name': name });
    expect(facts.escalationReason).toBe(reason);
    expect(own['plimsoll.rule']).toBe('human_tool');
  });

  test('is the call of a tool that the operator names, by an exact name or its beginning', () => {
    const humanTools = { page_oncall: 'human_handoff', 'confirm_*': 'approval' } as const;
    const reason = (name: string) =>
      enriched({ 'gen_ai.tool.name': name }, {}, {}, { mode: 'drop' }, { humanTools }).facts.escalationReason;
    expect(
      ['page_oncall', 'confirm_refund', 'ask_user', 'page_oncall_2', 'unconfirm_refund'].map(reason),
    ).toEqual(['human_handoff', 'approval', 'input_request', undefined, undefined]);
  });

  test('is a question that an MCP server puts to the user', () => {
    const { facts, own } = enriched({ 'mcp.method.name': 'elicitation/create' });
    expect(facts.escalationReason).toBe('input_request');
    expect(own['plimsoll.rule']).toBe('mcp_elicitation');
  });

  test.each([
    ['gen_ai.handoff.to_agent', 'Billing', undefined],
    ['gen_ai.handoff.to_agent', 'Humanities tutor', undefined],
    ['gen_ai.handoff.to_agent', 'human', 'human_handoff'],
    ['gen_ai.agent.handoff.target.name', 'Live Agent', 'human_handoff'],
    ['gen_ai.tool.name', 'transfer_to_billing', undefined],
    ['gen_ai.tool.name', 'transfer_to_live_agent', 'human_handoff'],
  ])('is a handoff (%s = %s) only to a human', (key, target, reason) => {
    const { facts } = enriched({ [key]: target });
    expect([facts.step, facts.escalationReason]).toEqual(['handoff', reason]);
  });

  test('is none by a tool whose name only resembles', () => {
    expect(enriched({ 'gen_ai.tool.name': 'deescalate' }).facts.escalationReason).toBeUndefined();
    expect(enriched(tool).facts.escalationReason).toBeUndefined();
  });
});

describe('control flow', () => {
  test('is neither a failure nor an escalation', () => {
    const { facts } = enriched(tool, thrown('langgraph.errors.ParentCommand'));
    expect([facts.result, facts.failed, facts.escalationReason]).toEqual(['cancelled', false, undefined]);
  });

  test('is not what an exception with a type of its own says', () => {
    const { facts } = enriched(tool, wrapped('ValueError', 'GraphInterrupt(1)'));
    expect([facts.errorType, facts.escalationReason]).toEqual(['ValueError', undefined]);
    expect(enriched(tool, wrapped('Exception', 'ParentCommand(1)')).facts.failed).toBe(false);
  });

  test('is the class that a stack in JavaScript begins with, and no other word of it', () => {
    expect(enriched({}, stackOf('ParentCommand', '')).facts.failed).toBe(false);
    const { facts } = enriched({}, stackOf('TypeError', 'x\n\nGraphInterrupt: x'));
    expect([facts.errorType, facts.escalationReason]).toEqual(['TypeError', undefined]);
    const quoted = 'it said:\n\nGraphInterrupt: it\n    at run (file:///app.mjs:1:2)';
    expect(enriched({}, { status: { code: 2, message: quoted } }).facts.failed).toBe(true);
  });

  test('is seen in a message only as Python writes an exception', () => {
    expect(enriched({}, { status: { code: 2, message: "ParentCommand(goto='x')" } }).facts.failed).toBe(
      false,
    );
    expect(
      enriched({}, { status: { code: 2, message: 'Command failed with exit code 1' } }).facts.failed,
    ).toBe(true);
  });

  test('is stamped with its rule, whatever rule the sender stamped: its words will be gone', () => {
    const { own } = enriched(
      { 'plimsoll.rule': 'explicit' },
      { status: { code: 2, message: 'ParentCommand(1)' } },
    );
    expect(own['plimsoll.rule']).toBe('control_flow');
    expect(enriched({ 'plimsoll.rule': 'control_flow' }).own).toEqual({});
  });

  test('of a good span is not asked about', () => {
    const { events } = thrown('GraphInterrupt');
    expect(enriched(tool, { events: events! }).facts.escalationReason).toBeUndefined();
  });
});
