import * as fc from 'fast-check';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { capturedRequests } from '../fixtures.ts';
import { requests } from '../enrich/arbitrary-requests.ts';
import { request } from '../otlp/arbitraries.ts';
import {
  decodeRequest,
  type OracleRequest,
  type OracleResourceSpans,
  type OracleSpan,
} from '../otlp/oracle.ts';

const arbitraryRequests = 20;

/** Requests of real programs and arbitrary ones; those of another `lane` have the same spans under other ids. */
export function requestsOf(lane: number): readonly OracleRequest[] {
  const captured = capturedRequests().map(({ json }) =>
    decodeRequest(jsonToProtobuf(Buffer.from(json)).bytes),
  );
  const sample = { seed: 7, numRuns: arbitraryRequests };
  let spans = 0;
  const arbitrary = [...fc.sample(request, sample), ...fc.sample(requests, sample)].map((one) =>
    withSpans(one, (span) => atRecentTime(numbered(span, spans++))),
  );
  return [...captured, ...arbitrary]
    .filter((one) => spansOf(one).length > 0)
    .map((one) => withSpans(one, (span) => inLane(span, lane)));
}

/** A request of `count` spans of about a kilobyte, each a trace of its own. */
export function largeRequest(count: number): OracleRequest {
  const startMs = Date.now();
  const spans = Array.from({ length: count }, (_, n): OracleSpan => {
    const id = Buffer.alloc(16, 0xaa);
    id.writeUInt32BE(n + 1, 12);
    const text = `${n} `.repeat(150);
    return {
      traceId: id,
      spanId: id.subarray(8),
      name: `large ${n % 7}`,
      startTimeUnixNano: `${startMs}000000`,
      endTimeUnixNano: `${startMs + n}000000`,
      attributes: [{ key: 'text', value: { stringValue: text.slice(0, 900) } }],
    };
  });
  return { resourceSpans: [{ scopeSpans: [{ spans }] }] };
}

/** A span with what stands around it. */
export interface SpanInPlace {
  readonly span: OracleSpan;
  readonly resource: OracleResourceSpans['resource'];
  readonly schemas: readonly (string | undefined)[];
  readonly scope: NonNullable<OracleResourceSpans['scopeSpans']>[number]['scope'];
}

/** Every span of `request`, in order. */
export function spansOf({ resourceSpans = [] }: OracleRequest): readonly SpanInPlace[] {
  return resourceSpans.flatMap(({ resource = {}, scopeSpans = [], schemaUrl: outer }) =>
    scopeSpans.flatMap(({ scope = {}, spans = [], schemaUrl: inner }) =>
      spans.map((span) => ({ span, resource, schemas: [outer, inner], scope })),
    ),
  );
}

function withSpans(
  { resourceSpans = [] }: OracleRequest,
  change: (span: OracleSpan) => OracleSpan,
): OracleRequest {
  return {
    resourceSpans: resourceSpans.map((outer) => ({
      ...outer,
      scopeSpans: (outer.scopeSpans ?? []).map((inner) => ({
        ...inner,
        spans: (inner.spans ?? []).map(change),
      })),
    })),
  };
}

/** A span whose id no other one has; arbitrary ones may be alike. */
function numbered(span: OracleSpan, number: number): OracleSpan {
  const spanId = Buffer.from(span.spanId ?? []);
  spanId.writeUInt16BE(number, 3);
  return { ...span, spanId };
}

/** A start that is no mistake: else the row would begin when its record was written, which is another time on every way. */
function atRecentTime(span: OracleSpan): OracleSpan {
  return { ...span, startTimeUnixNano: `${Date.now() - 60_000}000000` };
}

function inLane(span: OracleSpan, lane: number): OracleSpan {
  const moved = (id: Uint8Array | undefined): Uint8Array => {
    const bytes = Buffer.from(id ?? []);
    if (bytes.length > 0) bytes[2] = bytes[2]! ^ lane;
    return bytes;
  };
  const { traceId, spanId, parentSpanId } = span;
  return { ...span, traceId: moved(traceId), spanId: moved(spanId), parentSpanId: moved(parentSpanId) };
}
