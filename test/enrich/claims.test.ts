import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Claims, type ClaimLimits } from '../../src/enrich/claims.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher, type EnrichedRequest } from '../../src/enrich/enricher.ts';
import { RunAssembler } from '../../src/runs/run-assembler.ts';
import { fields } from '../../src/semconv/fields.ts';
import { keyTableSpec } from '../../src/semconv/tables.ts';
import { encodeRequest, type OracleAttribute, type OracleRequest } from '../otlp/oracle.ts';
import { runs } from '../property-runs.ts';
import { lane, Reported, settings } from '../runs/spans.ts';
import { requests } from './arbitrary-requests.ts';
import { attributesOf, requestOf, type Values } from './one-span.ts';

const enricher = new Enricher({ content: { mode: 'drop' } });

function enrichedAs(limits: ClaimLimits, request: Uint8Array): EnrichedRequest {
  return enricher.enrich(request, 1, undefined, undefined, [new Claims('the bearer "me"', limits)]);
}

const refund = { agent: ['refund'] };
const service = (name: string): Values => ({ 'service.name': name });
const entity = { 'traceloop.span.kind': 'agent', 'traceloop.entity.name': 'billing' };

test.each<[string, ClaimLimits, Values, Values]>([
  ['its agent', refund, { 'gen_ai.agent.name': 'billing' }, {}],
  ['the agent of its resource', refund, {}, { 'plimsoll.agent': 'billing' }],
  ['only its service, which is of another name', refund, {}, service('billing')],
  ['nobody', refund, {}, {}],
  ['a service that nobody named', { agent: ['unknown_service:node'] }, {}, service('unknown_service:node')],
  ['itself, over what its resource says', refund, { 'plimsoll.agent': 'billing' }, service('refund')],
  [
    'as ours what is allowed, too long to be a name',
    { agent: ['refund*'] },
    { 'plimsoll.agent': `refund${'x'.repeat(300)}` },
    service('billing'),
  ],
  ['an agent by the name of what it stands for', refund, entity, service('refund')],
  ['no environment', { environment: ['staging'] }, {}, service('refund')],
  ['another environment', { environment: ['staging'] }, { 'deployment.environment.name': 'production' }, {}],
  [
    'a rehearsal of an environment',
    { environment: ['production'] },
    { 'plimsoll.environment': 'drill:production' },
    {},
  ],
  ['no release', { release: ['2.*'] }, {}, {}],
  ['another release', { release: ['2.*'] }, { 'gen_ai.agent.version': '20' }, {}],
])('a span is refused that names %s', (_, limits, values, resource) => {
  const request = requestOf(attributesOf(values), {}, resource);
  expect(enrichedAs(limits, request)).toMatchObject({ records: [], accepted: 0, rejected: 0, forbidden: 1 });
  expect(enricher.enrich(request, 1)).toMatchObject({ accepted: 1, forbidden: 0 });
});

test.each<[string, ClaimLimits, Values, Values]>([
  ['its agent', refund, { 'gen_ai.agent.name': 'refund' }, service('shop')],
  ['what the name may begin with', { agent: ['re*', 'x'] }, {}, service('refund')],
  ['nobody, where that may be', { agent: ['refund', 'unknown'] }, {}, {}],
  [
    'all three',
    { ...refund, environment: ['staging'], release: ['2.*'] },
    { 'gen_ai.agent.version': '2.1' },
    { ...service('refund'), 'deployment.environment': 'staging' },
  ],
])('a span is taken that names %s', (_, limits, values, resource) => {
  const request = requestOf(attributesOf(values), {}, resource);
  expect(enrichedAs(limits, request)).toMatchObject({ accepted: 1, forbidden: 0 });
});

test('who is told why: the bearer, what was claimed, and what may be, each cut short', () => {
  const agents = ['billing', 'a', 'b', 'c', 'd', 'e'].map((name) => `${name}${'x'.repeat(100)}`);
  const spans = agents.map((name, i) => ({
    traceId: Buffer.alloc(16, 1),
    spanId: Buffer.alloc(8, i + 1),
    attributes: attributesOf({ 'gen_ai.agent.name': name, 'plimsoll.release': '1' }),
  }));
  const own = {
    ...spans[0],
    attributes: attributesOf({ 'gen_ai.agent.name': 'refund', 'plimsoll.release': '3' }),
  };
  const request = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [...spans, own] }] }] });
  const { reasons, forbidden } = enrichedAs({ ...refund, release: ['1', '2.*'] }, request);
  expect([...reasons]).toEqual([
    [
      expect.stringMatching(
        /^the bearer "me" may not claim the agent "billingx{57}", "ax{63}", .* and more, only "refund": /,
      ),
      6,
    ],
    [expect.stringMatching(/^the bearer "me" may not claim the release "3", only "1", "2\.\*": /), 1],
  ]);
  expect(forbidden).toBe(7);
});

