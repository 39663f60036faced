import { randomBytes } from 'node:crypto';
import { encodeRequest } from '../otlp/oracle.ts';

export const spansPerRequest = 100;

/** A request of fresh spans of one run, and their ids. */
export function freshRequest(): { readonly request: Uint8Array; readonly ids: readonly string[] } {
  const now = Date.now();
  const traceId = randomBytes(16);
  const spans = Array.from({ length: spansPerRequest }, () => ({
    traceId,
    spanId: randomBytes(8),
    name: 'execute_tool search',
    kind: 1,
    startTimeUnixNano: `${now - 50}000000`,
    endTimeUnixNano: `${now}000000`,
    attributes: [{ key: 'gen_ai.tool.name', value: { stringValue: 'search' } }],
  }));
  const ids = spans.map(({ spanId }) => spanId.toString('hex'));
  return { request: encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), ids };
}
