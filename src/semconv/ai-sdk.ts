import type { Convention, Meaning } from './convention.ts';

const llm: Meaning = { step: 'llm' };
const agent: Meaning = { step: 'agent' };
/** Wraps a call, and repeats its tokens. */
const other: Meaning = { step: 'other' };

/**
 * Vercel AI SDK: the `ai.*` keys of versions 4 to 6 (and of `LegacyOpenTelemetry` in 7), and what version 7 adds to
 * OpenTelemetry's GenAI keys.
 */
export const aiSdk: Convention = {
  name: 'ai-sdk',
  sources: [
    { field: 'tool', key: 'ai.toolCall.name' },
    { field: 'toolCallId', key: 'ai.toolCall.id' },
    { field: 'agent', key: 'ai.telemetry.functionId' },
    { field: 'sessionId', key: 'ai.telemetry.metadata.sessionId' },
    { field: 'sessionId', key: 'ai.telemetry.metadata.session_id' },
    { field: 'sessionId', key: 'ai.settings.context.sessionId' },
    { field: 'userId', key: 'ai.telemetry.metadata.userId' },
    { field: 'userId', key: 'ai.telemetry.metadata.user_id' },
    { field: 'userId', key: 'ai.settings.context.userId' },
    { field: 'provider', key: 'ai.model.provider' },
    { field: 'model', key: 'ai.response.model' },
    { field: 'model', key: 'ai.model.id' },
    { field: 'finishReason', key: 'ai.response.finishReason' },
    { field: 'inputTokens', key: 'ai.usage.inputTokens' },
    { field: 'inputTokens', key: 'ai.usage.promptTokens' },
    { field: 'inputTokens', key: 'ai.usage.tokens' },
    { field: 'outputTokens', key: 'ai.usage.outputTokens' },
    { field: 'outputTokens', key: 'ai.usage.completionTokens' },
    { field: 'cacheReadTokens', key: 'ai.usage.inputTokenDetails.cacheReadTokens' },
    { field: 'cacheReadTokens', key: 'ai.usage.cachedInputTokens' },
    { field: 'cacheWriteTokens', key: 'ai.usage.inputTokenDetails.cacheWriteTokens' },
    { field: 'reasoningTokens', key: 'ai.usage.outputTokenDetails.reasoningTokens' },
    { field: 'reasoningTokens', key: 'ai.usage.reasoningTokens' },
  ],
  signals: [
    {
      key: 'gen_ai.operation.name',
      meanings: { agent_step: other, rerank: other },
    },
    {
      key: 'ai.operationId',
      meanings: {
        'ai.toolCall': { step: 'tool' },
        'ai.generateText.doGenerate': llm,
        'ai.streamText.doStream': llm,
        'ai.generateObject.doGenerate': llm,
        'ai.streamObject.doStream': llm,
        'ai.embed.doEmbed': llm,
        'ai.embedMany.doEmbed': llm,
        'ai.generateText': agent,
        'ai.streamText': agent,
        'ai.generateObject': agent,
        'ai.streamObject': agent,
        'ai.embed': other,
        'ai.embedMany': other,
        'ai.rerank': other,
      },
    },
  ],
  namedSteps: [],
  content: [
    'ai.prompt',
    'ai.prompt.*',
    'ai.response.text',
    'ai.response.object',
    'ai.response.reasoning',
    'ai.response.files',
    'ai.response.toolCalls',
    'ai.response.providerMetadata',
    'ai.response.body',
    'ai.result.text',
    'ai.result.object',
    'ai.result.toolCalls',
    'ai.toolCall.args',
    'ai.toolCall.input',
    'ai.toolCall.result',
    'ai.toolCall.output',
    'ai.value',
    'ai.values',
    'ai.embedding',
    'ai.embeddings',
    'ai.documents',
    'ai.schema',
    'ai.request.body',
    'ai.request.headers.*',
  ],
  toolArguments: ['ai.toolCall.args', 'ai.toolCall.input'],
};
