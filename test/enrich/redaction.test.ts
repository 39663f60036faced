import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ContentOptions } from '../../src/enrich/content-rules.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { decodeRequest, encodeRequest } from '../otlp/oracle.ts';
import { attributesOf, enriched, ownAttributes, requestOf, type Values } from './one-span.ts';

const call = { 'gen_ai.tool.call.arguments': '{"id":"ü1"}', 'gen_ai.tool.name': 'get_order' };
const exception = [
  {
    name: 'exception',
    attributes: attributesOf({
      'exception.type': 'E',
      'exception.message': 'card 4111',
      'exception.stacktrace': 'E: card 4111',
    }),
  },
];

describe('content', () => {
  test('is dropped and leaves its size in bytes', () => {
    const { span, own } = enriched({ ...call, 'url.full': 'https://shop/?token=1' });
    expect(JSON.stringify(span)).not.toContain('ü1');
    expect(JSON.stringify(span)).not.toContain('token=1');
    expect(own).toMatchObject({
      'plimsoll.content_size.gen_ai.tool.call.arguments': '12',
      'plimsoll.content_size.url.full': '21',
    });
  });

  test('of exceptions and status messages is content too, and its type stays', () => {
    const { span, own } = enriched(call, { events: exception, status: { code: 2, message: 'card 4111' } });
    expect(JSON.stringify(span)).not.toContain('4111');
    expect(span.status).toEqual({ code: 2 });
    expect(span.events![0]!.attributes!.map(({ key }) => key)).toEqual(['exception.type']);
    expect(own).toMatchObject({
      'plimsoll.error.type': 'E',
      'plimsoll.content_size.exception.message': '9',
      'plimsoll.content_size.exception.stacktrace': '12',
      'plimsoll.content_size.status.message': '9',
    });
  });

  test('with numbered keys is added up under their prefix', () => {
    const { own } = enriched({
      'gen_ai.prompt.0.role': 'user',
      'gen_ai.prompt.0.content': 'hello',
      'gen_ai.prompt.name': 'p',
    });
    expect(own).toEqual({ 'plimsoll.content_size.gen_ai.prompt': '9' });
  });

  test('stays when it is configured to, with nothing said about it', () => {
    const { span, own } = enriched(call, { status: { code: 2, message: 'x' } }, {}, { mode: 'keep' });
    expect(span.attributes![0]).toEqual({
      key: 'gen_ai.tool.call.arguments',
      value: { stringValue: '{"id":"ü1"}' },
    });
    expect(span.status!.message).toBe('x');
    expect(Object.keys(own).some((key) => key.includes('content'))).toBe(false);
  });

  test('leaves a keyed hash when it is configured to, the same for the same content', () => {
    const key = Buffer.from('secret');
    const { own } = enriched(call, {}, {}, { mode: 'hash', key });
    const hash = createHmac('sha256', key).update('{"id":"ü1"}').digest('hex');
    expect(own['plimsoll.content_hash.gen_ai.tool.call.arguments']).toBe(hash);
    expect(own['plimsoll.content_size.gen_ai.tool.call.arguments']).toBe('12');
  });

  test('is measured by us: a size that the sender gives beside it is replaced', () => {
    const { own } = enriched({ ...call, 'plimsoll.content_size.gen_ai.tool.call.arguments': 7 });
    expect(own['plimsoll.content_size.gen_ai.tool.call.arguments']).toBe('12');
  });

  test('that is gone keeps the size it had', () => {
    const { own, request } = enriched({ 'plimsoll.content_size.gen_ai.tool.call.arguments': 7 });
    expect(own).toEqual({ 'plimsoll.content_size.gen_ai.tool.call.arguments': '7' });
    expect(request.removedInvalidValues).toBe(0);
  });

  test('of links is dropped and counted on the span; of resources and scopes it is dropped', () => {
    const secret = attributesOf({ 'gen_ai.input.messages': 'card 4111', 'plimsoll.budget': 1 });
    const ids = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1) };
    const request = encodeRequest({
      resourceSpans: [
        {
          resource: {
            attributes: [
              ...secret,
              ...attributesOf({ 'plimsoll.release': '', 'plimsoll.step': 'llm', 'plimsoll.agent': 'a' }),
            ],
          },
          scopeSpans: [
            {
              scope: { name: 's', attributes: [...secret, ...attributesOf({ 'plimsoll.agent': 'b' })] },
              spans: [{ ...ids, links: [{ ...ids, attributes: secret }] }],
            },
          ],
        },
      ],
    });
    const { records, ...counts } = new Enricher({ content: { mode: 'drop' } }).enrich(request, 1);
    expect(counts).toMatchObject({ removedForeignKeys: 3, removedInvalidValues: 3 });
    const [{ resource, scopeSpans } = {}] = decodeRequest(records[0]!.payload).resourceSpans!;
    const [{ scope, spans } = {}] = scopeSpans!;
    expect(resource!.attributes).toEqual(attributesOf({ 'plimsoll.agent': 'a' }));
    expect(scope).toEqual({ name: 's' });
    expect(spans![0]!.links).toEqual([ids]);
    expect(ownAttributes(spans![0]!)).toEqual({ 'plimsoll.content_size.gen_ai.input.messages': '9' });
  });

  test('of one span is not counted on the next', () => {
    const { request } = enriched(call);
    const [record] = request.records;
    const [first] = decodeRequest(record!.payload).resourceSpans![0]!.scopeSpans![0]!.spans!;
    expect(ownAttributes(first!)['plimsoll.content_size.gen_ai.tool.call.arguments']).toBe('12');
    expect(enriched({}).own).toEqual({});
  });
});

