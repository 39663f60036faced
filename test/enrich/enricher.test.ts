import * as fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { enrichedHeader, Enricher, limitRecordBytes } from '../../src/enrich/enricher.ts';
import type { ContentMode } from '../../src/enrich/content-rules.ts';
import { ownKeys, scorePrefix } from '../../src/semconv/plimsoll.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';
import { contentNameOf, contentNames } from '../../src/semconv/tables.ts';
import { runs } from '../property-runs.ts';
import {
  decodeRequest,
  encodeRequest,
  encodeSpan,
  type OracleAttribute,
  type OracleRequest,
  type OracleSpan,
} from '../otlp/oracle.ts';
import { partitioners } from '../../src/otlp/partition.ts';
import { limitBytes } from '../../src/otlp/wire.ts';
import { reversed, shuffled } from '../otlp/arbitraries.ts';
import { requests } from './arbitrary-requests.ts';
import { attributesOf, enriched, ownAttributes, requestOf, spanOf } from './one-span.ts';

const modes: readonly ContentMode[] = [
  { mode: 'drop' },
  { mode: 'keep' },
  { mode: 'hash', key: Buffer.from('secret') },
];
const enrichers = modes.map((content) => ({ content, enricher: new Enricher({ content }) }));
const anyEnricher = fc.constantFrom(...enrichers);
const empty = new Uint8Array(0);

const allowed: ReadonlySet<string> = new Set([
  ...ownKeys.map(({ key }) => key),
  ...contentNames.flatMap((name) => [`plimsoll.content_size.${name}`, `plimsoll.content_hash.${name}`]),
]);
const ofResources = ownKeys.filter(({ places }) => places.includes('resource')).map(({ key }) => key);
const isOurs = ({ key = '' }: OracleAttribute): boolean => key.startsWith('plimsoll.');

function spansOf(request: OracleRequest): OracleSpan[] {
  return (request.resourceSpans ?? []).flatMap(({ scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) => spans),
  );
}

/** A request, with the attributes of its spans in the order of their keys. */
function inKeyOrder(request: Uint8Array): OracleRequest {
  const decoded = decodeRequest(request);
  for (const span of spansOf(decoded))
    span.attributes?.sort((a, b) => ((a.key ?? '') < (b.key ?? '') ? -1 : 1));
  return decoded;
}

function isForeign(attribute: OracleAttribute): boolean {
  return isOurs(attribute) && !allowed.has(attribute.key ?? '') && !attribute.key?.startsWith(scorePrefix);
}

/** A span as it should be, but for attributes under our prefix. */
function expected(span: OracleSpan, { mode }: ContentMode): OracleSpan {
  const isContent = ({ key = '' }: OracleAttribute): boolean =>
    mode !== 'keep' && contentNameOf(key) !== undefined;
  const attributes = (span.attributes ?? []).filter(
    (attribute) => !isOurs(attribute) && !isContent(attribute),
  );
  const after: OracleSpan = { ...span, attributes };
  const without = <T extends { attributes?: OracleAttribute[] }>({ attributes: all = [], ...rest }: T) => {
    const left = all.filter((attribute) => !isForeign(attribute) && !isContent(attribute));
    return left.length > 0 ? { ...rest, attributes: left } : rest;
  };
  if (span.events) after.events = span.events.map(without);
  if (span.links) after.links = span.links.map(without);
  if (mode !== 'keep' && span.status?.message) {
    const { message: _, ...status } = span.status;
    after.status = status;
  }
  return after;
}

function withoutOurs(span: OracleSpan): OracleSpan {
  return { ...span, attributes: (span.attributes ?? []).filter((attribute) => !isOurs(attribute)) };
}

function factsOf(spans: EnrichedSpans): Record<string, unknown>[] {
  return Array.from({ length: spans.count }, (_, row) => {
    const facts = spans.at(row);
    return Object.fromEntries(factNames.map((name) => [name, facts[name]]));
  });
}

const factNames: readonly (keyof SpanFacts)[] = [
  'traceId',
  'spanId',
  'parentSpanId',
  'startMs',
  'endMs',
  'step',
  'agent',
  'tool',
  'runId',
  'sessionId',
  'release',
  'environment',
  'result',
  'failed',
  'errorType',
  'outcome',
  'evidence',
  'escalationReason',
  'escalationState',
  'costUsd',
  'costSource',
  'inputTokens',
  'outputTokens',
  'log',
  'scores',
];

