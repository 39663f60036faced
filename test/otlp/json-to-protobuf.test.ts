import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { capturedRequests, thirdPartyRequests } from '../fixtures.ts';
import { runs } from '../property-runs.ts';
import { encodeAs } from '../receiver/rpc-oracle.ts';
import { decodeRequest, type OracleSpan } from './oracle.ts';

const requestName = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest';
const traceId = '0102030405060708090a0b0c0d0e0f10';
const spanId = '0102030405060708';

/** Before digits in a string: they are to stand bare in the text, which JSON.stringify cannot do for 64 bits. */
const bareMark = 'bare:';

function convert(json: unknown): ReturnType<typeof jsonToProtobuf> {
  const written = typeof json === 'string' ? json : JSON.stringify(json).replace(/"bare:(-?\d+)"/g, '$1');
  return jsonToProtobuf(Buffer.from(written));
}

/** What counting needs of a request. */
interface Counted {
  readonly resourceSpans?: readonly {
    readonly scopeSpans?: readonly { readonly spans?: readonly unknown[] }[];
  }[];
}

function spanCount({ resourceSpans = [] }: Counted): number {
  return resourceSpans.flatMap(({ scopeSpans = [] }) => scopeSpans).flatMap(({ spans = [] }) => spans).length;
}

const requestOf = (...spans: unknown[]): unknown => ({
  resourceSpans: [{ scopeSpans: [{ spans }] }],
});

/** The spans that come out for spans in JSON. */
function spansOf(...spans: unknown[]): OracleSpan[] {
  const { bytes } = convert(requestOf(...spans));
  return decodeRequest(bytes).resourceSpans?.[0]?.scopeSpans?.[0]?.spans ?? [];
}

/** Why a span is left out. */
function reasonOf(span: unknown): string | undefined {
  const { rejected, reasons } = convert(requestOf(span));
  expect(rejected).toBe(1);
  return reasons[0];
}

/** A value as OTLP/JSON text may write it, and as protobufjs takes it. */
interface Twin {
  readonly json: unknown;
  readonly oracle: unknown;
}

const twin = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<Twin> =>
  arbitrary.map((value) => ({ json: value, oracle: value }));
const text = twin(fc.string({ unit: 'grapheme', maxLength: 12 }));
const count = twin(fc.nat({ max: 2 ** 32 - 1 }));

/** An integer, as a string or as a bare number with all its digits. */
const integer = (min: bigint, max: bigint): fc.Arbitrary<Twin> =>
  fc.record({ value: fc.bigInt({ min, max }), bare: fc.boolean() }).map(({ value, bare }) => ({
    json: bare ? `${bareMark}${value}` : String(value),
    oracle: String(value),
  }));
const time = integer(0n, 2n ** 64n - 1n);

const id = (bytes: number): fc.Arbitrary<Twin> =>
  fc
    .record({ value: fc.uint8Array({ minLength: bytes, maxLength: bytes }), upper: fc.boolean() })
    .map(({ value, upper }) => {
      const hex = Buffer.from(value).toString('hex');
      return { json: upper ? hex.toUpperCase() : hex, oracle: value };
    });

function object(fields: Record<string, fc.Arbitrary<Twin>>): fc.Arbitrary<Twin> {
  return fc.record(fields, { requiredKeys: [] }).map((twins) => {
    const entries = Object.entries(twins).flatMap(([key, value]) => (value ? [{ key, ...value }] : []));
    return {
      json: Object.fromEntries(entries.map(({ key, json }) => [key, json])),
      oracle: Object.fromEntries(entries.map(({ key, oracle }) => [key, oracle])),
    };
  });
}

const list = (element: fc.Arbitrary<Twin>): fc.Arbitrary<Twin> =>
  fc.array(element, { maxLength: 3 }).map((twins) => ({
    json: twins.map(({ json }) => json),
    oracle: twins.map(({ oracle }) => oracle),
  }));

