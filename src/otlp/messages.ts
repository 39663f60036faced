import protobuf from 'protobufjs';
import type { Signal } from './json-schema.ts';

/** The two encodings of OTLP: what a request comes in is what its answer goes out in. */
export type Encoding = 'protobuf' | 'json';

/** A `google.rpc.Status` with the two details OTLP knows. */
export interface RpcStatus {
  /** A `google.rpc.Code`. */
  readonly code: number;
  readonly message: string;
  /** RetryInfo: how long the sender should wait, in milliseconds. */
  readonly retryDelayMs?: number | undefined;
  /** BadRequest: which field is wrong; the message says why. */
  readonly badField?: string | undefined;
}

/** `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
export type ServingStatus = keyof typeof servingStatusCodes;

/** Messages to senders are cut to this many characters: a status must fit the 8 KB of headers every client takes. */
const messageLimitChars = 1000;

const { Reader, Writer } = protobuf;

/** The tag of a length-delimited field, of a varint field. */
const lengthDelimited = (field: number): number => (field << 3) | 2;
const varint = (field: number): number => field << 3;

function clamped(message: string): string {
  const text = message.toWellFormed();
  return text.length <= messageLimitChars ? text : `${text.slice(0, messageLimitChars - 1).toWellFormed()}…`;
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/** What JSON calls the number of what was rejected; in protobuf it is the same field. */
const rejectedNames: Readonly<Record<Signal, string>> = {
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
};

/**
 * An ExportTraceServiceResponse, or one of logs. `partial_success` is unset when nothing was rejected and `message` is
 * '' (OTLP demands it); a message with 0 rejected is a warning.
 */
export function encodeExportResponse(
  signal: Signal,
  encoding: Encoding,
  rejected: number,
  message: string,
): Uint8Array {
  if (rejected === 0 && message === '') return encoding === 'json' ? jsonBytes({}) : new Uint8Array();
  const errorMessage = clamped(message);
  if (encoding === 'json')
    return jsonBytes({ partialSuccess: { [rejectedNames[signal]]: String(rejected), errorMessage } });
  return Writer.create()
    .uint32(lengthDelimited(1))
    .fork()
    .uint32(varint(1))
    .int64(rejected)
    .uint32(lengthDelimited(2))
    .string(errorMessage)
    .ldelim()
    .finish();
}

interface Detail {
  readonly type: 'google.rpc.RetryInfo' | 'google.rpc.BadRequest';
  readonly protobuf: Uint8Array;
  /** The same in proto3 JSON, where a Duration is a string. */
  readonly json: Record<string, unknown>;
}

function retryInfo(delayMs: number): Detail {
  const seconds = Math.floor(delayMs / 1000);
  const nanos = Math.round((delayMs - seconds * 1000) * 1e6);
  const duration = Writer.create().uint32(lengthDelimited(1)).fork();
  duration.uint32(varint(1)).int64(seconds).uint32(varint(2)).int32(nanos).ldelim();
  const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0')}`;
  return {
    type: 'google.rpc.RetryInfo',
    protobuf: duration.finish(),
    json: { retryDelay: `${seconds}${fraction}s` },
  };
}

function badRequest(field: string, description: string): Detail {
  const violation = Writer.create().uint32(lengthDelimited(1)).fork();
  violation.uint32(lengthDelimited(1)).string(field).uint32(lengthDelimited(2)).string(description).ldelim();
  return {
    type: 'google.rpc.BadRequest',
    protobuf: violation.finish(),
    json: { fieldViolations: [{ field, description }] },
  };
}

/** A `google.rpc.Status`: the body of every HTTP error, and the `grpc-status-details-bin` of a gRPC one. */
export function encodeStatus(encoding: Encoding, status: RpcStatus): Uint8Array {
  const message = clamped(status.message);
  const details: Detail[] = [];
  if (status.retryDelayMs !== undefined) details.push(retryInfo(status.retryDelayMs));
  if (status.badField !== undefined) details.push(badRequest(status.badField, message));
  const typeUrl = (detail: Detail): string => `type.googleapis.com/${detail.type}`;
  if (encoding === 'json') {
    const list = details.map((detail) => ({ '@type': typeUrl(detail), ...detail.json }));
    return jsonBytes({ code: status.code, message, ...(list.length > 0 && { details: list }) });
  }
  const writer = Writer.create()
    .uint32(varint(1))
    .int32(status.code)
    .uint32(lengthDelimited(2))
    .string(message);
  for (const detail of details) {
    writer.uint32(lengthDelimited(3)).fork(); // google.protobuf.Any
    writer.uint32(lengthDelimited(1)).string(typeUrl(detail));
    writer.uint32(lengthDelimited(2)).bytes(detail.protobuf).ldelim();
  }
  return writer.finish();
}

/** The service a `grpc.health.v1.HealthCheckRequest` asks about; '' is the whole server. Throws on malformed bytes. */
export function decodeHealthRequest(bytes: Uint8Array): string {
  const reader = Reader.create(bytes);
  let service = '';
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === lengthDelimited(1)) service = reader.string();
    else reader.skipType(tag & 7);
  }
  return service;
}

const servingStatusCodes = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;

/** A `grpc.health.v1.HealthCheckResponse`. */
export function encodeHealthResponse(status: ServingStatus): Uint8Array {
  return Writer.create().uint32(varint(1)).int32(servingStatusCodes[status]).finish();
}
