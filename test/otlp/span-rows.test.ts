import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { compileKeys } from '../../src/otlp/key-table.ts';
import type { TypedColumn } from '../../src/otlp/native-typed.ts';
import { SpanIndex } from '../../src/otlp/span-index.ts';
import { positionColumns, spanColumns } from '../../src/otlp/row-columns.ts';
import { dayOf, encoderVersion, SpanRows } from '../../src/otlp/span-rows.ts';
import { dateOfDay } from '../../src/otlp/span-time.ts';
import { SpanView } from '../../src/otlp/span-view.ts';
import { fields } from '../../src/semconv/fields.ts';
import { traceColumns, typedColumns } from '../../src/store/trace-columns.ts';
import { capturedRequests } from '../fixtures.ts';
import { runs } from '../property-runs.ts';
import { field, keyTable, request, shuffled, sources } from './arbitraries.ts';
import {
  asString,
  expectedRow,
  expectedTyped,
  readNative,
  spansOf,
  type Row,
  type SpanInPlace,
} from './native-oracle.ts';
import {
  decodeRequest,
  encodeRequest,
  encodeSpan,
  type OracleAttribute,
  type OracleSpan,
  type OracleValue,
} from './oracle.ts';

const typed = [
  { name: 'Agent', type: 'LowCardinality(String)', field: field.agent, missing: 'unknown' },
  { name: 'Run', type: 'String', field: field.short, missing: 'trace id' },
  { name: 'Session', type: 'String', field: field.release, missing: '' },
  { name: 'Tokens', type: 'Nullable(UInt64)', field: field.tokens },
  { name: 'Cost', type: 'Nullable(Decimal(18, 9))', field: field.tokens },
  { name: 'Flag', type: 'Bool', field: field.flag },
] as const satisfies readonly TypedColumn[];

const recordTimeMs = 1_700_000_000_000;
const nearNanos = BigInt(recordTimeMs) * 1_000_000n;
const origin = { streamId: 'stream', partition: 7 };

/** The rows of `bodies`, each a record of its own. */
function rowsOf(bodies: readonly Uint8Array[], rows = new SpanRows({ ...origin, typed })): SpanRows {
  const view = new SpanView(new SpanIndex(keyTable()));
  bodies.forEach((body, offset) => {
    view.index.read(body);
    for (let index = 0; index < view.index.count; index++)
      rows.append(view.at(index), { offset, index, recordTimeMs });
  });
  return rows;
}

function rowOf(span: Partial<OracleSpan>, resource: OracleAttribute[] = []): Row {
  const ids = {
    traceId: Buffer.alloc(16, 0xab),
    spanId: Buffer.alloc(8, 0xcd),
    startTimeUnixNano: String(nearNanos),
  };
  const body = encodeRequest({
    resourceSpans: [{ resource: { attributes: resource }, scopeSpans: [{ spans: [{ ...ids, ...span }] }] }],
  });
  return readNative(rowsOf([body]).finish()).rows[0] ?? {};
}

const capturedTimeMs = 1_795_397_430_000;

/** A fixed table: golden rows must not change because a convention learned a key. */
const capturedKeys = compileKeys({
  fieldCount: Object.keys(fields).length,
  sources: [
    { key: 'gen_ai.agent.name', field: fields.agent, place: 'span' },
    { key: 'service.name', field: fields.agent, place: 'resource' },
    { key: 'gen_ai.tool.name', field: fields.tool, place: 'span' },
    { key: 'ai.toolCall.name', field: fields.tool, place: 'span' },
    { key: 'service.version', field: fields.release, place: 'resource' },
    { key: 'deployment.environment.name', field: fields.environment, place: 'resource' },
    { key: 'gen_ai.provider.name', field: fields.provider, place: 'span' },
    { key: 'gen_ai.response.model', field: fields.model, place: 'span' },
    { key: 'gen_ai.usage.input_tokens', field: fields.inputTokens, place: 'span' },
    { key: 'gen_ai.usage.output_tokens', field: fields.outputTokens, place: 'span' },
    { key: 'error.type', field: fields.errorType, place: 'span' },
    { key: 'gen_ai.client.operation.duration', field: fields.costUsd, place: 'span' },
  ],
  content: [],
  ownPrefix: 'plimsoll.',
  ownKeys: [],
});