describe('attributes for which the operator decides', () => {
  const drop = { mode: 'drop' } as const;
  const hashKey = Buffer.from('a secret of sixteen');
  const hashOf = (text: string): string => createHmac('sha256', hashKey).update(text).digest('hex');
  const keysOf = (values: Values, attributes: NonNullable<ContentOptions['attributes']>): string[] => {
    const { span } = enriched(values, {}, {}, drop, { attributes, hashKey });
    return (span.attributes ?? []).map(({ key }) => key!).filter((key) => !key.startsWith('plimsoll.'));
  };

  test('stay, go or leave a hash, content or not', () => {
    const values = { 'input.value': 'a', 'output.value': 'b', 'acme.account': 'c', 'acme.tier': 'd' };
    const attributes = { 'input.value': 'keep', 'acme.account': 'hash', 'acme.tier': 'drop' } as const;
    const { span, own } = enriched(values, {}, {}, drop, { attributes, hashKey });
    expect(span.attributes!.find(({ key }) => key === 'input.value')?.value).toEqual({ stringValue: 'a' });
    expect(span.attributes!.map(({ key }) => key)).not.toContain('acme.account');
    expect(own).toMatchObject({
      'plimsoll.content_hash.acme.account': hashOf('c'),
      'plimsoll.content_size.acme.account': '1',
      'plimsoll.content_size.acme.tier': '1',
      'plimsoll.content_size.output.value': '1',
    });
  });

  test('are matched by the longest beginning, and by their whole key before that', () => {
    const attributes = { 'acme.*': 'drop', 'acme.public.*': 'keep', 'acme.public.secret': 'drop' } as const;
    const values = { 'acme.x': '1', 'acme.public.x': '1', 'acme.public.secret': '1', acmeX: '1' };
    expect(keysOf(values, attributes)).toEqual(['acme.public.x', 'acmeX']);
  });

  test('by a beginning spare what is read of every record', () => {
    const attributes = { 'langsmith.*': 'drop', 'gen_ai.*': 'drop' } as const;
    const { facts, span } = enriched(
      { 'langsmith.metadata.session_id': 's1', 'langsmith.metadata.plan': 'x', 'gen_ai.tool.name': 'pay' },
      {},
      {},
      drop,
      { attributes },
    );
    expect([facts.sessionId, facts.tool]).toEqual(['s1', 'pay']);
    expect(JSON.stringify(span)).not.toContain('langsmith.metadata.plan');
  });

  test('may be the status message, and those of resources', () => {
    const kept = enriched({}, { status: { code: 2, message: 'no stock' } }, {}, drop, {
      attributes: { 'status.message': 'keep' },
    });
    expect(kept.span.status).toEqual({ code: 2, message: 'no stock' });
    const { request } = enriched({}, {}, { 'acme.host': 'h1', 'service.name': 's' }, drop, {
      attributes: { 'acme.host': 'drop' },
    });
    const [resource] = decodeRequest(request.records[0]!.payload).resourceSpans!;
    expect(resource!.resource!.attributes!.map(({ key }) => key)).toEqual(['service.name']);
  });

  test('of a pattern that cannot be are refused', () => {
    for (const pattern of ['', '*', 'a*b', 'plimsoll.x', 'plim*', 'session.id'])
      expect(() => new Enricher({ content: drop, attributes: { [pattern]: 'drop' } })).toThrow();
    expect(() => new Enricher({ content: drop, attributes: { a: 'hash' } })).toThrow('without a key');
  });

  test('change the revision', () => {
    const attributes = { 'acme.*': 'drop' } as const;
    expect(new Enricher({ content: drop, attributes }).revision).not.toBe(
      new Enricher({ content: drop }).revision,
    );
  });

  test('treated once stay as they are when the record is enriched again', () => {
    const enricher = new Enricher({ content: drop, attributes: { 'acme.*': 'hash' }, hashKey });
    const values = { 'acme.x': 'ü', 'user.id': 'anna', 'input.value': 'hello', 'gen_ai.tool.name': 'pay' };
    const once = enricher.enrich(requestOf(attributesOf(values)), 1).records[0]!.payload;
    expect(Buffer.compare(enricher.enrich(once, 1).records[0]!.payload, once)).toBe(0);
  });
});

