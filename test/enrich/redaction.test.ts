import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Enricher } from '../../src/enrich/enricher.ts';
import { decodeRequest, encodeRequest } from '../otlp/oracle.ts';
import { attributesOf, enriched, ownAttributes } from './one-span.ts';

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