describe('enrichment of any request', () => {
  test('neither loses nor changes anything but content, and adds only under our prefix', () => {
    fc.assert(
      fc.property(requests, anyEnricher, (request, { content, enricher }) => {
        const bytes = encodeRequest(request);
        const { records, accepted, rejected } = enricher.enrich(bytes, 1);
        const before = spansOf(decodeRequest(bytes));
        const after = spansOf(decodeRequest(records[0]?.payload ?? empty));
        expect([accepted, rejected]).toEqual([before.length, 0]);
        expect(after.map(withoutOurs)).toEqual(before.map((span) => expected(span, content)));
      }),
      { numRuns: runs },
    );
  });

  test('leaves on resources and scopes all but content and what may not be said there', () => {
    fc.assert(
      fc.property(requests, anyEnricher, (request, { content: { mode }, enricher }) => {
        const { records } = enricher.enrich(encodeRequest(request), 1);
        const after = decodeRequest(records[0]?.payload ?? empty).resourceSpans ?? [];
        const before = (decodeRequest(encodeRequest(request)).resourceSpans ?? []).flatMap((resource) => {
          const scopeSpans = (resource.scopeSpans ?? []).filter(({ spans = [] }) => spans.length > 0);
          return scopeSpans.length > 0 ? [{ ...resource, scopeSpans }] : [];
        });
        const isKept = (attribute: OracleAttribute): boolean =>
          !isOurs(attribute) && (mode === 'keep' || contentNameOf(attribute.key ?? '') === undefined);
        before.forEach(({ resource, scopeSpans }, k) => {
          const attributes = after[k]?.resource?.attributes ?? [];
          expect(attributes.filter((one) => !isOurs(one))).toEqual(
            (resource?.attributes ?? []).filter(isKept),
          );
          for (const { key = '' } of attributes.filter(isOurs)) expect(ofResources).toContain(key);
          expect(after[k]?.scopeSpans?.map(({ scope }) => scope?.attributes ?? [])).toEqual(
            scopeSpans.map(({ scope }) => (scope?.attributes ?? []).filter(isKept)),
          );
        });
      }),
      { numRuns: runs },
    );
  });

  test('leaves each key of ours once, and only with a value it may have', () => {
    fc.assert(
      fc.property(requests, anyEnricher, (request, { enricher }) => {
        for (const { payload } of enricher.enrich(encodeRequest(request), 3).records) {
          for (const span of spansOf(decodeRequest(payload))) {
            const own = ownAttributes(span);
            const scores = Object.keys(own).filter((key) => key.startsWith(scorePrefix));
            for (const key of scores) {
              expect(key.length).toBeGreaterThan(scorePrefix.length);
              expect(Number(own[key])).toBeGreaterThanOrEqual(0);
              expect(Number(own[key])).toBeLessThanOrEqual(1);
            }
            for (const key of Object.keys(own)) expect(allowed.has(key) || scores.includes(key)).toBe(true);
            for (const { key, rule } of ownKeys) {
              if (key in own && rule.kind === 'enum' && typeof own[key] === 'string')
                expect(rule.values).toContain(own[key]);
              if (key in own && rule.kind === 'number')
                expect(Number(own[key])).toBeGreaterThanOrEqual(rule.min);
            }
          }
        }
      }),
      { numRuns: runs },
    );
  });

  test('is done when it is done: enriching again changes nothing', () => {
    fc.assert(
      fc.property(requests, anyEnricher, (request, { enricher }) => {
        const once = enricher.enrich(encodeRequest(request), 1).records[0]?.payload ?? empty;
        const twice = enricher.enrich(once, 1);
        expect(decodeRequest(twice.records[0]?.payload ?? empty)).toEqual(decodeRequest(once));
        expect(Buffer.compare(twice.records[0]?.payload ?? empty, once)).toBe(0);
        expect([twice.removedForeignKeys, twice.removedInvalidValues]).toEqual([0, 0]);
      }),
      { numRuns: runs },
    );
  });

  test.each(['murmur2', 'fnv1a'] as const)('goes where %s sends its trace', (name) => {
    const enricher = new Enricher({ content: { mode: 'drop' } }, name);
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 20 }), (request, partitions) => {
        for (const { partition, payload } of enricher.enrich(encodeRequest(request), partitions).records)
          for (const { traceId = empty } of spansOf(decodeRequest(payload)))
            expect(partitioners[name](traceId, 0, partitions)).toBe(partition);
      }),
      { numRuns: runs },
    );
  });

  test('does not depend on how the request is encoded: a Collector writes fields from the last to the first', () => {
    fc.assert(
      fc.property(
        requests,
        // A hash is of values in the order they stand.
        fc.constantFrom(...enrichers.filter(({ content }) => content.mode !== 'hash')),
        fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
        (request, { enricher }, stream) => {
          const plain = encodeRequest(request);
          const [wanted = empty] = enricher.enrich(plain, 1).records.map(({ payload }) => payload);
          for (const other of [reversed(plain), shuffled(plain, () => stream.next().value ?? 0)]) {
            const [found = empty] = enricher.enrich(other, 1).records.map(({ payload }) => payload);
            expect(inKeyOrder(found)).toEqual(inKeyOrder(wanted));
          }
        },
      ),
      { numRuns: runs },
    );
  });

  test('does not depend on what was enriched before', () => {
    fc.assert(
      fc.property(requests, anyEnricher, (request, { content, enricher }) => {
        const bytes = encodeRequest(request);
        const used = enricher.enrich(bytes, 5);
        const fresh = new Enricher({ content }).enrich(bytes, 5);
        expect(used).toEqual(fresh);
      }),
      { numRuns: Math.min(runs, 300) },
    );
  });

  test('keeps the spans of a trace together and loses none between partitions', () => {
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 7 }), (request, partitions) => {
        const { enricher } = enrichers[0]!;
        const { records, accepted } = enricher.enrich(encodeRequest(request), partitions);
        const ids = records.flatMap(({ partition, payload, spans }) => {
          const ofRecord = spansOf(decodeRequest(payload));
          expect(ofRecord.length).toBe(spans);
          return ofRecord.map(({ traceId, spanId }) => ({
            partition,
            trace: hex(traceId),
            span: hex(spanId),
          }));
        });
        expect(ids.length).toBe(accepted);
        expect(ids.map(({ span }) => span).toSorted()).toEqual(
          spansOf(request)
            .map(({ spanId }) => hex(spanId))
            .toSorted(),
        );
        const partitionOf = new Map<string, number>();
        for (const { trace, partition } of ids) {
          expect(partitionOf.get(trace) ?? partition).toBe(partition);
          partitionOf.set(trace, partition);
        }
      }),
      { numRuns: runs },
    );
  });

  test('says the same of a record as of the request that a Collector wrote itself', () => {
    fc.assert(
      fc.property(requests, (request) => {
        const { enricher } = enrichers[0]!;
        const payload = encodeRequest(request);
        const ours = new EnrichedSpans(enricher);
        const theirs = new EnrichedSpans(enricher);
        const [record] = enricher.enrich(payload, 1).records;
        if (record) ours.read(record);
        theirs.read({ payload, headers: {} });
        expect(factsOf(theirs)).toEqual(factsOf(ours));
      }),
      { numRuns: runs },
    );
  });
});

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? empty).toString('hex');
}

