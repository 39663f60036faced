import type { Convention, Meaning } from './convention.ts';

const within = 'gemini_cli.tool_call';
const rule = 'gemini_cli_decision';
const asked = (state: 'approved' | 'rejected' | 'modified' | 'auto'): Meaning => ({
  escalation: { reason: 'approval', state, rule },
});
const other: Meaning = { step: 'other' };

/** Gemini CLI: its spans, and its event `gemini_cli.tool_call`. */
export const geminiCli: Convention = {
  name: 'gemini-cli',
  sources: [
    { field: 'tool', key: 'function_name' },
    { field: 'inputTokens', key: 'input_token_count' },
    { field: 'outputTokens', key: 'output_token_count' },
    { field: 'cacheReadTokens', key: 'cached_content_token_count' },
    { field: 'reasoningTokens', key: 'thoughts_token_count' },
    { field: 'promptId', key: 'prompt_id' },
  ],
  signals: [
    {
      key: 'gen_ai.operation.name',
      meanings: {
        tool_call: { step: 'tool' },
        llm_call: { step: 'llm' },
        agent_call: { step: 'agent' },
        schedule_tool_calls: other,
        user_prompt: other,
        system_prompt: other,
      },
    },
    { key: 'success', within, meanings: { false: { failed: true } } },
    {
      key: 'decision',
      within,
      meanings: {
        accept: asked('approved'),
        reject: asked('rejected'),
        modify: asked('modified'),
        auto_accept: asked('auto'),
      },
    },
  ],
  namedSteps: [{ name: 'gemini_cli.tool_call', match: 'whole', step: 'tool' }],
  logEvents: [{ name: 'gemini_cli.tool_call' }],
  content: ['function_args', 'request_text', 'response_text', 'prompt'],
  toolArguments: ['function_args'],
};
