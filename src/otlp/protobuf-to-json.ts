import protobuf from 'protobufjs';
import { requests, type Field, type Message, type MessageField } from './json-schema.ts';
import { varint64 } from './wire.ts';

/** An object of OTLP/JSON. */
export type JsonObject = Record<string, unknown>;

const fieldsByTag = new WeakMap<Message, ReadonlyMap<number, readonly [name: string, field: Field]>>();

/**
 * An ExportTraceServiceRequest as OTLP/JSON writes it: ids in hex, 64-bit integers as decimal strings, enums as
 * numbers, other bytes in base64. Only what the message holds is there; fields nobody knows are left out. For people to
 * look at: it makes an object of everything. Throws on bytes that are no such message.
 */
export function protobufToJson(bytes: Uint8Array): JsonObject {
  const reader = protobuf.Reader.create(bytes);
  return objectOf(reader, reader.len, requests.traces);
}

function fieldsOf(message: Message): ReadonlyMap<number, readonly [name: string, field: Field]> {
  const known =
    fieldsByTag.get(message) ??
    new Map(Object.entries(message.fields).map(([name, field]) => [field.tag, [name, field] as const]));
  fieldsByTag.set(message, known);
  return known;
}

function objectOf(reader: protobuf.Reader, end: number, message: Message): JsonObject {
  const object: JsonObject = {};
  while (reader.pos < end) {
    const tag = reader.uint32();
    const known = fieldsOf(message).get(tag);
    if (known === undefined) reader.skipType(tag & 7);
    else if (known[1].kind === 'message') addMessage(reader, object, known[0], known[1]);
    else object[known[0]] = scalarOf[known[1].kind](reader);
  }
  if (reader.pos !== end) throw new RangeError('a field reaches beyond the message that it is in');
  return object;
}

function addMessage(reader: protobuf.Reader, object: JsonObject, name: string, field: MessageField): void {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError('a message reaches beyond the bytes');
  const value = objectOf(reader, end, field.message());
  const before = object[name];
  if (!field.repeated) object[name] = { ...(typeof before === 'object' ? before : {}), ...value };
  else if (Array.isArray(before)) before.push(value);
  else object[name] = [value];
}

type ScalarKind = Exclude<Field, MessageField>['kind'];

const scalarOf: Readonly<Record<ScalarKind, (reader: protobuf.Reader) => string | number | boolean>> = {
  string: (reader) => reader.string(),
  id: (reader) => Buffer.from(reader.bytes()).toString('hex'),
  base64: (reader) => Buffer.from(reader.bytes()).toString('base64'),
  bool: (reader) => reader.bool(),
  double: (reader) => doubleOf(reader.double()),
  int64: (reader) => {
    const at = reader.pos;
    reader.skip(); // which checks it
    return String(varint64(reader.buf, at));
  },
  fixed64: (reader) => {
    const low = BigInt(reader.fixed32());
    return String((BigInt(reader.fixed32()) << 32n) | low);
  },
  uint32: (reader) => reader.uint32(),
  fixed32: (reader) => reader.fixed32(),
  spanKind: (reader) => reader.int32(),
  statusCode: (reader) => reader.int32(),
  severityNumber: (reader) => reader.int32(),
};

/** JSON has no NaN, no infinity and, in JavaScript, no -0; proto3 lets a number be a string. */
function doubleOf(value: number): number | string {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value) ? value : String(value);
}
