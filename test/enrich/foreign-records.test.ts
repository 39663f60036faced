import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { enrichedHeader, Enricher } from '../../src/enrich/enricher.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { limitBytes } from '../../src/otlp/wire.ts';
import { capturedRequests } from '../fixtures.ts';
import { decodeRequest, encodeRequest, type OracleRequest } from '../otlp/oracle.ts';
import { runs } from '../property-runs.ts';
import { requests } from './arbitrary-requests.ts';

const enricher = new Enricher({ content: { mode: 'drop' } });
const spans = new EnrichedSpans(enricher);

/** What a reader sees of a record that nobody enriched. */
function read(payload: Uint8Array, headers = {}): OracleRequest {
  spans.read({ payload, headers });
  return spans.count === 0 ? {} : decodeRequest(spans.index.bytes);
}

/** What the receiver makes of the same request. */
function received(request: Uint8Array): OracleRequest {
  const { records } = enricher.enrich(request, 1);
  const decoded = records.map(({ payload }) => decodeRequest(payload));
  enricher.release(records);
  return decoded[0] ?? {};
}

const id = (byte: number, length: number) => Buffer.alloc(length, byte);
const good = { traceId: id(1, 16), spanId: id(1, 8), name: 'good' };
const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'agent' } }] };
const requestOf = (...all: readonly object[]) =>
  encodeRequest({ resourceSpans: [{ resource, scopeSpans: [{ spans: [...all] }] }] });
const jsonOf = (...all: readonly object[]) =>
  Buffer.from(JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: all }] }] }));
const goodJson = { traceId: '01'.repeat(16), spanId: '01'.repeat(8), name: 'good' };

describe('a record that nobody enriched', () => {
  test('is read as if its spans had come through the receiver', () => {
    fc.assert(
      fc.property(requests, (request) => {
        const payload = encodeRequest(request);
        expect(read(payload)).toEqual(received(payload));
        expect(spans.leftOut).toEqual([]);
      }),
      { numRuns: runs },
    );
  });

  test.each(capturedRequests())('is read alike as OTLP/JSON and as protobuf: $name', ({ json }) => {
    const { bytes } = jsonToProtobuf(Buffer.from(json));
    const wanted = received(bytes);
    expect(read(bytes)).toEqual(wanted);
    expect(read(Buffer.from(json))).toEqual(wanted);
    expect(read(Buffer.from(`\n \t${json}\n`))).toEqual(wanted);
  });

  test('is read as protobuf when it only begins like JSON: 0x0a 0x7b are a tag and a length', () => {
    // A ResourceSpans of 123 bytes.
    const payload = [...Array(120).keys()]
      .map((length) => requestOf({ ...good, name: 'x'.repeat(length) }))
      .find((bytes) => bytes[1] === 0x7b);
    expect(payload?.subarray(0, 2).toString()).toBe('\n{');
    expect(read(payload ?? Buffer.alloc(0))).toEqual(received(payload ?? Buffer.alloc(0)));
    expect(spans.count).toBe(1);
  });

  test('may be empty', () => {
    for (const text of ['', '{}', ' { } ', '{"resourceSpans":[]}', '\n\0'])
      expect(read(Buffer.from(text))).toEqual({});
    expect(spans.leftOut).toEqual([]);
  });

  test.each([
    ['text', 'hello, world'],
    ['a JSON log line', '{"level":"info","message":"hello"}'],
    ['JSON that is broken', '{"resourceSpans":[{'],
    ['a list in JSON', '[{"traceId":"1"}]'],
    ['logs in JSON', '{"resourceLogs":[]}'],
    ['a message of another kind', Buffer.from([0x10, 0x01, 0x1a, 0x01, 0x61])],
    ['one byte', Buffer.from([0x00])],
  ])('of %s is refused as no request, and leaves no spans behind', (_, text) => {
    read(requestOf(good, { ...good, traceId: id(0, 16) }));
    expect(() => read(Buffer.from(text))).toThrow(expect.objectContaining({ kind: 'invalid' }));
    expect([spans.count, spans.leftOut]).toEqual([0, []]);
  });
});

