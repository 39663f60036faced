import type { Convention } from './convention.ts';

/** What says who and which version it is when nothing better does: every SDK sets the name, build systems the rest. */
export const otelService: Convention = {
  name: 'otel-service',
  sources: [
    { field: 'agent', key: 'service.name', places: ['resource'] },
    { field: 'release', key: 'langfuse.version' },
    { field: 'release', key: 'app.version', places: ['span', 'resource'] },
    { field: 'release', key: 'vcs.ref.head.revision', places: ['resource'] },
    { field: 'release', key: 'deployment.id', places: ['resource'] },
  ],
  signals: [],
  namedSteps: [],
  content: [],
};
