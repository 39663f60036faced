import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher, type EnrichedRequest, type EnrichOptions } from '../../src/enrich/enricher.ts';
import type { ContentMode } from '../../src/enrich/content-rules.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';
import {
  decodeRequest,
  encodeRequest,
  type OracleAttribute,
  type OracleSpan,
  type OracleValue,
} from '../otlp/oracle.ts';

/** Attributes as people think of them. */
export type Values = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export const traceId = '0af7651916cd43dd8448eb211c80319c';

/** An attribute value in OTLP: whole numbers are integers. */
function valueOf(value: Values[string]): OracleValue {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'object')
    return { arrayValue: { values: value.map((stringValue) => ({ stringValue })) } };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

export function attributesOf(values: Values): OracleAttribute[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: valueOf(value) }));
}

/** A request with one span. */
export function requestOf(
  attributes: OracleAttribute[],
  rest: OracleSpan = {},
  resource: Values = {},
): Uint8Array {
  const span: OracleSpan = {
    traceId: Buffer.from(traceId, 'hex'),
    spanId: Buffer.from('b7ad6b7169203331', 'hex'),
    name: 'span',
    startTimeUnixNano: '1760000000000000000',
    endTimeUnixNano: '1760000001000000000',
    attributes,
    ...rest,
  };
  return encodeRequest({
    resourceSpans: [{ resource: { attributes: attributesOf(resource) }, scopeSpans: [{ spans: [span] }] }],
  });
}

/** The only span of an enriched request. */
export function spanOf({ records }: EnrichedRequest): OracleSpan {
  const [record] = records;
  return decodeRequest(record!.payload).resourceSpans![0]!.scopeSpans![0]!.spans![0]!;
}

/** The attributes of a span under our prefix, and how many there are of each key. */
export function ownAttributes(span: OracleSpan): Record<string, unknown> {
  const own = (span.attributes ?? []).filter(({ key = '' }) => key.startsWith('plimsoll.'));
  if (new Set(own.map(({ key }) => key)).size !== own.length) throw new Error('a key of ours is there twice');
  return Object.fromEntries(own.map(({ key, value }) => [key, Object.values(value!)[0]]));
}

/** One span enriched: what it says to readers, and what was written. */
export function enriched(
  values: Values,
  rest: OracleSpan = {},
  resource: Values = {},
  content: ContentMode = { mode: 'drop' },
  options: Omit<EnrichOptions, 'content'> = {},
): {
  readonly facts: SpanFacts;
  readonly span: OracleSpan;
  readonly own: Record<string, unknown>;
  readonly request: EnrichedRequest;
} {
  const enricher = new Enricher({ content, ...options });
  const request = enricher.enrich(requestOf(attributesOf(values), rest, resource), 1);
  const spans = new EnrichedSpans(enricher);
  spans.read(request.records[0]!);
  const span = spanOf(request);
  return { facts: spans.at(0), span, own: ownAttributes(span), request };
}

/** A span that ended with an exception. */
export function thrown(type: string, message = ''): OracleSpan {
  return {
    status: { code: 2, ...(message ? { message } : {}) },
    events: [{ name: 'exception', attributes: attributesOf({ 'exception.type': type }) }],
  };
}

/** What LangSmith makes of an exception: another one with its text. */
export function wrapped(type: string, message: string): OracleSpan {
  const attributes = attributesOf({ 'exception.type': type, 'exception.message': message });
  return { ...failedStatus, events: [{ name: 'exception', attributes }] };
}

/** What LangChain for JavaScript makes of an exception: its message and its stack, and nothing else. */
export function stackOf(type: string, message: string): OracleSpan {
  const colon = message === '' ? '' : ': ';
  return {
    status: { code: 2, message: `${message}\n\n${type}${colon}${message}\n    at run (file:///app.mjs:1:2)` },
  };
}

export const failedStatus: OracleSpan = { status: { code: 2 } };
