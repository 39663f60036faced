import type { Convention, Meaning } from './convention.ts';

const within = 'codex.tool_decision';
const rule = 'codex_decision';
const asked = (state: 'approved' | 'rejected' | 'aborted' | 'auto'): Meaning => ({
  escalation: { reason: 'approval', state, rule },
});

/**
 * OpenAI Codex: its events `codex.tool_decision`, `codex.tool_result` and, with the tokens of a model call,
 * `codex.sse_event` of the kind `response.completed`.
 */
export const codex: Convention = {
  name: 'codex',
  sources: [
    { field: 'toolCallId', key: 'call_id' },
    { field: 'sessionId', key: 'conversation.id' },
    { field: 'cacheReadTokens', key: 'cached_token_count' },
    { field: 'reasoningTokens', key: 'reasoning_token_count' },
  ],
  signals: [
    { key: 'success', within: 'codex.tool_result', meanings: { false: { failed: true } } },
    { key: 'source', within, meanings: { Config: asked('auto'), config: asked('auto') } },
    {
      key: 'decision',
      within,
      meanings: {
        approved: asked('approved'),
        approved_for_session: asked('approved'),
        approvedforsession: asked('approved'),
        approved_execpolicy_amendment: asked('approved'),
        denied: asked('rejected'),
        abort: asked('aborted'),
      },
    },
  ],
  namedSteps: [
    { name: 'codex.tool_result', match: 'whole', step: 'tool' },
    { name: 'codex.tool_decision', match: 'whole', step: 'review' },
    { name: 'codex.sse_event', match: 'whole', step: 'llm' },
  ],
  logEvents: [
    { name: 'codex.tool_decision' },
    { name: 'codex.tool_result' },
    { name: 'codex.sse_event', only: { key: 'event.kind', value: 'response.completed' } },
  ],
  content: ['arguments', 'output'],
  toolArguments: ['arguments'],
};
