import * as fc from 'fast-check';
import protobuf from 'protobufjs';
import { compileKeys, type KeyTable, type KeySource } from '../../src/otlp/key-table.ts';
import type { OracleAttribute, OracleRequest, OracleSpan, OracleValue } from './oracle.ts';

/** Fields of the table the properties use. */
export const field = { agent: 0, tokens: 1, release: 2, flag: 3, short: 4 } as const;

export const sources: readonly KeySource[] = [
  { key: 'plimsoll.agent', field: field.agent, place: 'span' },
  { key: 'gen_ai.agent.name', field: field.agent, place: 'span' },
  { key: 'service.name', field: field.agent, place: 'resource' },
  { key: 'agent', field: field.agent, place: 'span' },
  { key: 'gen_ai.usage.input_tokens', field: field.tokens, place: 'span' },
  { key: 'gen_ai.usage.inpux_tokens', field: field.tokens, place: 'span' },
  { key: 'service.version', field: field.release, place: 'resource' },
  { key: 'app.version', field: field.release, place: 'span' },
  { key: 'gen_ai.agent.name', field: field.release, place: 'span' },
  { key: 'ok', field: field.flag, place: 'span' },
  { key: 'é', field: field.short, place: 'span' },
  { key: 'abc', field: field.short, place: 'span' },
];
const content = ['gen_ai.prompt.*', 'input.value', 'exception.message', 'é'];
const ownPrefix = 'plimsoll.';
const ownKeys = ['plimsoll.agent'];

/** A small table with every feature: several sources, both places, prefixes, short keys, own keys. */
export function keyTable(): KeyTable {
  return compileKeys({ fieldCount: Object.keys(field).length, sources, content, ownPrefix, ownKeys });
}

const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...new Set(sources.map((source) => source.key))) },
  fc.constantFrom(
    'gen_ai.prompt.0.content',
    'input.value',
    'exception.type',
    'exception.message',
    'plimsoll.evil',
    'plimsol',
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.string({ maxLength: 300 }),
);
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.constantFrom('', '12', ' 7.5 ', '-3', 'NaN', 'TRUE', 'false', 'Infinity', 'planner'),
);
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const scalar: fc.Arbitrary<OracleValue> = fc.oneof(
  { weight: 4, arbitrary: text.map((stringValue) => ({ stringValue })) },
  fc.oneof(int64, fc.nat().map(String)).map((intValue) => ({ intValue })),
  fc.double().map((doubleValue) => ({ doubleValue })),
  fc.boolean().map((boolValue) => ({ boolValue })),
  fc.uint8Array({ maxLength: 20 }).map((bytesValue) => ({ bytesValue: Buffer.from(bytesValue) })),
  fc.constant({}),
);
const value: fc.Arbitrary<OracleValue> = fc.oneof(
  { weight: 8, arbitrary: scalar },
  fc.array(scalar, { maxLength: 4 }).map((values) => ({ arrayValue: { values } })),
  fc
    .array(fc.record({ key: text, value: scalar }), { maxLength: 3 })
    .map((values) => ({ kvlistValue: { values } })),
);

/** An attribute: often one the table knows, with any value. */
const attribute: fc.Arbitrary<OracleAttribute> = fc.record({ key, value }, { requiredKeys: ['key'] });
const attributes = fc.array(attribute, { maxLength: 6 });

const idOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => {
    bytes[length - 1] = bytes[length - 1]! | 1;
    return Buffer.from(bytes);
  });
const nanos = fc
  .oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constant(1_700_000_000_123_456_789n))
  .map(String);

const event = fc.record(
  {
    timeUnixNano: nanos,
    name: fc.oneof(fc.constant('exception'), text),
    attributes,
    droppedAttributesCount: fc.nat(),
  },
  { requiredKeys: [] },
);
const link = fc.record(
  { traceId: idOf(16), spanId: idOf(8), attributes, flags: fc.nat() },
  { requiredKeys: [] },
);

/** A valid span of any shape. */
const span: fc.Arbitrary<OracleSpan> = fc.record(
  {
    traceId: idOf(16),
    spanId: idOf(8),
    parentSpanId: fc.oneof(idOf(8), fc.constant(Buffer.alloc(0))),
    traceState: text,
    name: text,
    kind: fc.integer({ min: -2, max: 7 }),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes,
    droppedAttributesCount: fc.nat(),
    events: fc.array(event, { maxLength: 3 }),
    links: fc.array(link, { maxLength: 2 }),
    status: fc.record({ message: text, code: fc.nat(4) }, { requiredKeys: [] }),
    flags: fc.nat(),
  },
  { requiredKeys: ['traceId', 'spanId'] },
);