test('a record of JSON that is nested without end is refused, whatever else is wrong with it', () => {
  const deep = '['.repeat(5000) + ']'.repeat(5000);
  const span = JSON.stringify({ ...goodJson, spanId: 'odd', ignored: 0 }).replace(':0}', `:${deep}}`);
  const text = `{"resourceSpans":[{"scopeSpans":[{"spans":[${span}]}]}]}`;
  for (const payload of [text, `\n${text}`])
    expect(() => read(Buffer.from(payload))).toThrow(expect.objectContaining({ kind: 'invalid' }));
  expect([spans.count, spans.leftOut]).toEqual([0, []]);
});

test('a record of JSON that is longer than protobuf may be is refused before it is parsed', () => {
  const payload = Buffer.alloc(limitBytes + 1, ' ');
  payload.write('{"resourceSpans":[]');
  payload.write('}', limitBytes);
  expect(read(payload.fill('}', limitBytes - 1).subarray(0, limitBytes))).toEqual({});
  payload.fill(' ', limitBytes - 1, limitBytes);
  expect(() => read(payload)).toThrow(
    expect.objectContaining({ kind: 'invalid', message: expect.stringContaining('67108864 bytes of JSON') }),
  );
});

describe('spans of a record that are not valid', () => {
  const bad = { ...good, name: 'bad', traceId: id(0, 16) };

  test('are left out alone, with the reason and with what stands around them', () => {
    expect(read(requestOf(good, bad, good))).toEqual(received(requestOf(good, good)));
    expect(spans.count).toBe(2);
    expect(spans.leftOut).toEqual([
      { payload: requestOf(bad), spans: 1, reason: '1 span: trace_id is not 16 bytes, or all zero' },
    ]);
  });

  test('are left out whole, though what others say wrongly with our keys is removed before', () => {
    const attributes = [{ key: 'plimsoll.run.outcome', value: { stringValue: 'nonsense' } }];
    read(requestOf({ ...good, attributes }, { ...bad, attributes }));
    expect(spans.leftOut.map(({ payload }) => payload)).toEqual([requestOf({ ...bad, attributes })]);
  });

  test('are left out of a record that we enriched, too: its revision may have been another', () => {
    read(requestOf(good, bad), { [enrichedHeader]: 'another revision' });
    expect(spans.count).toBe(1);
    expect(spans.leftOut).toMatchObject([{ payload: requestOf(bad), spans: 1 }]);
  });

  test('are left out of JSON as JSON, where they are no OTLP/JSON', () => {
    const oddJson = { ...goodJson, spanId: 'odd', startTimeUnixNano: 1234567890123456789n };
    const json = Buffer.from(
      JSON.stringify(
        { resourceSpans: [{ resource, scopeSpans: [{ spans: [goodJson, oddJson, 7, goodJson] }] }] },
        (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
      ).replace('"1234567890123456789"', '1234567890123456789'),
    );
    expect(read(json)).toEqual(received(requestOf(good, good)));
    const [left, ...rest] = spans.leftOut;
    expect(rest).toEqual([]);
    expect(left).toMatchObject({ spans: 2, reason: expect.stringContaining('must be 16 hex digits') });
    expect(JSON.parse(Buffer.from(left?.payload ?? []).toString())).toEqual({
      resourceSpans: [
        { resource, scopeSpans: [{ spans: [{ ...oddJson, startTimeUnixNano: '1234567890123456789' }, 7] }] },
      ],
    });
  });

  test('are left out of JSON in two parts, where some are OTLP/JSON and yet not valid', () => {
    read(jsonOf(goodJson, { ...goodJson, traceId: '00'.repeat(16) }, { ...goodJson, kind: {} }));
    expect(spans.count).toBe(1);
    expect(spans.leftOut.map(({ spans: count }) => count)).toEqual([1, 1]);
    expect(decodeRequest(spans.leftOut[1]?.payload ?? Buffer.alloc(0))).toEqual(
      decodeRequest(requestOf({ ...good, traceId: id(0, 16) })),
    );
  });
});

test("another revision's record is read as it is: what it kept stays", () => {
  const content = { key: 'gen_ai.input.messages', value: { stringValue: 'hello' } };
  const payload = requestOf({ ...good, attributes: [content] });
  expect(read(payload, { [enrichedHeader]: 'another revision' })).toEqual(decodeRequest(payload));
  expect(JSON.stringify(read(payload))).not.toContain('hello');
});
