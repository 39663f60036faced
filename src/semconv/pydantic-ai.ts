import type { Convention } from './convention.ts';

/**
 * Pydantic AI and Logfire, instrumentation formats 1 to 5: what they say beside OpenTelemetry's GenAI keys.
 * `gen_ai.agent.call.id` is one call of one agent, and no run: an agent that another one calls has its own in the same
 * trace, and so has every resume.
 */
export const pydanticAi: Convention = {
  name: 'pydantic-ai',
  sources: [
    { field: 'agent', key: 'agent_name' },
    { field: 'reportedCost', key: 'operation.cost' },
  ],
  signals: [
    {
      key: 'pydantic_ai.tool.deferral.name',
      meanings: {
        ApprovalRequired: {
          deferred: true,
          escalation: { reason: 'approval', state: 'requested', rule: 'pydantic_deferral' },
        },
        CallDeferred: { deferred: true },
      },
    },
  ],
  namedSteps: [{ name: 'running tool: ', match: 'beginning', step: 'tool', rest: 'tool' }],
  content: [
    'tool_arguments',
    'tool_response',
    'final_result',
    'all_messages_events',
    'events',
    'model_request_parameters',
    'pydantic_ai.all_messages',
    'pydantic_ai.tool.deferral.metadata',
    'logfire.msg',
  ],
  toolArguments: ['tool_arguments'],
};