const double = fc.double().filter((value) => !Object.is(value, -0)); // JSON has no -0
const only = (key: string, value: fc.Arbitrary<Twin>): fc.Arbitrary<Twin> =>
  value.map(({ json, oracle }) => ({ json: { [key]: json }, oracle: { [key]: oracle } }));

const { attributes } = fc.letrec<{ anyValue: Twin; attributes: Twin }>((tie) => ({
  anyValue: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    only('stringValue', text),
    only('boolValue', twin(fc.boolean())),
    only('intValue', integer(-(2n ** 63n), 2n ** 63n - 1n)),
    only(
      'doubleValue',
      double.map((value) => ({
        json: Number.isFinite(value) ? value : String(value),
        oracle: value,
      })),
    ),
    only(
      'bytesValue',
      fc
        .uint8Array({ maxLength: 9 })
        .map((value) => ({ json: Buffer.from(value).toString('base64'), oracle: value })),
    ),
    only('arrayValue', only('values', list(tie('anyValue')))),
    only('kvlistValue', only('values', tie('attributes'))),
  ),
  attributes: list(object({ key: text, value: tie('anyValue') })),
}));

const event = object({ timeUnixNano: time, name: text, attributes, droppedAttributesCount: count });
const link = object({
  traceId: id(16),
  spanId: id(8),
  traceState: text,
  attributes,
  droppedAttributesCount: count,
  flags: count,
});
const enumValue = twin(fc.integer({ min: 0, max: 5 }));
const span = object({
  traceId: id(16),
  spanId: id(8),
  traceState: text,
  parentSpanId: fc.oneof(id(8), fc.constant({ json: '', oracle: '' })),
  name: text,
  kind: enumValue,
  startTimeUnixNano: time,
  endTimeUnixNano: time,
  attributes,
  droppedAttributesCount: count,
  events: list(event),
  droppedEventsCount: count,
  links: list(link),
  droppedLinksCount: count,
  status: object({ message: text, code: enumValue }),
  flags: count,
});
const scope = object({ name: text, version: text, attributes, droppedAttributesCount: count });
const scopeSpans = object({ scope, spans: list(span), schemaUrl: text });
const resourceSpans = object({
  resource: object({ attributes, droppedAttributesCount: count }),
  scopeSpans: list(scopeSpans),
  schemaUrl: text,
});
const request = object({ resourceSpans: list(resourceSpans) });

