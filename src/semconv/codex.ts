import type { Convention, Meaning } from './convention.ts';

const within = 'codex.tool_decision';
const rule = 'codex_decision';
const asked = (state: 'approved' | 'rejected' | 'aborted' | 'auto'): Meaning => ({
  escalation: { reason: 'approval', state, rule },
});

/** OpenAI Codex: its events `codex.tool_decision` and `codex.tool_result`. */
export const codex: Convention = {
  name: 'codex',
  sources: [
    { field: 'toolCallId', key: 'call_id' },
    { field: 'sessionId', key: 'conversation.id' },
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
        denied: asked('rejected'),
        abort: asked('aborted'),
      },
    },
  ],
  namedSteps: [
    { name: 'codex.tool_result', match: 'whole', step: 'tool' },
    { name: 'codex.tool_decision', match: 'whole', step: 'review' },
  ],
  content: ['arguments', 'output'],
  toolArguments: ['arguments'],
};
