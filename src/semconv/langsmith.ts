import type { Convention } from './convention.ts';

/** It says OK of a span that is still to end, and OpenTelemetry lets no error come after that. */
const throws = true;

/**
 * LangSmith's OpenTelemetry exporter, with which LangChain, LangGraph and the Claude Agent SDK trace.
 * `langsmith.trace.session_id` is a project, and no session; `langsmith.trace.id` is the trace id again, as a UUID.
 */
export const langSmith: Convention = {
  name: 'langsmith',
  sources: [
    { field: 'entity', key: 'langsmith.trace.name' },
    { field: 'sessionId', key: 'langsmith.metadata.session_id' },
    { field: 'sessionId', key: 'langsmith.metadata.thread_id' },
    { field: 'sessionId', key: 'langsmith.metadata.conversation_id' },
    { field: 'userId', key: 'langsmith.metadata.user_id' },
    { field: 'model', key: 'langsmith.metadata.ls_model_name' },
  ],
  signals: [
    { key: 'gen_ai.operation.name', meanings: { tool: { step: 'tool' }, chain: { step: 'other' } } },
    {
      key: 'langsmith.span.kind',
      meanings: {
        llm: { step: 'llm', throws },
        embedding: { step: 'llm', throws },
        tool: { step: 'tool', throws },
        chain: { step: 'other', throws },
        retriever: { step: 'other', throws },
        prompt: { step: 'other', throws },
        parser: { step: 'other', throws },
      },
    },
    { key: 'langsmith.metadata.is_error', meanings: { true: { failed: true }, True: { failed: true } } },
  ],
  namedSteps: [],
  content: ['langsmith.inputs', 'langsmith.outputs', 'gen_ai.serialized.doc'],
  toolArguments: ['gen_ai.prompt'],
};
