import type { Convention } from './convention.ts';

/** Keys of OpenTelemetry's core semantic conventions (v1.44.0) that say what we ask. */
export const otelCore: Convention = {
  name: 'otel-core',
  sources: [
    { field: 'sessionId', key: 'session.id', places: ['span', 'resource'] },
    { field: 'userId', key: 'user.id', places: ['span', 'resource'] },
    { field: 'userId', key: 'enduser.id', places: ['span', 'resource'] },
    { field: 'release', key: 'service.version', places: ['resource', 'span'] },
    { field: 'environment', key: 'deployment.environment.name', places: ['resource', 'span'] },
    { field: 'environment', key: 'deployment.environment', places: ['resource', 'span'] },
    { field: 'senderErrorType', key: 'error.type' },
    { field: 'errorCategory', key: 'exception.type' },
    { field: 'attempt', key: 'http.request.resend_count' },
  ],
  signals: [],
  namedSteps: [{ name: 'plimsoll.review', match: 'whole', step: 'review' }],
  content: [
    'exception.message',
    'exception.stacktrace',
    'error.message',
    'url.full',
    'url.path',
    'url.query',
    'http.url',
    'http.target',
    'db.query.text',
    'db.statement',
    'user.email',
    'user.full_name',
    'user.name',
    'db.query.parameter.*',
    'http.request.header.*',
    'http.response.header.*',
  ],
};
