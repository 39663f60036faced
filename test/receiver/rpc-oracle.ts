import protobuf from 'protobufjs';

const protoRoot = new URL('../../proto/', import.meta.url).pathname;
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : protoRoot + target);
root.loadSync([
  'google/rpc/status.proto',
  'google/rpc/error_details.proto',
  'google/rpc/code.proto',
  'grpc/health/v1/health.proto',
  'opentelemetry/proto/collector/trace/v1/trace_service.proto',
  'opentelemetry/proto/collector/logs/v1/logs_service.proto',
]);

/** Decodes a message of `proto/` with protobufjs, to plain objects without defaults. */
export function decodeAs(type: string, bytes: Uint8Array): Record<string, unknown> {
  return root.lookupType(type).toObject(root.lookupType(type).decode(bytes), { longs: String });
}

/** Encodes a message of `proto/` with protobufjs. */
export function encodeAs(type: string, message: Record<string, unknown>): Uint8Array {
  const found = root.lookupType(type);
  return found.encode(found.fromObject(message)).finish();
}

export interface DecodedStatus {
  readonly code?: number;
  readonly message?: string;
  readonly details: readonly { readonly type: string; readonly value: Record<string, unknown> }[];
}

interface RawStatus {
  code?: number;
  message?: string;
  details?: { type_url: string; value: Uint8Array }[];
}

/** A `google.rpc.Status` with its details decoded by their type URLs. */
export function decodeStatus(bytes: Uint8Array): DecodedStatus {
  const type = root.lookupType('google.rpc.Status');
  const status: RawStatus = type.toObject(type.decode(bytes));
  const details = (status.details ?? []).map((any) => {
    const name = any.type_url.replace('type.googleapis.com/', '');
    return { type: name, value: decodeAs(name, any.value) };
  });
  return { ...status, details };
}