describe('keys under our prefix', () => {
  test('that are not ours are removed from spans and their events, and counted', () => {
    const events = [{ name: 'x', attributes: attributesOf({ 'plimsoll.made.up': 1, other: 2 }) }];
    const { span, request } = enriched({ 'plimsoll.budget': 1, 'plimsoll.release': 'r1' }, { events });
    expect(ownAttributes(span)).toEqual({ 'plimsoll.release': 'r1' });
    expect(span.events![0]!.attributes!.map(({ key }) => key)).toEqual(['other']);
    expect([request.removedForeignKeys, request.removedInvalidValues]).toEqual([2, 0]);
  });

  test('with a value they may not have are derived anew, not doubled', () => {
    const { span, request } = enriched({
      'plimsoll.step': 'banana',
      'plimsoll.attempt': 0,
      'gen_ai.operation.name': 'chat',
    });
    expect(ownAttributes(span)).toEqual({ 'plimsoll.step': 'llm' });
    expect(request.removedInvalidValues).toBe(2);
  });

  test('that only made sense beside a removed one are removed with it', () => {
    const { own, request } = enriched({ 'plimsoll.cost.usd': -1, 'plimsoll.cost.source': 'reported' });
    expect([own, request.removedInvalidValues]).toEqual([{}, 2]);
  });

  test('said twice are said once: the first stands', () => {
    const twice = [
      ...attributesOf({ 'plimsoll.release': 'r1' }),
      ...attributesOf({ 'plimsoll.release': 'r2' }),
    ];
    const request = enrichers[0]!.enricher.enrich(requestOf(twice), 1);
    expect(ownAttributes(spanOf(request))).toEqual({ 'plimsoll.release': 'r1' });
    expect(request.removedInvalidValues).toBe(1);
  });

  test('said twice are said once: an empty first gives way to the second', () => {
    const twice = [
      ...attributesOf({ 'plimsoll.release': '' }),
      ...attributesOf({ 'plimsoll.release': 'r2' }),
    ];
    expect(ownAttributes(spanOf(enrichers[0]!.enricher.enrich(requestOf(twice), 1)))).toEqual({
      'plimsoll.release': 'r2',
    });
  });
});

