import type { Convention } from './convention.ts';

/** Strands Agents: OpenTelemetry's GenAI keys, with the result of a tool in a word. */
export const strands: Convention = {
  name: 'strands',
  sources: [],
  signals: [{ key: 'gen_ai.tool.status', meanings: { error: { failed: true } } }],
  namedSteps: [],
  content: [],
};
