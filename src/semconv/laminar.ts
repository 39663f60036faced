import type { Convention } from './convention.ts';

/** Laminar's SDK. */
export const laminar: Convention = {
  name: 'laminar',
  sources: [
    { field: 'sessionId', key: 'lmnr.association.properties.session_id' },
    { field: 'userId', key: 'lmnr.association.properties.user_id' },
  ],
  signals: [
    {
      key: 'lmnr.span.type',
      meanings: {
        LLM: { step: 'llm' },
        TOOL: { step: 'tool' },
        EVALUATOR: { step: 'evaluator' },
        HUMAN_EVALUATOR: { step: 'review' },
      },
    },
  ],
  namedSteps: [],
  content: ['lmnr.span.input', 'lmnr.span.output'],
  toolArguments: ['lmnr.span.input'],
};