function capturedView(name: string): SpanView {
  const captured = capturedRequests().find((one) => one.name === `${name}.otlp.json`);
  const view = new SpanView(new SpanIndex(capturedKeys));
  view.index.read(jsonToProtobuf(Buffer.from(captured?.json ?? '')).bytes);
  return view;
}

function tokens(stringValue: string): OracleAttribute[] {
  return [{ key: 'gen_ai.usage.input_tokens', value: { stringValue } }];
}

function delimited(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag, content.length]), content]);
}

const isEmpty = (value: OracleValue | undefined): boolean =>
  value === undefined ||
  Object.keys(value).length === 0 ||
  value.stringValue === '' ||
  value.bytesValue?.length === 0 ||
  (value.arrayValue !== undefined && (value.arrayValue.values ?? []).length === 0) ||
  (value.kvlistValue !== undefined && (value.kvlistValue.values ?? []).length === 0);

/** The first source of `id` that says something, as the key table promises. */
function sourceValue({ span, resource }: SpanInPlace, id: number): OracleValue | undefined {
  for (const source of sources.filter((one) => one.field === id)) {
    const attributes = source.place === 'span' ? (span.attributes ?? []) : resource;
    const said = attributes.find(({ key, value }) => key === source.key && !isEmpty(value));
    if (said) return said.value;
  }
  return undefined;
}

