import protobuf from 'protobufjs';
import { Failure } from '../core/failure.ts';
import {
  requests,
  severityNumbers,
  spanKinds,
  statusCodes,
  type Field,
  type Message,
  type MessageField,
  type Signal,
} from './json-schema.ts';
import { parseJson } from './json-text.ts';

/** An OTLP/JSON request as protobuf. */
export interface Converted {
  /** An ExportTraceServiceRequest, or one of logs, without the rejected spans or log records. */
  readonly bytes: Uint8Array;
  /** Spans or log records left out because they are not OTLP/JSON. */
  readonly rejected: number;
  /** One sentence for each of the first few things that are wrong; with nothing rejected they are advice. */
  readonly reasons: readonly string[];
  /** OTLP/JSON of the rejected spans alone, with what stands around them. */
  readonly leftOut: () => Uint8Array;
}

/** Values may be nested this deep in JSON; the index of the protobuf is stricter for some shapes. */
const limitDepth = 64;
const reasonsShown = 5;

class NotOtlp extends Error {}

/**
 * Converts an OTLP/JSON ExportTraceServiceRequest, or one of logs. Ids are hex in either case, 64-bit integers are strings or numbers
 * and keep every digit, omitted fields keep their defaults, unknown ones are ignored. A span or log record that is not
 * OTLP/JSON is left out and counted. Names of enum values, which OTLP forbids but senders write, are accepted with advice.
 * Throws an `invalid` Failure when the envelope around them is wrong.
 */