describe('the id of a user', () => {
  const hashKey = Buffer.from('a secret of sixteen');
  const keyed = createHmac('sha256', hashKey).update('anna').digest('hex').slice(0, 32);
  const drop = { mode: 'drop' } as const;

  test.each([
    'user.id',
    'enduser.id',
    'langfuse.user.id',
    'ai.telemetry.metadata.userId',
    'traceloop.association.properties.user_id',
  ])('in %s is replaced by a keyed hash, the same from everywhere', (key) => {
    const { span, own } = enriched({ [key]: 'anna' }, {}, {}, drop, { hashKey });
    expect(JSON.stringify(span)).not.toContain('anna');
    expect(own).toEqual({ 'plimsoll.user.id': keyed });
  });

  test('on the resource is hashed on each of its spans', () => {
    const { own, request } = enriched({}, {}, { 'user.id': 'anna' }, drop, { hashKey });
    expect(own).toEqual({ 'plimsoll.user.id': keyed });
    expect(decodeRequest(request.records[0]!.payload).resourceSpans![0]!.resource).toEqual({});
  });

  test('is dropped without a key', () => {
    const { span, own } = enriched({ 'user.id': 'anna' });
    expect(JSON.stringify(span)).not.toContain('anna');
    expect(own).toEqual({ 'plimsoll.content_size.user.id': '4' });
  });

  test('stays as it is when it is configured to, or when the sender has hashed it himself', () => {
    const { own } = enriched({ 'user.id': 'anna' }, {}, {}, drop, { attributes: { 'user.id': 'keep' } });
    expect(own).toEqual({});
    const said = enriched({ 'plimsoll.user.id': 'u1', 'user.id': 'anna' }, {}, {}, drop, { hashKey });
    expect(said.own).toEqual({ 'plimsoll.user.id': 'u1' });
  });
});