const names = ['refund', 'refund-eu', 'billing', 'unknown', 'unknown_service:node', '', 'x'.repeat(300)];
const telling = new Set<number>([
  fields.agent,
  fields.environment,
  fields.release,
  fields.entity,
  fields.runId,
]);
const attribute: fc.Arbitrary<OracleAttribute> = fc.oneof(
  fc.record({
    key: fc.constantFrom(
      ...keyTableSpec.sources.flatMap(({ key, field }) => (telling.has(field) ? [key] : [])),
    ),
    value: fc.oneof(
      fc.record({ stringValue: fc.constantFrom(...names) }),
      fc.record({
        arrayValue: fc.record({
          values: fc.array(fc.record({ stringValue: fc.constantFrom(...names) }), { maxLength: 2 }),
        }),
      }),
    ),
  }),
  fc.constantFrom(...attributesOf({ 'traceloop.span.kind': 'agent', 'plimsoll.step': 'agent' })),
);
const listed = fc.option(fc.subarray(['refund', 'refund-*', 'unknown', 'bill*'], { minLength: 1 }), {
  nil: undefined,
});

/** Requests in which some of the spans share a trace, and most say something of who they are of. */
const claiming = fc
  .tuple(requests, fc.array(fc.array(attribute, { maxLength: 4 }), { minLength: 1 }))
  .map(([{ resourceSpans = [] }, said]): OracleRequest => {
    let n = 0;
    const more = (): OracleAttribute[] => said[n++ % said.length]!;
    return {
      resourceSpans: resourceSpans.map(({ resource, scopeSpans = [] }) => ({
        resource: { ...resource, attributes: [...more(), ...(resource?.attributes ?? [])] },
        scopeSpans: scopeSpans.map(({ spans = [], ...scope }) => ({
          ...scope,
          spans: spans.map((span) => ({
            ...span,
            traceId: Buffer.alloc(16, 1 + (n % 2)),
            attributes: [...more(), ...(span.attributes ?? [])],
          })),
        })),
      })),
    };
  });

const kinds = ['agent', 'environment', 'release'] as const;

/** What readers find in records: who each span, and each run and call that comes of them, is of. */
function readingOf({ records }: EnrichedRequest) {
  const spans = new EnrichedSpans(enricher);
  const reported = new Reported();
  const assembler = new RunAssembler(settings, reported);
  const rows: Record<(typeof kinds)[number], string>[] = [];
  for (const record of records) {
    spans.read(record);
    for (let row = 0; row < spans.count; row++) {
      const facts = spans.at(row);
      rows.push({ agent: facts.agent, environment: facts.environment, release: facts.release });
      assembler.add(facts, lane());
    }
  }
  assembler.advance(Number.MAX_SAFE_INTEGER);
  return { rows, counted: [...reported.seenRuns, ...reported.knownRuns, ...reported.calls] };
}

test('property: whatever a limited bearer sends, what is stored and counted is what it may claim, and nothing else is lost', () => {
  const found = { allowed: 0, forbidden: 0, counted: 0 };
  const limits = fc.record({ agent: listed, environment: listed, release: listed });
  fc.assert(
    fc.property(claiming, limits, (request, allowed) => {
      const mayBe = (kind: (typeof kinds)[number], name: string): boolean =>
        allowed[kind]?.some((one) =>
          one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one,
        ) ?? true;
      const bytes = encodeRequest(request);
      const hop = enricher.enrich(bytes, 1);
      const all = readingOf(hop).rows;
      const enriched = enrichedAs(allowed, bytes);
      const { rows, counted } = readingOf(enriched);
      expect(rows).toEqual(all.filter((of) => kinds.every((kind) => mayBe(kind, of[kind]))));
      expect(enriched.forbidden).toBe(all.length - rows.length);
      const forwarded = hop.records.map(({ payload }) => readingOf(enrichedAs(allowed, payload)).rows);
      expect(forwarded.flat()).toEqual(rows); // what one hop enriched, the next one reads alike
      for (const of of counted)
        for (const kind of kinds) expect(of[kind] === 'unknown' || mayBe(kind, of[kind])).toBe(true);
      found.allowed += rows.length;
      found.forbidden += enriched.forbidden;
      found.counted += counted.length;
    }),
    { numRuns: runs },
  );
  expect(Math.min(...Object.values(found))).toBeGreaterThan(runs / 10);
});

test('claims are told apart by as few characters however many names they list', () => {
  const many = Array.from({ length: 1000 }, (_, i) => `agent-${i}`);
  const { key } = new Claims('me', { agent: many });
  expect(key.length).toBeLessThan(64);
  expect(new Claims('me', { agent: many.toReversed() }).key).toBe(key);
  const others = [
    new Claims('me', { agent: many.slice(1) }),
    new Claims('me', { release: many }),
    new Claims('me', { agent: many, release: ['1'] }),
    new Claims('you', { agent: many }),
  ];
  expect(new Set([key, ...others.map((other) => other.key)]).size).toBe(5);
});