export function jsonToProtobuf(body: Uint8Array, signal: Signal = 'traces'): Converted {
  const json = parseJson(body);
  const converter = new Converter(signal);
  try {
    return converter.convert(json);
  } catch (error) {
    if (error instanceof NotOtlp) throw new Failure('invalid', error.message);
    throw error;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What `value` is. It is not quoted: the sentence goes to logs and dead letters, and the value may be anybody's secret. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  if (typeof value === 'string') return `a string of ${value.length} characters`;
  if (typeof value === 'bigint' || Number.isInteger(value)) return 'an integer';
  return typeof value === 'number' ? 'a fraction' : String(value);
}

function camelCase(key: string): string {
  return key.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

class Converter {
  readonly #path: (string | number)[] = [];
  readonly #reasons = new Set<string>();
  readonly #rejected: unknown[] = [];
  readonly #signal: Signal;
  #unnamed = 0;

  constructor(signal: Signal) {
    this.#signal = signal;
  }

  convert(json: unknown): Converted {
    const writer = protobuf.Writer.create();
    this.#message(writer, requests[this.#signal], json, 0);
    const more = this.#unnamed === 0 ? [] : [`and ${this.#unnamed} more`];
    return {
      bytes: writer.finish(),
      rejected: this.#rejected.length,
      reasons: [...this.#reasons, ...more],
      leftOut: () => this.#leftOut(json),
    };
  }

  #leftOut(json: unknown): Uint8Array {
    const rejected = new Set(this.#rejected);
    const text = JSON.stringify(json, (key, value: unknown) => {
      if (typeof value === 'bigint') return value.toString();
      return key === 'spans' && Array.isArray(value) ? value.filter((span) => rejected.has(span)) : value;
    });
    return Buffer.from(text);
  }

  #fault(expected: string, value?: unknown): NotOtlp {
    const where = this.#path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
    return new NotOtlp(
      `${where.slice(1) || 'the request'}: ${expected}${value === undefined ? '' : `, not ${shown(value)}`}`,
    );
  }

  #note(reason: string): void {
    if (this.#reasons.size < reasonsShown) this.#reasons.add(reason);
    else if (!this.#reasons.has(reason)) this.#unnamed++;
  }

  #message(writer: protobuf.Writer, message: Message, value: unknown, depth: number): void {
    if (depth > limitDepth) throw this.#fault(`must not be nested deeper than ${limitDepth}`);
    if (!isObject(value)) throw this.#fault(message.expected, value);
    for (const key of Object.keys(value)) {
      const field = Object.hasOwn(message.fields, key) ? message.fields[key] : undefined;
      if (field === undefined) this.#unknown(message, key);
      else if (value[key] !== null && value[key] !== undefined) {
        this.#path.push(key);
        this.#field(writer, field, value[key], depth);
        this.#path.pop();
      }
    }
  }

  /** Unknown fields are ignored, unless they are known ones in a spelling that OTLP/JSON does not have. */
  #unknown(message: Message, key: string): void {
    const camel = camelCase(key);
    if (camel !== key && Object.hasOwn(message.fields, camel)) {
      throw this.#fault(`has "${key}": OTLP/JSON spells it "${camel}"`);
    }
    const [, signal] =
      (message === requests[this.#signal] && /^resource_?(Spans|Logs|Metrics|Profiles)$/i.exec(key)) || [];
    if (signal !== undefined) {
      const what = signal.toLowerCase().replace('spans', 'traces');
      const fix = what in requests ? `send ${what} to /v1/${what}` : 'Plimsoll takes only traces and logs';
      throw this.#fault(
        `has "${key}": this is a ${what} request, and only ${this.#signal} are taken here: ${fix}`,
      );
    }
  }

  #field(writer: protobuf.Writer, field: Field, value: unknown, depth: number): void {
    if (field.kind !== 'message') {
      this.#scalar(writer, field, value);
      return;
    }
    const nested = depth + (field.deepens ? 1 : 0);
    if (!field.repeated) {
      this.#message(writer.uint32(field.tag).fork(), field.message(), value, nested);
      writer.ldelim();
      return;
    }
    if (!Array.isArray(value)) throw this.#fault(field.expected, value);
    for (const [index, element] of value.entries()) {
      this.#path.push(index);
      if (field.isolated) this.#isolated(writer, field, element, nested);
      else {
        this.#message(writer.uint32(field.tag).fork(), field.message(), element, nested);
        writer.ldelim();
      }
      this.#path.pop();
    }
  }

  /** A span or log record that is wrong costs only itself. */
  #isolated(writer: protobuf.Writer, field: MessageField, element: unknown, depth: number): void {
    const level = this.#path.length;
    const own = protobuf.Writer.create();
    try {
      this.#message(own, field.message(), element, depth);
    } catch (error) {
      if (!(error instanceof NotOtlp)) throw error;
      this.#path.length = level;
      this.#rejected.push(element);
      this.#note(error.message);
      return;
    }
    writer.uint32(field.tag).bytes(own.finish());
  }

  #scalar(writer: protobuf.Writer, field: Exclude<Field, MessageField>, value: unknown): void {
    writer.uint32(field.tag);
    switch (field.kind) {
      case 'string':
        if (typeof value !== 'string') throw this.#fault('must be a string', value);
        writer.string(value.toWellFormed());
        return;
      case 'id':
        writer.bytes(this.#id(value, field.bytes));
        return;
      case 'base64':
        writer.bytes(this.#base64(value));
        return;
      case 'bool':
        if (typeof value !== 'boolean') throw this.#fault('must be true or false', value);
        writer.bool(value);
        return;
      case 'double':
        writer.double(this.#double(value));
        return;
      case 'int64':
        // Senders that print the 64 bits unsigned say 2^64 - 1 for -1, so both spellings are taken.
        writer.int64(String(BigInt.asIntN(64, this.#integer(value, -(2n ** 63n), 2n ** 64n - 1n))));
        return;
      case 'fixed64': {
        const integer = this.#integer(value, 0n, 2n ** 64n - 1n);
        writer.fixed32(Number(integer & 0xffff_ffffn)).fixed32(Number(integer >> 32n));
        return;
      }
      case 'uint32':
        writer.uint32(Number(this.#integer(value, 0n, 2n ** 32n - 1n)));
        return;
      case 'fixed32':
        writer.fixed32(Number(this.#integer(value, 0n, 2n ** 32n - 1n)));
        return;
      case 'spanKind':
        writer.int32(this.#enum(value, spanKinds));
        return;
      case 'statusCode':
        writer.int32(this.#enum(value, statusCodes));
        return;
      case 'severityNumber':
        writer.int32(this.#enum(value, severityNumbers));
        return;
    }
  }

  #id(value: unknown, bytes: number): Uint8Array {
    const pattern = bytes === 16 ? /^(?:[\da-f]{32})?$/i : /^(?:[\da-f]{16})?$/i;
    if (typeof value === 'string' && pattern.test(value)) return Buffer.from(value, 'hex');
    const hint =
      typeof value === 'string' && value.endsWith('=') ? ' (ids are hex in OTLP/JSON, not base64)' : '';
    throw this.#fault(`must be ${bytes * 2} hex digits${hint}`, value);
  }

  #base64(value: unknown): Uint8Array {
    if (typeof value === 'string' && /^[\w+/-]*={0,2}$/.test(value)) return Buffer.from(value, 'base64');
    throw this.#fault('must be base64', value);
  }

  #double(value: unknown): number {
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
    if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
    if (typeof value === 'string' && /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(value)) return Number(value);
    throw this.#fault('must be a number, "NaN", "Infinity" or "-Infinity"', value);
  }

  #integer(value: unknown, min: bigint, max: bigint): bigint {
    let integer: bigint | undefined;
    if (typeof value === 'bigint') integer = value;
    else if (typeof value === 'number' && Number.isInteger(value)) integer = BigInt(value);
    else if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) integer = BigInt(value);
    if (integer === undefined)
      throw this.#fault('must be an integer, as a number or as a decimal string', value);
    if (integer < min || integer > max) throw this.#fault(`must be an integer from ${min} to ${max}`);
    return integer;
  }

  #enum(value: unknown, names: Readonly<Record<string, number>>): number {
    if (typeof value === 'string' && Object.hasOwn(names, value)) {
      const field = this.#path.at(-1);
      this.#note(
        `"${field}" should be the integer ${names[value]}: OTLP/JSON has no enum names such as "${value}"`,
      );
      return names[value] ?? 0;
    }
    return Number(this.#integer(value, -(2n ** 31n), 2n ** 31n - 1n));
  }
}
