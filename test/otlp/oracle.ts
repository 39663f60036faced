import protobuf from 'protobufjs';

const protoRoot = new URL('../../proto/', import.meta.url).pathname;

/** The messages of `proto/`, as protobufjs reads them: what every property test of the wire compares with. */
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => protoRoot + target;
root.loadSync(
  [
    'opentelemetry/proto/collector/trace/v1/trace_service.proto',
    'opentelemetry/proto/collector/logs/v1/logs_service.proto',
  ],
  { keepCase: false },
);

export const requestType = root.lookupType(
  'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest',
);
const logsType = root.lookupType('opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest');
const spanType = root.lookupType('opentelemetry.proto.trace.v1.Span');

/** What an attribute's value may be, as protobufjs prints it: 64-bit integers as decimal strings, bytes as Buffers. */
export interface OracleValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values?: OracleValue[] };
  kvlistValue?: { values?: OracleAttribute[] };
  bytesValue?: Uint8Array;
}

export interface OracleAttribute {
  key?: string;
  value?: OracleValue;
}

interface OracleEvent {
  timeUnixNano?: string;
  name?: string;
  attributes?: OracleAttribute[];
  droppedAttributesCount?: number;
}

export interface OracleSpan {
  traceId?: Uint8Array;
  spanId?: Uint8Array;
  traceState?: string;
  parentSpanId?: Uint8Array;
  name?: string;
  kind?: number;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  attributes?: OracleAttribute[];
  droppedAttributesCount?: number;
  events?: OracleEvent[];
  links?: { traceId?: Uint8Array; spanId?: Uint8Array; attributes?: OracleAttribute[] }[];
  status?: { message?: string; code?: number };
  flags?: number;
}

interface OracleScopeSpans {
  scope?: { name?: string; version?: string; attributes?: OracleAttribute[] };
  spans?: OracleSpan[];
  schemaUrl?: string;
}

export interface OracleResourceSpans {
  resource?: { attributes?: OracleAttribute[] };
  scopeSpans?: OracleScopeSpans[];
  schemaUrl?: string;
}

export interface OracleRequest {
  resourceSpans?: OracleResourceSpans[];
}

/** Decodes with protobufjs to plain objects without defaults. Throws on bytes protobufjs refuses. */
export function decodeRequest(bytes: Uint8Array): OracleRequest {
  return requestType.toObject(requestType.decode(bytes), { longs: String });
}

/** Decodes likewise; fields nobody knows are in `unknown` of their message, as hex. */
export function decodeWithUnknown(bytes: Uint8Array): OracleRequest {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  const message = requestType.decode(reader);
  const plain = requestType.toObject(message, { longs: String });
  addUnknown(message, plain);
  return plain;
}

function addUnknown(message: object, plain: object): void {
  const unknown: unknown = Reflect.get(message, '$unknowns');
  if (Array.isArray(unknown)) {
    Reflect.set(
      plain,
      'unknown',
      unknown.map((field: Uint8Array) => Buffer.from(field).toString('hex')).toSorted(),
    );
  }
  for (const [name, value] of Object.entries(message)) {
    const below: unknown = Reflect.get(plain, name);
    if (Array.isArray(value) && Array.isArray(below))
      value.forEach((item, k) => addUnknownBelow(item, below[k]));
    else addUnknownBelow(value, below);
  }
}

function addUnknownBelow(value: unknown, plain: unknown): void {
  if (value instanceof protobuf.Message && plain !== null && typeof plain === 'object')
    addUnknown(value, plain);
}

/** Encodes with protobufjs. 64-bit integers may be numbers or decimal strings. */
export function encodeRequest(request: OracleRequest): Uint8Array {
  return requestType.encode(requestType.fromObject(request)).finish();
}

export interface OracleLog {
  timeUnixNano?: string;
  observedTimeUnixNano?: string;
  severityNumber?: number;
  severityText?: string;
  body?: OracleValue;
  attributes?: OracleAttribute[];
  droppedAttributesCount?: number;
  flags?: number;
  traceId?: Uint8Array;
  spanId?: Uint8Array;
  eventName?: string;
}

export interface OracleLogs {
  resourceLogs?: {
    resource?: { attributes?: OracleAttribute[] };
    scopeLogs?: {
      scope?: { name?: string; version?: string };
      logRecords?: OracleLog[];
      schemaUrl?: string;
    }[];
    schemaUrl?: string;
  }[];
}

/** Encodes an ExportLogsServiceRequest. */
export function encodeLogs(logs: OracleLogs): Uint8Array {
  return logsType.encode(logsType.fromObject(logs)).finish();
}

/** Encodes one Span message. */
export function encodeSpan(span: OracleSpan): Uint8Array {
  return spanType.encode(spanType.fromObject(span)).finish();
}