describe('rows of spans', () => {
  it(
    'say what a protobuf decoder finds in the same bytes, for any spans in any encoding',
    { timeout: 300_000 },
    () => {
      const batch = fc.record({
        requests: fc.array(request, { minLength: 12, maxLength: 12 }),
        seed: fc.nat(),
        near: fc.array(fc.bigInt({ min: -366n * 86_400_000_000_000n, max: 86_400_000_000_000n }), {
          minLength: 1,
        }),
      });
      fc.assert(
        fc.property(batch, ({ requests, seed, near }) => {
          let state = seed;
          const random = (): number => (state = (state * 16_807 + 11) % 2_147_483_647) / 2_147_483_647;
          let count = 0;
          for (const span of requests.flatMap((one) => spansOf(one)).map((one) => one.span)) {
            if (count++ % 2 === 0)
              span.startTimeUnixNano = String(nearNanos + (near[count % near.length] ?? 0n));
          }
          const bodies = requests.map((one) => shuffled(encodeRequest(one), random));
          const expected = bodies.flatMap((body, offset) =>
            spansOf(decodeRequest(body)).map((place, index) => {
              const own = typed.map(
                (column) =>
                  [column.name, expectedTyped(column, sourceValue(place, column.field), place.span)] as const,
              );
              return expectedRow(place, Object.fromEntries(own), { ...origin, offset, index, recordTimeMs });
            }),
          );
          const block = rowsOf(bodies).finish();
          expect(block.length === 0 ? [] : readNative(block).rows).toEqual(expected);
        }),
        { numRuns: Math.ceil(runs / 50) },
      );
    },
  );

  it('announce the columns of the table, by name and type, in order', () => {
    const rows = new SpanRows({ ...origin, typed: typedColumns });
    rows.append(capturedView('ai-sdk-v7-tool-success').at(0), {
      offset: 0,
      index: 0,
      recordTimeMs: capturedTimeMs,
    });
    expect(readNative(rows.finish()).columns).toEqual(traceColumns.map(({ name, type }) => ({ name, type })));
    expect(traceColumns.length).toBe(spanColumns.length + typedColumns.length + positionColumns.length);
  });

  it('write attribute values as the Collector does', () => {
    const values: [OracleValue, string][] = [
      [{ stringValue: 'text' }, 'text'],
      [{ intValue: '-9223372036854775808' }, '-9223372036854775808'],
      [{ intValue: '9007199254740993' }, '9007199254740993'],
      [{ intValue: '2147483648' }, '2147483648'],
      [{ intValue: '100' }, '100'],
      [{ doubleValue: 1 }, '1'],
      [{ doubleValue: 1e21 }, '1e+21'],
      [{ doubleValue: 1e-7 }, '1e-7'],
      [{ doubleValue: 0.000001 }, '0.000001'],
      [{ doubleValue: -0 }, '-0'],
      [{ doubleValue: Number.NaN }, 'json: unsupported value: NaN'],
      [{ doubleValue: -Infinity }, 'json: unsupported value: -Inf'],
      [{ boolValue: true }, 'true'],
      [{ boolValue: false }, 'false'],
      [{ bytesValue: Buffer.from([255, 0, 1]) }, '/wAB'],
      [{}, ''],
      [
        {
          arrayValue: {
            values: [
              { stringValue: '<a&b>"\\\n\u2028' },
              {},
              { intValue: '7' },
              { bytesValue: Buffer.from('x') },
            ],
          },
        },
        '["<a&b>\\"\\\\\\n\\u2028",null,7,"eA=="]',
      ],
      [
        {
          kvlistValue: {
            values: [
              { key: 'b', value: { boolValue: true } },
              { key: 'a', value: { arrayValue: {} } },
            ],
          },
        },
        '{"a":[],"b":true}',
      ],
      [{ arrayValue: { values: [{ doubleValue: Number.NaN }] } }, ''],
    ];
    const attributes = values.map(([value], i) => ({ key: `key${i}`, value }));
    const expected = values.map(([, text], i) => [`key${i}`, text]);
    expect(rowOf({ attributes })['SpanAttributes']).toEqual(expected);
    expect(values.map(([value]) => asString(value))).toEqual(expected.map(([, text]) => text)); // the oracle, too
  });

  it('carry attributes of every length, whatever was met before', () => {
    const lengths = fc.oneof(fc.nat(8), fc.integer({ min: 50, max: 70 }), fc.integer({ min: 120, max: 135 }));
    const key = fc
      .tuple(lengths, fc.constantFrom('a', 'b', 'c'), fc.nat(3))
      .map(([length, letter, number]) => letter.repeat(length) + String(number));
    const value: fc.Arbitrary<OracleValue> = fc.oneof(
      fc
        .tuple(lengths, fc.constantFrom('x', 'y'))
        .map(([length, letter]) => ({ stringValue: letter.repeat(length) })),
      fc.oneof(fc.nat(1000), fc.nat(2 ** 22), fc.integer()).map((int) => ({ intValue: String(int) })),
      fc.nat(300).map((tenths) => ({ doubleValue: tenths / 10 })),
      fc.array(lengths, { maxLength: 3 }).map((sizes) => ({
        arrayValue: { values: sizes.map((size) => ({ stringValue: 'z'.repeat(size) })) },
      })),
    );
    const spans = fc.sample(fc.array(fc.record({ key, value }), { maxLength: 30 }), {
      seed: 7,
      numRuns: 600,
    });
    const body = encodeRequest({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: spans.map((attributes) => ({
                traceId: Buffer.alloc(16, 1),
                spanId: Buffer.alloc(8, 1),
                startTimeUnixNano: String(nearNanos),
                attributes,
              })),
            },
          ],
        },
      ],
    });
    const expected = spans.map((attributes) => {
      const row = new Map<string, string>();
      for (const attribute of attributes)
        if (!row.has(attribute.key)) row.set(attribute.key, asString(attribute.value));
      return [...row];
    });
    expect(readNative(rowsOf([body]).finish()).rows.map((row) => row['SpanAttributes'])).toEqual(expected);
  });

  it('follow requests that take turns in the same memory', () => {
    const bodies = ['one', 'two'].map((service) =>
      encodeRequest({
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
            scopeSpans: [
              {
                scope: { name: service },
                spans: [{ traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1), name: service }],
              },
            ],
          },
        ],
      }),
    );
    const memory = new Uint8Array(bodies[0]?.length ?? 0);
    const view = new SpanView(new SpanIndex(keyTable()));
    const rows = new SpanRows({ ...origin, typed });
    for (const [offset, body] of bodies.entries()) {
      memory.set(body);
      view.index.read(memory);
      rows.append(view.at(0), { offset, index: 0, recordTimeMs });
    }
    expect(
      readNative(rows.finish()).rows.map((row) => [row['ServiceName'], row['ScopeName'], row['SpanName']]),
    ).toEqual([
      ['one', 'one', 'one'],
      ['two', 'two', 'two'],
    ]);
  });

  it('keep the first value of a key that comes twice', () => {
    const attributes = ['first', 'second'].map((stringValue) => ({ key: 'twice', value: { stringValue } }));
    expect(rowOf({ attributes }, attributes)).toMatchObject({
      SpanAttributes: [['twice', 'first']],
      ResourceAttributes: [['twice', 'first']],
    });
  });

  it('take the last of several members of one value, and of several values of one attribute', () => {
    const key = delimited(0x0a, Buffer.from('k'));
    const intThenBool = Buffer.from([0x18, 0x01, 0x10, 0x01]);
    const boolThenInt = Buffer.from([0x10, 0x01, 0x18, 0xff, 0x7f]);
    for (const [value, text] of [
      [delimited(0x12, intThenBool), 'true'],
      [delimited(0x12, boolThenInt), '16383'],
      [Buffer.concat([delimited(0x12, intThenBool), delimited(0x12, Buffer.from([0x18, 0x05]))]), '5'],
      [Buffer.alloc(0), ''],
    ] as const) {
      const ids = encodeSpan({
        traceId: Buffer.alloc(16, 1),
        spanId: Buffer.alloc(8, 1),
        startTimeUnixNano: String(nearNanos),
      });
      const span = Buffer.concat([ids, delimited(0x4a, Buffer.concat([key, value]))]);
      const body = delimited(0x0a, delimited(0x12, delimited(0x12, span)));
      expect(readNative(rowsOf([body]).finish()).rows[0]).toMatchObject({ SpanAttributes: [['k', text]] });
    }
  });

  it('have an unknown kind or status code as an empty text, and an all-zero parent as no parent', () => {
    const row = rowOf({ kind: 9, status: { code: 3 }, parentSpanId: Buffer.alloc(8) });
    expect(row).toMatchObject({ SpanKind: '', StatusCode: '', ParentSpanId: '' });
  });

  it('tell tokens and cost that nobody said from 0', () => {
    expect(rowOf({})).toMatchObject({ Tokens: null, Cost: null });
    expect(rowOf({ attributes: tokens('0') })).toMatchObject({ Tokens: '0', Cost: '0' });
    expect(rowOf({ attributes: tokens('0.0000000014') })).toMatchObject({
      Tokens: null,
      Cost: '0.000000001',
    });
    expect(rowOf({ attributes: tokens('999999999') })).toMatchObject({
      Tokens: '999999999',
      Cost: '999999999',
    });
    expect(rowOf({ attributes: tokens('1000000000') })).toMatchObject({ Tokens: '1000000000', Cost: null });
  });

  it('have the trace as the run when no run is named', () => {
    expect(rowOf({})['Run']).toBe('ab'.repeat(16));
    expect(rowOf({ attributes: [{ key: 'abc', value: { intValue: '12' } }] })['Run']).toBe('12');
  });

  it('take the time of the record for a start that cannot be, and keep what the sender said', () => {
    const startTimeUnixNano = String(nearNanos - 367n * 86_400_000_000_000n);
    const endTimeUnixNano = String(BigInt(startTimeUnixNano) + 5n);
    expect(rowOf({ startTimeUnixNano, endTimeUnixNano })).toMatchObject({
      Timestamp: String(nearNanos),
      Duration: '5',
      SpanAttributes: [['plimsoll.original_start_unix_nano', startTimeUnixNano]],
    });
    expect(rowOf({ startTimeUnixNano: '0', endTimeUnixNano })).toMatchObject({
      Timestamp: String(nearNanos),
      Duration: '0',
      SpanAttributes: [['plimsoll.original_start_unix_nano', '0']],
    });
  });

  it('last no time when the end is before the start', () => {
    expect(rowOf({ endTimeUnixNano: String(nearNanos - 1n) })['Duration']).toBe('0');
  });

  it('are counted by the date of their start, to the nanosecond', () => {
    const midnight = 1_700_006_400_000_000_000n;
    const starts = [midnight - 1n, midnight, midnight + 1n, midnight - 86_400_000_000_001n, 1n];
    const bodies = starts.map((start) =>
      encodeRequest({
        resourceSpans: [
          {
            scopeSpans: [
              {
                spans: [
                  {
                    traceId: Buffer.alloc(16, 1),
                    spanId: Buffer.alloc(8, 1),
                    startTimeUnixNano: String(start),
                  },
                ],
              },
            ],
          },
        ],
      }),
    );
    const rows = rowsOf(bodies);
    expect(Object.fromEntries(rows.dates)).toEqual({ '2023-11-13': 1, '2023-11-14': 2, '2023-11-15': 2 });
    expect(rows.clampedRows).toBe(1);
    const view = new SpanView(new SpanIndex(keyTable()));
    const dates = bodies.map((body) => {
      view.index.read(body);
      return dateOfDay(dayOf(view.at(0), recordTimeMs));
    });
    expect(dates).toEqual(['2023-11-14', '2023-11-15', '2023-11-15', '2023-11-13', '2023-11-14']);
  });

  it.each([
    ['of a span', Buffer.of(0x4a, 0x00)],
    ['of an event', Buffer.of(0x5a, 0x02, 0x1a, 0x00)],
    ['of a link', Buffer.of(0x6a, 0x02, 0x22, 0x00)],
  ])('are made of a record whose last field follows an empty attribute %s', (_, empty) => {
    const attributes = [{ key: 'agent.name', value: { stringValue: 'a' } }];
    const span = encodeSpan({ spanId: Buffer.alloc(8, 2), startTimeUnixNano: String(nearNanos), attributes });
    const body = Buffer.concat([span, empty, delimited(0x0a, Buffer.alloc(16, 1))]);
    const record = delimited(0x0a, delimited(0x12, delimited(0x12, body)));
    for (const slackless of [record, new Uint8Array(record)]) {
      const [row] = readNative(rowsOf([slackless]).finish()).rows;
      expect(row).toMatchObject({ TraceId: '01'.repeat(16), SpanId: '02'.repeat(8) });
    }
  });

  it('are the same bytes again after a reset, whatever was written before', () => {
    const body = fc.sample(request, { seed: 3, numRuns: 40 }).map(encodeRequest);
    const used = rowsOf(body.toReversed());
    used.reset();
    expect(used.rows).toBe(0);
    expect(used.finish()).toEqual([]);
    expect(used.dates.size).toBe(0);
    const expected = Buffer.concat(rowsOf(body).finish());
    expect(Buffer.concat(rowsOf(body, used).finish()).equals(expected)).toBe(true);
  });

  it('tell how large the block is within a few bytes a row', () => {
    const rows = rowsOf(fc.sample(request, { seed: 5, numRuns: 200 }).map(encodeRequest));
    const bytes = rows.finish().reduce((sum, chunk) => sum + chunk.length, 0);
    expect(rows.bytes).toBeLessThanOrEqual(bytes);
    expect(bytes - rows.bytes).toBeLessThan(2000 + 100 * rows.rows);
  });
});

