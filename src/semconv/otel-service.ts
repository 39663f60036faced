import type { Convention } from './convention.ts';

/** The name that every OpenTelemetry SDK sets: it says who the agent is when nothing else does. */
export const otelService: Convention = {
  name: 'otel-service',
  sources: [{ field: 'agent', key: 'service.name', places: ['resource'] }],
  signals: [],
  namedSteps: [],
  content: [],
};
