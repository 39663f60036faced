/** How OTLP/JSON writes a field, and the tag it has in protobuf. */
export type Field =
  | {
      readonly kind:
        | 'string'
        | 'base64'
        | 'bool'
        | 'double'
        | 'int64'
        | 'fixed64'
        | 'uint32'
        | 'fixed32'
        | 'spanKind'
        | 'statusCode'
        | 'severityNumber';
      readonly tag: number;
    }
  /** Hex digits in JSON; empty or exactly this many bytes. */
  | { readonly kind: 'id'; readonly tag: number; readonly bytes: 8 | 16 }
  | MessageField;

/** A field that holds another message, or a list of them. */
export interface MessageField {
  readonly kind: 'message';
  readonly tag: number;
  readonly message: () => Message;
  readonly repeated: boolean;
  /** What the value should look like, for whoever wrote something else. */
  readonly expected: string;
  /** An element that is wrong costs only itself. */
  readonly isolated: boolean;
  /** Whether it may contain itself, so that depth counts. */
  readonly deepens: boolean;
}

/** A message of OTLP as JSON writes it. */
export interface Message {
  /** What a value should look like, for whoever wrote something else. */
  readonly expected: string;
  readonly fields: Readonly<Record<string, Field>>;
}

const wireTypes = {
  string: 2,
  base64: 2,
  bool: 0,
  double: 1,
  int64: 0,
  fixed64: 1,
  uint32: 0,
  fixed32: 5,
  spanKind: 0,
  statusCode: 0,
  severityNumber: 0,
} as const;

const scalar = (number: number, kind: keyof typeof wireTypes): Field => ({
  kind,
  tag: (number << 3) | wireTypes[kind],
});
const id = (number: number, bytes: 8 | 16): Field => ({ kind: 'id', tag: (number << 3) | 2, bytes });
const one = (number: number, message: () => Message, deepens = false): MessageField => ({
  kind: 'message',
  tag: (number << 3) | 2,
  message,
  repeated: false,
  expected: 'must be an object',
  isolated: false,
  deepens,
});
const list = (
  number: number,
  message: () => Message,
  expected = 'must be a list of objects',
): MessageField => ({
  kind: 'message',
  tag: (number << 3) | 2,
  message,
  repeated: true,
  expected,
  isolated: false,
  deepens: false,
});

const keyValuesExpected = 'must be a list such as [{"key": "a", "value": {"stringValue": "b"}}]';
const attributes = (number: number): Field => list(number, () => keyValue, keyValuesExpected);
const plain = 'must be an object';

const anyValue: Message = {
  expected: 'must be an object such as {"stringValue": "b"}',
  fields: {
    stringValue: scalar(1, 'string'),
    boolValue: scalar(2, 'bool'),
    intValue: scalar(3, 'int64'),
    doubleValue: scalar(4, 'double'),
    arrayValue: one(5, () => arrayValue, true),
    kvlistValue: one(6, () => keyValueList, true),
    bytesValue: scalar(7, 'base64'),
  },
};
const arrayValue: Message = {
  expected: 'must be an object such as {"values": []}',
  fields: { values: list(1, () => anyValue) },
};
const keyValueList: Message = { expected: arrayValue.expected, fields: { values: attributes(1) } };
const keyValue: Message = {
  expected: 'must be an object such as {"key": "a", "value": {"stringValue": "b"}}',
  fields: { key: scalar(1, 'string'), value: one(2, () => anyValue) },
};