test('a value of ours that is wrong costs no span of the longest request there may be', () => {
  const { enricher } = enrichers[0]!;
  const wrong = attributesOf({ 'plimsoll.attempt': 0 });
  const request = (lastBytes: number) =>
    encodeRequest({
      resourceSpans: Array.from({ length: 3001 }, (_, k) => {
        const name = 'x'.repeat(k < 3000 ? 22_300 : lastBytes);
        const attributes = k === 0 ? wrong : [];
        const span = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1), name, attributes };
        return { scopeSpans: [{ spans: [span] }] };
      }),
    });
  const shortBytes = request(20_000).length;
  const longest = request(20_000 + limitBytes - shortBytes);
  expect(longest.length).toBe(limitBytes);
  const { accepted, rejected, records, removedInvalidValues } = enricher.enrich(longest, 1);
  enricher.release(records);
  expect([accepted, rejected, removedInvalidValues]).toEqual([3001, 0, 1]);
  expect(records.reduce((sum, { spans }) => sum + spans, 0)).toBe(3001);
});

describe('a request', () => {
  test('of logs is refused, and told where to go', () => {
    // ResourceLogs and ScopeLogs have the numbers of their likes; a LogRecord begins with a fixed64 time.
    const log = Buffer.from('090100000000000000', 'hex');
    const scopeLogs = Buffer.concat([Buffer.from([0x12, log.length]), log]);
    const resourceLogs = Buffer.concat([Buffer.from([0x12, scopeLogs.length]), scopeLogs]);
    const logs = Buffer.concat([Buffer.from([0x0a, resourceLogs.length]), resourceLogs]);
    expect(() => enrichers[0]!.enricher.enrich(logs, 1)).toThrow(
      expect.objectContaining({ kind: 'invalid', message: expect.stringContaining('/v1/logs') }),
    );
  });

  test('that is no request is refused, by readers too', () => {
    const garbage = Buffer.from([0xff, 0xff, 0xff]);
    const { enricher } = enrichers[0]!;
    const spans = new EnrichedSpans(enricher);
    spans.read({ payload: requestOf([]), headers: {} });
    for (const headers of [{}, { [enrichedHeader]: enricher.revision }]) {
      expect(() => spans.read({ payload: garbage, headers })).toThrow(
        expect.objectContaining({ kind: 'invalid' }),
      );
      expect(spans.count).toBe(0);
    }
  });

  test('as long as a request may be, of spans that grow, is read again span by span', () => {
    // Each exception's texts become their sizes, which are longer.
    const exception = attributesOf({ 'exception.message': 'x', 'exception.stacktrace': 'x' });
    const span = encodeSpan({
      traceId: Buffer.alloc(16, 1),
      spanId: Buffer.alloc(8, 1),
      attributes: attributesOf({ pad: 'x'.repeat(220) }),
      events: [{ name: 'exception', attributes: exception }],
    });
    const spans = 190_000;
    const field = protobuf.Writer.create().uint32(0x12).bytes(span).finish();
    const scope = Buffer.alloc(spans * field.length, field);
    const resource = protobuf.Writer.create().uint32(0x12).bytes(scope).finish();
    const request = protobuf.Writer.create().uint32(0x0a).bytes(resource).finish();
    expect(request.length).toBeGreaterThan(60 << 20);
    const { enricher } = enrichers[0]!;
    const { records, accepted, rejected } = enricher.enrich(request, 1);
    expect([accepted, rejected]).toEqual([spans, 0]);
    expect(records.reduce((sum, { payload }) => sum + payload.length, 0)).toBeGreaterThan(2 ** 26);
    const reader = new EnrichedSpans(enricher);
    let read = 0;
    for (const record of records) {
      expect(record.payload.length).toBeLessThanOrEqual(limitRecordBytes);
      reader.read(record);
      read += reader.count;
    }
    expect(read).toBe(spans);
    expect(() => reader.read({ payload: request, headers: {} })).toThrow('send smaller batches');
  }, 60_000);

  test('with one span that nobody could read again loses that one, and says why', () => {
    const ids = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1) };
    const huge = { ...ids, attributes: attributesOf({ pad: 'x'.repeat(2 ** 26 - 400) }) };
    const scopeSpans = [{ spans: [ids, { ...huge, kind: 3, status: { code: 2 } }] }];
    const request = encodeRequest({ resourceSpans: [{ scopeSpans }] });
    const tight = Buffer.concat([request, unknownField(2 ** 26 - 1 - request.length)]);
    const { enricher } = enrichers[0]!;
    const { records, accepted, rejected, reasons } = enricher.enrich(tight, 1);
    expect([accepted, rejected]).toEqual([1, 1]);
    expect([...reasons]).toEqual([[expect.stringContaining('send less content'), 1]]);
    const reader = new EnrichedSpans(enricher);
    reader.read(records[0]!);
    expect(reader.count).toBe(1);
  }, 60_000);

  test('from a Collector, longer than one of our records, is read whole', () => {
    const one = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1) };
    const spans = Array.from({ length: 50 }, () => ({
      ...one,
      attributes: attributesOf({ pad: 'x'.repeat(300_000) }),
    }));
    const payload = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    const reader = new EnrichedSpans(enrichers[0]!.enricher);
    reader.read({ payload, headers: {} });
    expect(payload.length).toBeGreaterThan(limitRecordBytes);
    expect(reader.count).toBe(50);
  });

  test('with one bad span loses only that one, and says why', () => {
    const request = encodeRequest({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: [
                { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1), name: 'good' },
                { traceId: Buffer.alloc(15, 1), spanId: Buffer.alloc(8, 1), name: 'bad' },
              ],
            },
          ],
        },
      ],
    });
    const { records, accepted, rejected, reasons } = enrichers[0]!.enricher.enrich(request, 4);
    expect([accepted, rejected, records.length]).toEqual([1, 1, 1]);
    expect([...reasons]).toEqual([[expect.stringContaining('trace_id'), 1]]);
  });

  test('without spans becomes no record', () => {
    expect(enrichers[0]!.enricher.enrich(empty, 4)).toMatchObject({ records: [], accepted: 0, rejected: 0 });
  });

  test('is cut into records of the size that is asked', () => {
    const spans = Array.from({ length: 50 }, (_, k) => ({
      traceId: Buffer.alloc(16, 1),
      spanId: Buffer.alloc(8, k + 1),
      name: 'x'.repeat(100),
    }));
    const request = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
    const { records } = enrichers[0]!.enricher.enrich(request, 4, 1000);
    expect(records.length).toBeGreaterThan(5);
    for (const { payload } of records) expect(payload.length).toBeLessThanOrEqual(1000);
  });

  test('loses a span that is longer than a record may be, alone, and says how long that is', () => {
    const ids = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1) };
    const long = { ...ids, name: 'x'.repeat(3000) };
    const resource = { attributes: attributesOf({ shared: 'x'.repeat(700) }) };
    const request = encodeRequest({
      resourceSpans: [{ resource, scopeSpans: [{ spans: [ids, long, ids, ids, ids, ids, ids] }] }],
    });
    const { enricher } = enrichers[0]!;
    const { records, accepted, rejected, reasons } = enricher.enrich(request, 1, 1000);
    expect([accepted, rejected]).toEqual([6, 1]);
    expect([...reasons.keys()].join()).toContain(
      'is longer than 1000 bytes, the longest record of the stream',
    );
    for (const { payload } of records) expect(payload.length).toBeLessThanOrEqual(1000);
    expect(records.reduce((sum, { spans }) => sum + spans, 0)).toBe(6);
  });
});

/** A field of `bytes`, 130 to 16,000, that no request has. */
function unknownField(bytes: number): Buffer {
  const content = bytes - 3;
  return Buffer.concat([Buffer.from([0x7a, (content & 0x7f) | 0x80, content >> 7]), Buffer.alloc(content)]);
}

describe('the revision', () => {
  test('is stamped on every record', () => {
    const { enricher } = enrichers[0]!;
    expect(enricher.enrich(requestOf([]), 1).records[0]!.headers).toEqual({
      [enrichedHeader]: enricher.revision,
    });
  });

  test('differs when content is treated differently, and else not', () => {
    const revisions = [...modes, { mode: 'hash', key: Buffer.from('other') } as const].map(
      (content) => new Enricher({ content }).revision,
    );
    expect(new Set(revisions).size).toBe(4);
    expect(new Enricher({ content: { mode: 'drop' } }).revision).toBe(revisions[0]);
  });
});