describe('rows of captured spans', () => {
  it.each(capturedRequests().map(({ name }) => name.replace('.otlp.json', '')))(
    'of %s stay as they are',
    async (name) => {
      const rows = new SpanRows({ streamId: 'golden', partition: 0, typed: typedColumns });
      const view = capturedView(name);
      for (let i = 0; i < view.index.count; i++)
        rows.append(view.at(i), { offset: 42, index: i, recordTimeMs: capturedTimeMs });
      const lines = readNative(rows.finish()).rows.map((row) => JSON.stringify(row));
      await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`../golden/${name}.rows.jsonl`);
    },
  );

  it('do not change their bytes without a new encoder version', () => {
    const hash = createHash('sha256');
    const rows = new SpanRows({ streamId: 'golden', partition: 0, typed: typedColumns });
    capturedRequests().forEach(({ name }, offset) => {
      const view = capturedView(name.replace('.otlp.json', ''));
      for (let index = 0; index < view.index.count; index++)
        rows.append(view.at(index), { offset, index, recordTimeMs: capturedTimeMs });
    });
    for (const chunk of rows.finish()) hash.update(chunk);
    const pinned: Record<number, string> = {
      1: '4ac7cc6678fa757fedd1b1c74fea213392d4994489d07444174c439dd9506a20',
    };
    expect(pinned[encoderVersion]).toBe(hash.digest('hex'));
  });
});
