import type { Convention, Meaning } from './convention.ts';

const rule = 'openlit_edit_decision';
const asked = (state: 'approved' | 'rejected' | 'modified' | 'auto'): Meaning => ({
  escalation: { reason: 'approval', state, rule },
});
/** Whatever was decided, a rule did it. */
const auto = asked('auto');

/**
 * OpenLIT's command line, which tells of coding agents by their hooks (`coding_agent.*`); its SDKs follow OpenTelemetry's
 * GenAI keys. A session is one trace. What was decided of an edit is a span that lasts no time, so it tells of no wait. A
 * call that is requested, and what a commit repeats of the tool that made it, is no call. It stands before OpenTelemetry's
 * core keys, since its `service.version` is that of the hook; which version the agent has is said on the session's span.
 */
export const openLit: Convention = {
  name: 'openlit',
  sources: [
    { field: 'sessionId', key: 'coding_agent.session.id' },
    { field: 'release', key: 'coding_agent.client.version' },
    { field: 'cacheReadTokens', key: 'gen_ai.usage.cache.read_input_tokens' },
    { field: 'cacheWriteTokens', key: 'gen_ai.usage.cache.creation_input_tokens' },
  ],
  signals: [
    {
      key: 'coding_agent.edit.decision.source',
      meanings: { user_permanent_rule: auto, hook: auto, config: auto, policy: auto },
    },
    {
      key: 'coding_agent.edit.decision',
      meanings: {
        accept: asked('approved'),
        reject: asked('rejected'),
        modify: asked('modified'),
        auto_accepted: auto,
      },
    },
  ],
  namedSteps: [
    { name: 'coding_agent.session', match: 'whole', step: 'agent' },
    { name: 'coding_agent.subagent', match: 'whole', step: 'agent' },
    { name: 'coding_agent.tool.requested', match: 'whole', step: 'other' },
    { name: 'coding_agent.mcp.tool.requested', match: 'whole', step: 'other' },
    { name: 'coding_agent.git.', match: 'beginning', step: 'other' },
  ],
  content: [
    'coding_agent.tool.command',
    'coding_agent.tool.agent_message',
    'coding_agent.llm.thought.text',
    'coding_agent.llm.turn.attachment.paths',
    'coding_agent.subagent.task',
    'coding_agent.subagent.description',
    'coding_agent.subagent.summary',
    'coding_agent.subagent.modified_files',
    'coding_agent.git.commit.message',
    'coding_agent.git.pull_request.title',
    'coding_agent.git.pull_request.url',
  ],
};