/** A valid request of several resources and scopes, some without spans. */
export const request: fc.Arbitrary<OracleRequest> = fc.record({
  resourceSpans: fc.array(
    fc.record(
      {
        resource: fc.record({ attributes, droppedAttributesCount: fc.nat() }),
        scopeSpans: fc.array(
          fc.record(
            {
              scope: fc.record({ name: text, version: text, attributes }),
              spans: fc.array(span, { maxLength: 3 }),
              schemaUrl: text,
            },
            { requiredKeys: ['spans'] },
          ),
          { maxLength: 2 },
        ),
        schemaUrl: text,
      },
      { requiredKeys: ['scopeSpans'] },
    ),
    { maxLength: 2 },
  ),
});

/** Messages that are fields of a message, by its name and the field's number, so that shuffling goes all the way down. */
const messageFields: Record<string, Record<number, string>> = {
  request: { 1: 'envelope' },
  envelope: { 1: 'subject', 2: 'scopeSpans' },
  scopeSpans: { 1: 'subject', 2: 'span' },
  span: { 9: 'keyValue', 11: 'event', 13: 'link', 15: 'status' },
  keyValue: { 2: 'value' },
  event: { 3: 'keyValue' },
  link: { 4: 'keyValue' },
};
const lastFields: Record<string, number> = {
  request: 1,
  envelope: 3,
  scopeSpans: 3,
  span: 16,
  keyValue: 2,
  event: 4,
  link: 6,
  status: 3,
  value: 7,
  subject: 4,
};

/**
 * The same request as another encoder might write it: fields of different numbers in any order, unknown fields in
 * between, lengths padded. `random` gives numbers in [0, 1).
 */
export function shuffled(bytes: Uint8Array, random: () => number, message = 'request'): Uint8Array {
  const reader = protobuf.Reader.create(bytes);
  const byNumber = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    const child = messageFields[message]?.[tag >>> 3];
    let encoded: Uint8Array;
    if (child && (tag & 7) === 2)
      encoded = delimited(tag, shuffled(reader.bytes(), random, child), random() < 0.1);
    else {
      reader.skipType(tag & 7);
      encoded = bytes.slice(start, reader.pos);
    }
    byNumber.set(tag >>> 3, [...(byNumber.get(tag >>> 3) ?? []), encoded]);
  }
  if (random() < 0.2)
    byNumber.set(1000, [unknownField(lastFields[message]! + 1 + Math.floor(random() * 5000), random)]);
  if (message === 'value') return Buffer.concat([...byNumber.values()].flat());
  const queues = [...byNumber.values()];
  const out: Uint8Array[] = [];
  while (queues.length > 0) {
    const pick = random() < 0.5 ? 0 : Math.floor(random() * queues.length);
    const queue = queues[pick]!;
    out.push(queue.shift()!);
    if (queue.length === 0) queues.splice(pick, 1);
  }
  return Buffer.concat(out);
}

/** The same request as a Collector writes it: the fields of each message from the highest number to the lowest. */
export function reversed(bytes: Uint8Array, message = 'request'): Uint8Array {
  const reader = protobuf.Reader.create(bytes);
  const fields: { readonly number: number; readonly encoded: Uint8Array }[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    const child = messageFields[message]?.[tag >>> 3];
    let encoded: Uint8Array;
    if (child && (tag & 7) === 2) encoded = delimited(tag, reversed(reader.bytes(), child), false);
    else {
      reader.skipType(tag & 7);
      encoded = bytes.slice(start, reader.pos);
    }
    fields.push({ number: tag >>> 3, encoded });
  }
  return Buffer.concat(fields.toSorted((a, b) => b.number - a.number).map(({ encoded }) => encoded));
}

function delimited(tag: number, message: Uint8Array, padded: boolean): Uint8Array {
  const writer = protobuf.Writer.create().uint32(tag);
  if (!padded || message.length > 127) return writer.bytes(message).finish();
  return Buffer.concat([writer.finish(), Buffer.from([message.length | 0x80, 0x80, 0x00]), message]);
}

function unknownField(number: number, random: () => number): Uint8Array {
  const writer = protobuf.Writer.create();
  const kind = Math.floor(random() * 4);
  if (kind === 0)
    return writer
      .uint32(number * 8)
      .uint32(Math.floor(random() * 2 ** 32))
      .finish();
  if (kind === 1)
    return writer
      .uint32(number * 8 + 1)
      .double(random())
      .finish();
  if (kind === 2)
    return writer
      .uint32(number * 8 + 5)
      .float(random())
      .finish();
  return writer
    .uint32(number * 8 + 2)
    .string('unknown')
    .finish();
}
