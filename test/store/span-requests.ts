import { encodeRequest, type OracleSpan } from '../otlp/oracle.ts';

/** Spans of every request of `requestOf`, and the dates they start on. */
export const spansPerRequest = 60;
const datesPerRequest = 3;
export const rowName = (request: number, span: number): string => `span ${request}.${span}`;

/** Request `n`: an ExportTraceServiceRequest whose spans began today and a week and two weeks ago, one trace each. */
export function requestOf(n: number, spans = spansPerRequest): Uint8Array {
  const nowMs = Date.now();
  return encodeRequest({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'agent' } }] },
        scopeSpans: [{ spans: Array.from({ length: spans }, (_, index) => spanOf(n, index, nowMs)) }],
      },
    ],
  });
}

function spanOf(request: number, index: number, nowMs: number): OracleSpan {
  const startMs = nowMs - (index % datesPerRequest) * 7 * 86_400_000;
  const id = Buffer.alloc(16);
  id.writeUInt32BE(request + 1, 0);
  id.writeUInt32BE(index + 1, 12);
  return {
    traceId: id,
    spanId: id.subarray(8),
    name: rowName(request, index),
    kind: 1,
    startTimeUnixNano: `${startMs}000000`,
    endTimeUnixNano: `${startMs + 5}000000`,
  };
}
