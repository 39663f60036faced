import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { fields } from '../../src/semconv/fields.ts';
import { runs } from '../property-runs.ts';
import { encodeRequest } from '../otlp/oracle.ts';
import { requests } from './arbitrary-requests.ts';
import { attributesOf, enriched, ownAttributes, requestOf, spanOf, type Values } from './one-span.ts';

const key = 'plimsoll.policy.revision';
const content = { mode: 'drop' } as const;

/** Everything is covered, and each revision names what it was asked of. */
const policyRevision = (agent: string, environment: string): string => `${agent} in ${environment}`;

/** What is stamped on a span. */
function stamped(values: Values, resource: Values = {}, rest = {}): unknown {
  return enriched(values, rest, resource, content, { policyRevision }).own[key];
}

test.each<[string, Values, Values, string | undefined]>([
  [
    'its agent and environment',
    { 'gen_ai.agent.name': 'refund' },
    { 'deployment.environment.name': 'production', 'service.name': 'shop' },
    'refund in production',
  ],
  ['what our own keys say of them', { 'plimsoll.agent': 'a', 'plimsoll.environment': 'e' }, {}, 'a in e'],
  ['the service, where no agent is named', { a: 1 }, { 'service.name': 'shop' }, 'shop in unknown'],
  ['nobody: then it has none', { a: 1 }, { 'deployment.environment.name': 'production' }, undefined],
  ['a service that nobody named', { a: 1 }, { 'service.name': 'unknown_service:node' }, undefined],
  ['an agent that is called unknown', { 'gen_ai.agent.name': 'unknown' }, {}, undefined],
])('a span has the revision of the policy that covers %s', (_, values, resource, expected) => {
  expect(stamped(values, resource)).toBe(expected);
});

test('an agent that enrichment names is covered, too', () => {
  const values = { 'traceloop.span.kind': 'agent', 'traceloop.entity.name': 'refund' };
  expect(stamped(values, { 'service.name': 'shop' })).toBe('refund in unknown');
});

test('a sender cannot say it, on a span, an event or a resource: that is removed and counted', () => {
  const resource = { [key]: 'forged', 'service.name': 'shop' };
  const events = [{ name: 'x', attributes: attributesOf({ [key]: 'forged' }) }];
  const { span, request } = enriched({ [key]: 'forged' }, { events }, resource);
  expect(ownAttributes(span)).toEqual({});
  expect(Buffer.from(request.records[0]!.payload).includes('forged')).toBe(false);
  expect([request.removedForeignKeys, request.removedInvalidValues]).toEqual([3, 0]);
  const covered = enriched({ [key]: 'forged' }, { events }, resource, content, { policyRevision });
  expect(ownAttributes(covered.span)).toEqual({ [key]: 'shop in unknown' });
  expect(Buffer.from(covered.request.records[0]!.payload).includes('forged')).toBe(false);
});

test('the policies of the moment decide: a change reaches an enricher that is at work', () => {
  let revision = 'one';
  const enricher = new Enricher({ content, policyRevision: () => revision });
  const request = requestOf(attributesOf({ 'gen_ai.agent.name': 'refund' }));
  const stamps = ['one', 'two', '', 'one'].map((now) => {
    revision = now;
    return ownAttributes(spanOf(enricher.enrich(request, 1)))[key];
  });
  expect(stamps).toEqual(['one', 'two', undefined, 'one']);
});

test('a record that nobody of ours enriched is covered when it is read, and one that was enriched stays as it is', () => {
  const payload = requestOf(attributesOf({ 'gen_ai.agent.name': 'refund' }));
  const spans = new EnrichedSpans(new Enricher({ content, policyRevision }));
  const read = (record: { payload: Uint8Array; headers: Record<string, string> }): string | undefined => {
    spans.read(record);
    return spans.view.at(0).string(fields.policyRevision);
  };
  expect(read({ payload, headers: {} })).toBe('refund in unknown');
  const [record] = new Enricher({ content }).enrich(payload, 1).records;
  expect(read({ payload: record!.payload, headers: { ...record!.headers } })).toBeUndefined();
});

test('property: a policy changes nothing of a request but this one attribute, and enriching again changes nothing', () => {
  const stamping = new Enricher({ content, policyRevision });
  const plain = new Enricher({ content });
  fc.assert(
    fc.property(requests, (request) => {
      const bytes = encodeRequest(request);
      const once = Buffer.from(stamping.enrich(bytes, 1).records[0]?.payload ?? '');
      const without = Buffer.from(plain.enrich(bytes, 1).records[0]?.payload ?? '');
      expect(Buffer.compare(Buffer.from(stamping.enrich(once, 1).records[0]?.payload ?? ''), once)).toBe(0);
      expect(Buffer.compare(Buffer.from(plain.enrich(once, 1).records[0]?.payload ?? ''), without)).toBe(0);
    }),
    { numRuns: runs },
  );
});
