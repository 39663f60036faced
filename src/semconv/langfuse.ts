import type { Convention, Meaning } from './convention.ts';

const llm: Meaning = { step: 'llm' };
const other: Meaning = { step: 'other' };

/** Langfuse's SDKs: what somebody who instruments by hand says, so it stands before what a library says. */
export const langfuse: Convention = {
  name: 'langfuse',
  sources: [
    { field: 'release', key: 'langfuse.release', places: ['span', 'resource'] },
    { field: 'environment', key: 'langfuse.environment', places: ['span', 'resource'] },
    { field: 'sessionId', key: 'langfuse.session.id' },
    { field: 'userId', key: 'langfuse.user.id' },
    { field: 'model', key: 'langfuse.observation.model.name' },
    { field: 'reportedCost', key: 'langfuse.observation.cost_details.total' },
  ],
  signals: [
    {
      key: 'langfuse.observation.type',
      meanings: {
        generation: llm,
        embedding: llm,
        tool: { step: 'tool' },
        agent: { step: 'agent' },
        guardrail: { step: 'guardrail' },
        evaluator: { step: 'evaluator' },
        chain: other,
        retriever: other,
      },
    },
    { key: 'langfuse.observation.level', meanings: { ERROR: { failed: true } } },
  ],
  namedSteps: [],
  content: [
    'langfuse.observation.input',
    'langfuse.observation.output',
    'langfuse.observation.status_message',
    'langfuse.trace.input',
    'langfuse.trace.output',
  ],
  toolArguments: ['langfuse.observation.input'],
};
