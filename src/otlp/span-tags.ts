/** Tags (field number << 3 | wire type) of Span in opentelemetry/proto/trace/v1. */
export const spanTag = {
  traceId: 0x0a,
  spanId: 0x12,
  traceState: 0x1a,
  parentSpanId: 0x22,
  name: 0x2a,
  kind: 0x30,
  startTime: 0x39,
  endTime: 0x41,
  attribute: 0x4a,
  droppedAttributes: 0x50,
  event: 0x5a,
  droppedEvents: 0x60,
  link: 0x6a,
  droppedLinks: 0x70,
  status: 0x7a,
  flags: 0x85,
} as const;
/** The highest number of a field that is known. */
export const lastSpanField = 16;

/** Tags of Span.Event. */
export const eventTag = { time: 0x09, name: 0x12, attribute: 0x1a, droppedAttributes: 0x20 } as const;
/** The highest number of a field that is known. */
export const lastEventField = 4;

/** Field 1 of Status is reserved, so anything may stand there. */
export const statusTag = { message: 0x12, code: 0x18 } as const;
/** The highest number of a field that is known. */
export const lastStatusField = 3;

/** Tags of Span.Link that are asked for. */
export const linkTag = { traceId: 0x0a, attribute: 0x22 } as const;

/** Field 3 of InstrumentationScope. */
export const scopeTag = { attribute: 0x1a } as const;

/** Tags of Resource. */
export const resourceTag = { attribute: 0x0a, droppedAttributes: 0x10 } as const;
/** The highest number of a field that is known. */
export const lastResourceField = 2;

/** Fields of a LogRecord whose wire type no span field of that number has: time, severity, attributes, flags, observed time. */
export const logTags: ReadonlySet<number> = new Set([0x09, 0x10, 0x32, 0x45, 0x59]);
