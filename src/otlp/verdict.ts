/** Whether bytes are a valid span, and if not, why. `ok` is 0, so a verdict can be asked like a boolean for a fault. */
export const verdict = {
  ok: 0,
  malformed: 1,
  text: 2,
  depth: 3,
  traceId: 4,
  spanId: 5,
  parentSpanId: 6,
  log: 7,
} as const;
export type Verdict = (typeof verdict)[keyof typeof verdict];

/** What the sender of a rejected span reads, by verdict. */
export const sentences: readonly string[] = [
  'the span is valid',
  'the span is not a valid protobuf message (a field is truncated or has the wrong wire type)',
  'a name, attribute key or text value is not valid UTF-8',
  'an attribute value is nested too deeply',
  'trace_id is not 16 bytes, or all zero',
  'span_id is not 8 bytes, or all zero',
  'parent_span_id is neither empty nor 8 bytes',
  'it is a log record, not a span: send it to the endpoint for logs',
];