describe('OTLP/JSON', () => {
  it('means what the same request means in protobuf, whatever it holds', () => {
    fc.assert(
      fc.property(request, ({ json, oracle }) => {
        const { bytes, rejected, reasons } = convert(json);
        expect([rejected, reasons]).toEqual([0, []]);
        expect(decodeRequest(bytes)).toEqual(decodeRequest(encodeAs(requestName, Object(oracle))));
      }),
      { numRuns: runs },
    );
  });

  it.each([...capturedRequests(), ...thirdPartyRequests()])('of $name is taken', ({ json }) => {
    const { bytes, rejected, reasons } = convert(json);
    const wanted: Counted = JSON.parse(json);
    expect(spanCount(decodeRequest(bytes)) + rejected).toBe(spanCount(wanted));
    expect(rejected === 0 || reasons.length > 0).toBe(true);
  });

  it('keeps every digit of a bare 64-bit integer', () => {
    const list64 = [{ key: 'a', value: { intValue: 'bare:-9223372036854775807' } }];
    const found = spansOf({ startTimeUnixNano: 'bare:1790000000123456789', attributes: list64 });
    expect(found).toEqual([
      {
        startTimeUnixNano: '1790000000123456789',
        attributes: [{ key: 'a', value: { intValue: '-9223372036854775807' } }],
      },
    ]);
  });

  it('takes a negative 64-bit integer printed as if it were unsigned', () => {
    expect(spansOf({ attributes: [{ key: 'a', value: { intValue: '18446744073709551615' } }] })).toEqual([
      { attributes: [{ key: 'a', value: { intValue: '-1' } }] },
    ]);
  });

  it('ignores unknown and null fields', () => {
    expect(
      spansOf({
        name: 'a',
        newField: { deep: [1] },
        new_field: 1,
        traceState: null,
        attributes: null,
      }),
    ).toEqual([{ name: 'a' }]);
  });

  it('takes names of enum values, with advice', () => {
    const { bytes, rejected, reasons } = convert(
      requestOf({ kind: 'SPAN_KIND_SERVER', status: { code: 'STATUS_CODE_ERROR' } }),
    );
    const [found] = decodeRequest(bytes).resourceSpans?.[0]?.scopeSpans?.[0]?.spans ?? [];
    expect(found).toEqual({ kind: 2, status: { code: 2 } });
    expect(rejected).toBe(0);
    expect(reasons[0]).toBe(
      '"kind" should be the integer 2: OTLP/JSON has no enum names such as "SPAN_KIND_SERVER"',
    );
  });

  it.each([
    [
      { attributes: { a: 1 } },
      'attributes: must be a list such as [{"key": "a", "value": {"stringValue": "b"}}], not an object',
    ],
    [
      { attributes: [{ key: 'a', value: 'b' }] },
      'attributes[0].value: must be an object such as {"stringValue": "b"}, not a string of 1 characters',
    ],
    [{ start_time_unix_nano: '1' }, 'has "start_time_unix_nano": OTLP/JSON spells it "startTimeUnixNano"'],
    [
      { attributes: [{ key: 'a', value: { string_value: 'b' } }] },
      'has "string_value": OTLP/JSON spells it "stringValue"',
    ],
    [
      { traceId: 'AQIDBAUGBwgJCgsMDQ4PEA==' },
      'traceId: must be 32 hex digits (ids are hex in OTLP/JSON, not base64), not a string of 24 characters',
    ],
    [{ spanId: 'xyz' }, 'spanId: must be 16 hex digits, not a string of 3 characters'],
    [
      { startTimeUnixNano: 'today' },
      'startTimeUnixNano: must be an integer, as a number or as a decimal string, not a string of 5 characters',
    ],
    [{ startTimeUnixNano: '-1' }, 'must be an integer from 0 to 18446744073709551615'],
    [{ startTimeUnixNano: 1.5 }, 'must be an integer, as a number or as a decimal string, not a fraction'],
    [{ kind: 'server' }, 'kind: must be an integer'],
    [{ name: 5 }, 'name: must be a string, not an integer'],
    [{ events: [null] }, 'events[0]: must be an object, not null'],
    ['span', 'spans[0]: must be an object, not a string of 4 characters'],
    [
      { attributes: [{ key: 'a', value: { doubleValue: 'much' } }] },
      'must be a number, "NaN", "Infinity" or "-Infinity"',
    ],
    [{ attributes: [{ key: 'a', value: { bytesValue: 'ä' } }] }, 'must be base64'],
    [
      { attributes: [{ key: 'a', value: { boolValue: 'true' } }] },
      'must be true or false, not a string of 4 characters',
    ],
  ])('leaves out the span %j and says why', (wrong, sentence) => {
    expect(reasonOf(wrong)).toContain(sentence);
  });

  it('leaves out only the span that is wrong', () => {
    expect(
      spansOf({ traceId, spanId, name: 'a' }, { traceId: 5 }, { traceId, spanId, name: 'b' }).map(
        (found) => found.name,
      ),
    ).toEqual(['a', 'b']);
  });

  it('names the first few reasons and counts the rest', () => {
    const { rejected, reasons } = convert(requestOf(...Array.from({ length: 20 }, () => ({ name: 1 }))));
    expect(rejected).toBe(20);
    expect(reasons).toHaveLength(6);
    expect(reasons.at(-1)).toBe('and 15 more');
  });

  it.each([
    ['', 'the body is no JSON'],
    ['[]', 'the request: must be an object such as {"resourceSpans": []}, not a list'],
    ['{"resourceSpans":{}}', 'resourceSpans: must be a list of objects, not an object'],
    ['{"resource_spans":[]}', 'the request: has "resource_spans": OTLP/JSON spells it "resourceSpans"'],
    [
      '{"resourceSpans":[{"scopeSpans":[{"scope":"name"}]}]}',
      'scopeSpans[0].scope: must be an object, not a string of 4 characters',
    ],
    [
      '{"resourceSpans":[{"resource":{"attributes":{"a":1}}}]}',
      'resource.attributes: must be a list such as',
    ],
    ['{"resourceLogs":[]}', 'this is a logs request, and only traces are taken here: send logs to /v1/logs'],
    ['{"resourceMetrics":[]}', 'only traces are taken here: Plimsoll takes only traces and logs'],
  ])('refuses the request %s as a whole', (body, sentence) => {
    expect(() => convert(body)).toThrow(
      expect.objectContaining({ kind: 'invalid', message: expect.stringContaining(sentence) }),
    );
  });

  it.each([
    ['{"a":1,}', 'the body is no JSON: it is wrong at position 7 (line 1 column 8)'],
    ['{"a":[', 'the body is no JSON: it ends too early'],
    ['{"a":hunter2}', 'the body is no JSON: it has a character where none may be'],
    ['{"a":"hunter2', 'the body is no JSON: it is wrong at position 13 (line 1 column 14)'],
    ['hunter2', 'the body is no JSON: it has a character where none may be'],
    ['{"a":x" at position 7', 'the body is no JSON: it has a character where none may be'],
  ])('says where %s is no JSON', (body, message) => {
    expect(() => convert(body)).toThrow(expect.objectContaining({ message }));
  });

  it('quotes nothing of what was sent when it says what is wrong', () => {
    const secret = 'hunter2';
    const places = [
      `{"resourceSpans":[${secret}]}`,
      `{"resourceSpans":"${secret}"}`,
      `{"resourceSpans":[{"scopeSpans":[{"scope":"${secret}"}]}]}`,
      ...['traceId', 'kind', 'startTimeUnixNano', 'attributes', 'status', 'flags', secret].map((key) =>
        JSON.stringify(requestOf({ [key]: secret, name: 4111_1111_1111_1111 })),
      ),
    ];
    for (const body of places) {
      let said: string;
      try {
        said = convert(body).reasons.join();
      } catch (error) {
        said = inspect(error);
      }
      expect(said).not.toBe('');
      expect(said).not.toMatch(/hunt|4111/);
    }
  });

  it('refuses what is no UTF-8', () => {
    expect(() => jsonToProtobuf(Buffer.of(0x22, 0xff, 0x22))).toThrow(Failure);
  });

  it('leaves out a span nested deeper than anybody needs', () => {
    let value: unknown = { intValue: 1 };
    for (let depth = 0; depth < 100; depth++) value = { arrayValue: { values: [value] } };
    expect(reasonOf({ attributes: [{ key: 'a', value }] })).toContain('must not be nested deeper than 64');
  });

  it.each(['[', '{"a":', '{"resourceSpans":['])('survives two million times %s', (opening) => {
    expect(() => convert(opening.repeat(2_000_000))).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  it('takes brackets in texts for no nesting, and ignores what nobody knows up to 500 brackets', () => {
    const name = `"\\\\${'[{'.repeat(500)}\\"${'[{'.repeat(500)}`;
    const body = (depth: number) =>
      `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":${JSON.stringify(name)},"x":${'['.repeat(depth)}${']'.repeat(depth)}}]}]}]}`;
    const taken = decodeRequest(convert(body(493)).bytes);
    expect(taken).toEqual({ resourceSpans: [{ scopeSpans: [{ spans: [{ name }] }] }] });
    expect(() => convert(body(494))).toThrow('the body is nested too deep: 500 brackets may be open at once');
  });

  it('answers arbitrary bytes with a result or as invalid, nothing else', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((json) => Buffer.from(`{"resourceSpans":${json}}`)),
    );
    fc.assert(
      fc.property(bytes, (body) => {
        try {
          decodeRequest(jsonToProtobuf(body).bytes);
        } catch (error) {
          expect(error).toMatchObject({ kind: 'invalid' });
        }
      }),
      { numRuns: runs },
    );
  });
});
