import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';

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
export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

/** Messages to senders are cut to this many characters: a status must fit the 8 KB of headers every client takes. */
export const messageLimitChars = 1000;

const root = new protobuf.Root();
for (const file of [
  'google/rpc/status.proto',
  'google/rpc/error_details.proto',
  'grpc/health/v1/health.proto',
  'opentelemetry/proto/collector/trace/v1/trace_service.proto',
]) {
  protobuf.parse(readFileSync(new URL(`../../proto/${file}`, import.meta.url), 'utf8'), root);
}
for (const name of ['any', 'duration']) root.addJSON(protobuf.common.get(`google/protobuf/${name}.proto`)?.nested ?? {});

const Response = root.lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse');
const Status = root.lookupType('google.rpc.Status');
const RetryInfo = root.lookupType('google.rpc.RetryInfo');
const BadRequest = root.lookupType('google.rpc.BadRequest');
const HealthRequest = root.lookupType('grpc.health.v1.HealthCheckRequest');
const HealthResponse = root.lookupType('grpc.health.v1.HealthCheckResponse');

function clamped(message: string): string {
  const text = message.toWellFormed();
  return text.length <= messageLimitChars ? text : `${text.slice(0, messageLimitChars - 1).toWellFormed()}…`;
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

/**
 * An ExportTraceServiceResponse. `partial_success` is unset when nothing was rejected and `message` is '' (OTLP
 * demands it); a message with 0 rejected is a warning.
 */
export function encodeExportResponse(encoding: Encoding, rejectedSpans: number, message: string): Uint8Array {
  if (rejectedSpans === 0 && message === '') return encoding === 'json' ? jsonBytes({}) : new Uint8Array();
  const errorMessage = clamped(message);
  if (encoding === 'json') return jsonBytes({ partialSuccess: { rejectedSpans: String(rejectedSpans), errorMessage } });
  return Response.encode(Response.fromObject({ partialSuccess: { rejectedSpans, errorMessage } })).finish();
}

interface Detail {
  readonly type: protobuf.Type;
  readonly fields: Record<string, unknown>;
  /** The same in proto3 JSON, where a Duration is a string. */
  readonly json: Record<string, unknown>;
}

function detailsOf(status: RpcStatus): Detail[] {
  const details: Detail[] = [];
  if (status.retryDelayMs !== undefined) {
    const seconds = Math.floor(status.retryDelayMs / 1000);
    const nanos = Math.round((status.retryDelayMs - seconds * 1000) * 1e6);
    const text = `${seconds}${nanos === 0 ? '' : `.${String(nanos).padStart(9, '0')}`}s`;
    details.push({ type: RetryInfo, fields: { retryDelay: { seconds, nanos } }, json: { retryDelay: text } });
  }
  if (status.badField !== undefined) {
    const fields = { fieldViolations: [{ field: status.badField, description: clamped(status.message) }] };
    details.push({ type: BadRequest, fields, json: fields });
  }
  return details;
}

/** A `google.rpc.Status`: the body of every HTTP error, and the `grpc-status-details-bin` of a gRPC one. */
export function encodeStatus(encoding: Encoding, status: RpcStatus): Uint8Array {
  const message = clamped(status.message);
  const typeUrl = (type: protobuf.Type): string => `type.googleapis.com/${type.fullName.slice(1)}`;
  if (encoding === 'json') {
    const details = detailsOf(status).map(({ type, json }) => ({ '@type': typeUrl(type), ...json }));
    return jsonBytes({ code: status.code, message, ...(details.length > 0 && { details }) });
  }
  const details = detailsOf(status).map(({ type, fields }) => ({
    type_url: typeUrl(type),
    value: type.encode(type.fromObject(fields)).finish(),
  }));
  return Status.encode(Status.fromObject({ code: status.code, message, details })).finish();
}

/** The service a `grpc.health.v1.HealthCheckRequest` asks about; '' is the whole server. Throws on malformed bytes. */
export function decodeHealthRequest(bytes: Uint8Array): string {
  return String(HealthRequest.toObject(HealthRequest.decode(bytes), { defaults: true })['service']);
}

/** A `grpc.health.v1.HealthCheckResponse`. */
export function encodeHealthResponse(status: ServingStatus): Uint8Array {
  return HealthResponse.encode(HealthResponse.fromObject({ status })).finish();
}
