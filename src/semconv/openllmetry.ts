import type { Convention } from './convention.ts';

/** OpenLLMetry (Traceloop), `opentelemetry-semantic-conventions-ai` 0.5.2. */
export const openLlmetry: Convention = {
  name: 'openllmetry',
  sources: [
    { field: 'entity', key: 'traceloop.entity.name' },
    { field: 'sessionId', key: 'traceloop.association.properties.session_id' },
    { field: 'sessionId', key: 'traceloop.association.properties.thread_id' },
    { field: 'sessionId', key: 'traceloop.association.properties.conversation_id' },
    { field: 'userId', key: 'traceloop.association.properties.user_id' },
    { field: 'userId', key: 'llm.user' },
    { field: 'inputTokens', key: 'llm.usage.prompt_tokens' },
    { field: 'outputTokens', key: 'llm.usage.completion_tokens' },
  ],
  signals: [
    {
      key: 'gen_ai.operation.name',
      meanings: {
        llm_request: { step: 'llm' },
        execute_task: { step: 'other' },
        vector_db_retrieve: { step: 'other' },
      },
    },
    {
      key: 'traceloop.span.kind',
      meanings: {
        tool: { step: 'tool' },
        agent: { step: 'agent' },
        workflow: { step: 'agent' },
        handoff: { step: 'handoff' },
        task: { step: 'other' },
      },
    },
    {
      key: 'llm.request.type',
      meanings: {
        chat: { step: 'llm' },
        completion: { step: 'llm' },
        embedding: { step: 'llm' },
        rerank: { step: 'other' },
      },
    },
    { key: 'gen_ai.task.status', meanings: { failure: { failed: true } } },
  ],
  namedSteps: [],
  content: [
    'traceloop.entity.input',
    'traceloop.entity.output',
    'traceloop.prompt.template',
    'traceloop.prompt.template_variables',
    'llm.request.functions.*',
  ],
  toolArguments: ['traceloop.entity.input'],
};
