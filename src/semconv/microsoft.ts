import type { Convention } from './convention.ts';

/** Microsoft Agent Framework and Semantic Kernel: what they say beside OpenTelemetry's GenAI keys. */
export const microsoft: Convention = {
  name: 'microsoft',
  sources: [{ field: 'tool', key: 'agent_framework.function.name' }],
  signals: [],
  namedSteps: [],
  content: ['message_content', 'executor.input', 'executor.output'],
};
