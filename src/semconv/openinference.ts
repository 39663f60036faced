import type { Convention, EvaluationKeys } from './convention.ts';

/** What is said of the span, of its trace, of its session (spec/annotations.md); we take all of it for the run's. */
const evaluated = ['', 'trace.', 'session.'].flatMap((scope) => [
  `${scope}evaluations.#.evaluation`,
  `${scope}annotations.#.annotation`,
]);
const keysOf = (stem: string): EvaluationKeys => ({
  name: `${stem}.name`,
  score: `${stem}.score`,
  label: `${stem}.label`,
});

/**
 * OpenInference (spec/semantic_conventions.md, August 2026), which the instrumentations of OpenAI Agents, LangChain and
 * LangGraph, CrewAI, Agno and others follow.
 */
export const openInference: Convention = {
  name: 'openinference',
  sources: [
    { field: 'tool', key: 'tool.name' },
    { field: 'toolCallId', key: 'tool_call.id' },
    { field: 'toolCallId', key: 'tool.id' },
    { field: 'agent', key: 'agent.name' },
    { field: 'entity', key: 'graph.node.id' },
    { field: 'provider', key: 'llm.provider' },
    { field: 'provider', key: 'llm.system' },
    { field: 'model', key: 'llm.response.model_name' },
    { field: 'model', key: 'llm.model_name' },
    { field: 'finishReason', key: 'llm.finish_reason' },
    { field: 'inputTokens', key: 'llm.token_count.prompt' },
    { field: 'outputTokens', key: 'llm.token_count.completion' },
    { field: 'cacheReadTokens', key: 'llm.token_count.prompt_details.cache_read' },
    { field: 'cacheWriteTokens', key: 'llm.token_count.prompt_details.cache_write' },
    { field: 'reasoningTokens', key: 'llm.token_count.completion_details.reasoning' },
    { field: 'reportedCost', key: 'llm.cost.total' },
  ],
  signals: [
    {
      key: 'openinference.span.kind',
      meanings: {
        LLM: { step: 'llm' },
        EMBEDDING: { step: 'llm' },
        TOOL: { step: 'tool' },
        AGENT: { step: 'agent' },
        GUARDRAIL: { step: 'guardrail' },
        EVALUATOR: { step: 'evaluator' },
        CHAIN: { step: 'other' },
        RETRIEVER: { step: 'other' },
        RERANKER: { step: 'other' },
        PROMPT: { step: 'other' },
      },
    },
  ],
  namedSteps: [],
  evaluations: evaluated.map(keysOf),
  content: [
    ...evaluated.map((stem) => stem.replace(/#.*/, '#')),
    'input.value',
    'output.value',
    'tool.parameters',
    'tool_call.function.arguments',
    'llm.invocation_parameters',
    'llm.function_call',
    'llm.prompt_template.template',
    'llm.prompt_template.variables',
    'embedding.text',
    'llm.input_messages.*',
    'llm.output_messages.*',
    'llm.prompts.*',
    'llm.choices.*',
    'llm.tools.*',
    'embedding.embeddings.*',
    'retrieval.documents.*',
    'reranker.input_documents.*',
    'reranker.output_documents.*',
    'reranker.query',
  ],
  toolArguments: ['tool.parameters', 'input.value'],
};
