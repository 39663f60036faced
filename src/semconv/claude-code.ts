import type { Convention, Meaning, Signal } from './convention.ts';

const within = 'claude_code.';
const rule = 'claude_code_decision';
const approved: Meaning = { escalation: { reason: 'approval', state: 'approved', rule } };
const rejected: Meaning = { escalation: { reason: 'approval', state: 'rejected', rule } };
const aborted: Meaning = { escalation: { reason: 'approval', state: 'aborted', rule } };
/** A setting or a hook decided, and nobody was asked. */
const auto: Meaning = { escalation: { reason: 'approval', state: 'auto', rule } };

const rating = (value: number): Meaning => ({ score: { evaluator: 'feedback_survey', value } });
const bySource: Signal['meanings'] = {
  config: auto,
  hook: auto,
  user_permanent: approved,
  user_temporary: approved,
  user_reject: rejected,
  user_abort: aborted,
};
const byDecision: Signal['meanings'] = { accept: approved, reject: rejected };

/**
 * Claude Code's traces (beta), scope `com.anthropic.claude_code.tracing`, and its events, scope
 * `com.anthropic.claude_code.events` (code.claude.com/docs/en/monitoring-usage). A tool call is a span around the wait
 * for a permission and the execution, of which only the last says whether it failed. Input tokens leave out the cached
 * ones. With traces on, an event has the ids of the interaction's span. `workflow.run_id` is no run: it is on the agents
 * that a workflow started, and not on the interaction that asked for it.
 */
export const claudeCode: Convention = {
  name: 'claude-code',
  sources: [
    { field: 'toolCallId', key: 'tool_use_id' },
    { field: 'uncachedInputTokens', key: 'input_tokens' },
    { field: 'outputTokens', key: 'output_tokens' },
    { field: 'cacheReadTokens', key: 'cache_read_tokens' },
    { field: 'cacheWriteTokens', key: 'cache_creation_tokens' },
    { field: 'model', key: 'model' },
    { field: 'attempt', key: 'attempt' },
    { field: 'errorCategory', key: 'error_type' },
    { field: 'errorCategory', key: 'error' },
    { field: 'promptId', key: 'prompt.id' },
    { field: 'durationMs', key: 'duration_ms' },
    { field: 'eventSequence', key: 'event.sequence' },
    { field: 'reportedCost', key: 'cost_usd' },
    { field: 'reportedCostMicros', key: 'cost_usd_micros' },
    { field: 'userId', key: 'user.account_uuid', places: ['span', 'resource'] },
  ],
  signals: [
    { key: 'success', within, meanings: { false: { failed: true } } },
    { key: 'source', within: 'claude_code.tool.blocked_on_user', meanings: bySource },
    { key: 'source', within: 'claude_code.tool_decision', meanings: bySource },
    { key: 'decision', within: 'claude_code.tool.blocked_on_user', meanings: byDecision },
    { key: 'decision', within: 'claude_code.tool_decision', meanings: byDecision },
    {
      key: 'response',
      within: 'claude_code.feedback_survey',
      meanings: { good: rating(1), fine: rating(0.5), bad: rating(0) },
    },
  ],
  namedSteps: [
    { name: 'claude_code.interaction', match: 'whole', step: 'agent' },
    { name: 'claude_code.llm_request', match: 'whole', step: 'llm' },
    { name: 'claude_code.tool', match: 'whole', step: 'tool' },
    { name: 'claude_code.tool.execution', match: 'whole', step: 'tool' },
    { name: 'claude_code.tool.blocked_on_user', match: 'whole', step: 'review' },
    { name: 'claude_code.hook', match: 'whole', step: 'other' },
    { name: 'claude_code.tool_result', match: 'whole', step: 'tool' },
    { name: 'claude_code.tool_decision', match: 'whole', step: 'review' },
    { name: 'claude_code.api_request', match: 'whole', step: 'llm' },
    { name: 'claude_code.api_error', match: 'whole', step: 'llm', failed: true },
    { name: 'claude_code.api_refusal', match: 'whole', step: 'other' },
    { name: 'claude_code.feedback_survey', match: 'whole', step: 'evaluator' },
  ],
  logEvents: [
    { name: 'claude_code.tool_decision' },
    { name: 'claude_code.tool_result' },
    { name: 'claude_code.api_request' },
    { name: 'claude_code.api_error' },
    { name: 'claude_code.api_refusal' },
    { name: 'claude_code.feedback_survey', only: { key: 'event_type', value: 'responded' } },
  ],
  logPrefix: { scope: 'com.anthropic.claude_code', prefix: 'claude_code.' },
  content: [
    'user_prompt',
    'full_command',
    'bash_command',
    'file_path',
    'tool_input',
    'tool_parameters',
    'output',
    'error',
    'user.account_id',
  ],
  toolArguments: ['full_command', 'file_path', 'tool_input'],
};
