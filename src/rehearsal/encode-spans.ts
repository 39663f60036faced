import protobuf from 'protobufjs';

/** Attributes by their keys. */
export type Values = Readonly<Record<string, string | number>>;

/** A span before it is encoded. */
export interface MadeSpan {
  /** 16 bytes, and 8. */
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  /** Undefined of a root. */
  readonly parentSpanId: Uint8Array | undefined;
  readonly name: string;
  /** A `Span.SpanKind`. */
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly isFailed: boolean;
  readonly values: Values;
}

type Writer = protobuf.Writer;

/** The tags of fields as the .proto files of OTLP number them. */
const bytesTag = (field: number): number => (field << 3) | 2;
const varintTag = (field: number): number => field << 3;
const fixed64Tag = (field: number): number => (field << 3) | 1;
const statusError = 2;

/** An ExportTraceServiceRequest of one resource, with `spans`. */
export function encodeSpans(resource: Values, spans: readonly MadeSpan[]): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(bytesTag(1)).fork(); // resource_spans
  writer.uint32(bytesTag(1)).fork(); // resource
  writeAttributes(writer, 1, resource);
  writer.ldelim();
  writer.uint32(bytesTag(2)).fork(); // scope_spans
  for (const span of spans) writeSpan(writer, span);
  writer.ldelim().ldelim();
  return writer.finish();
}

function writeSpan(writer: Writer, span: MadeSpan): void {
  const { traceId, spanId, parentSpanId, name, kind, startMs, endMs, isFailed, values } = span;
  writer.uint32(bytesTag(2)).fork();
  writer.uint32(bytesTag(1)).bytes(traceId);
  writer.uint32(bytesTag(2)).bytes(spanId);
  if (parentSpanId) writer.uint32(bytesTag(4)).bytes(parentSpanId);
  writer.uint32(bytesTag(5)).string(name);
  writer.uint32(varintTag(6)).int32(kind);
  writer.uint32(fixed64Tag(7)).fixed64(startMs * 1e6);
  writer.uint32(fixed64Tag(8)).fixed64(endMs * 1e6);
  writeAttributes(writer, 9, values);
  if (isFailed) writer.uint32(bytesTag(15)).fork().uint32(varintTag(3)).int32(statusError).ldelim();
  writer.ldelim();
}

function writeAttributes(writer: Writer, field: number, values: Values): void {
  for (const [key, value] of Object.entries(values)) {
    writer.uint32(bytesTag(field)).fork();
    writer.uint32(bytesTag(1)).string(key);
    writer.uint32(bytesTag(2)).fork();
    if (typeof value === 'string') writer.uint32(bytesTag(1)).string(value);
    else writer.uint32(fixed64Tag(4)).double(value);
    writer.ldelim().ldelim();
  }
}
