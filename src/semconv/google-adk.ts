import type { Convention } from './convention.ts';

/**
 * Google's Agent Development Kit, scope `gcp.vertex.agent`: what it says beside OpenTelemetry's GenAI keys.
 * `gcp.vertex.agent.invocation_id` is no run: it is on model calls alone, and an agent that is called as a tool has its
 * own in the same trace.
 */
export const googleAdk: Convention = {
  name: 'google-adk',
  sources: [{ field: 'sessionId', key: 'gcp.vertex.agent.session_id' }],
  signals: [],
  namedSteps: [],
  content: [
    'gcp.vertex.agent.llm_request',
    'gcp.vertex.agent.llm_response',
    'gcp.vertex.agent.tool_call_args',
    'gcp.vertex.agent.tool_response',
    'gcp.vertex.agent.data',
  ],
  toolArguments: ['gcp.vertex.agent.tool_call_args'],
};