const event: Message = {
  expected: plain,
  fields: {
    timeUnixNano: scalar(1, 'fixed64'),
    name: scalar(2, 'string'),
    attributes: attributes(3),
    droppedAttributesCount: scalar(4, 'uint32'),
  },
};
const link: Message = {
  expected: plain,
  fields: {
    traceId: id(1, 16),
    spanId: id(2, 8),
    traceState: scalar(3, 'string'),
    attributes: attributes(4),
    droppedAttributesCount: scalar(5, 'uint32'),
    flags: scalar(6, 'fixed32'),
  },
};
const status: Message = {
  expected: plain,
  fields: { message: scalar(2, 'string'), code: scalar(3, 'statusCode') },
};
const span: Message = {
  expected: plain,
  fields: {
    traceId: id(1, 16),
    spanId: id(2, 8),
    traceState: scalar(3, 'string'),
    parentSpanId: id(4, 8),
    name: scalar(5, 'string'),
    kind: scalar(6, 'spanKind'),
    startTimeUnixNano: scalar(7, 'fixed64'),
    endTimeUnixNano: scalar(8, 'fixed64'),
    attributes: attributes(9),
    droppedAttributesCount: scalar(10, 'uint32'),
    events: list(11, () => event),
    droppedEventsCount: scalar(12, 'uint32'),
    links: list(13, () => link),
    droppedLinksCount: scalar(14, 'uint32'),
    status: one(15, () => status),
    flags: scalar(16, 'fixed32'),
  },
};
const scope: Message = {
  expected: plain,
  fields: {
    name: scalar(1, 'string'),
    version: scalar(2, 'string'),
    attributes: attributes(3),
    droppedAttributesCount: scalar(4, 'uint32'),
  },
};
const scopeSpans: Message = {
  expected: plain,
  fields: {
    scope: one(1, () => scope),
    spans: { ...list(2, () => span), isolated: true },
    schemaUrl: scalar(3, 'string'),
  },
};
const resource: Message = {
  expected: plain,
  fields: { attributes: attributes(1), droppedAttributesCount: scalar(2, 'uint32') },
};
const resourceSpans: Message = {
  expected: plain,
  fields: {
    resource: one(1, () => resource),
    scopeSpans: list(2, () => scopeSpans),
    schemaUrl: scalar(3, 'string'),
  },
};

const logRecord: Message = {
  expected: plain,
  fields: {
    timeUnixNano: scalar(1, 'fixed64'),
    severityNumber: scalar(2, 'severityNumber'),
    severityText: scalar(3, 'string'),
    body: one(5, () => anyValue),
    attributes: attributes(6),
    droppedAttributesCount: scalar(7, 'uint32'),
    flags: scalar(8, 'fixed32'),
    traceId: id(9, 16),
    spanId: id(10, 8),
    observedTimeUnixNano: scalar(11, 'fixed64'),
    eventName: scalar(12, 'string'),
  },
};
const scopeLogs: Message = {
  expected: plain,
  fields: {
    scope: one(1, () => scope),
    logRecords: { ...list(2, () => logRecord), isolated: true },
    schemaUrl: scalar(3, 'string'),
  },
};
const resourceLogs: Message = {
  expected: plain,
  fields: {
    resource: one(1, () => resource),
    scopeLogs: list(2, () => scopeLogs),
    schemaUrl: scalar(3, 'string'),
  },
};

/** What a request holds. */
export type Signal = 'traces' | 'logs';

/** ExportTraceServiceRequest and ExportLogsServiceRequest, as opentelemetry-proto 1.11 and its JSON mapping write them. */
export const requests: Readonly<Record<Signal, Message>> = {
  traces: {
    expected: 'must be an object such as {"resourceSpans": []}',
    fields: { resourceSpans: list(1, () => resourceSpans) },
  },
  logs: {
    expected: 'must be an object such as {"resourceLogs": []}',
    fields: { resourceLogs: list(1, () => resourceLogs) },
  },
};

/** Span.SpanKind by name. */
export const spanKinds: Readonly<Record<string, number>> = {
  SPAN_KIND_UNSPECIFIED: 0,
  SPAN_KIND_INTERNAL: 1,
  SPAN_KIND_SERVER: 2,
  SPAN_KIND_CLIENT: 3,
  SPAN_KIND_PRODUCER: 4,
  SPAN_KIND_CONSUMER: 5,
};

/** SeverityNumber by name: of each of six words, four. */
export const severityNumbers: Readonly<Record<string, number>> = Object.fromEntries(
  ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].flatMap((word, rank) =>
    ['', '2', '3', '4'].map((suffix, k) => [`SEVERITY_NUMBER_${word}${suffix}`, rank * 4 + k + 1] as const),
  ),
);

/** Status.StatusCode by name. */
export const statusCodes: Readonly<Record<string, number>> = {
  STATUS_CODE_UNSET: 0,
  STATUS_CODE_OK: 1,
  STATUS_CODE_ERROR: 2,
};
