import { Failure } from '../core/failure.ts';
import { isSpan, LogRecord, logTag } from './log-record.ts';
import { limitSpans } from './span-index.ts';
import { spanTag } from './span-tags.ts';
import { fieldBefore, nextField } from './wire-field.ts';
import { broken, writeVarint } from './wire.ts';

/** What became of the log records of one request. */
export interface SpansOfLogs {
  /** An ExportTraceServiceRequest with a span for each record that is kept, in memory of its own. */
  readonly request: Buffer;
  /** How many are no log records, by the sentence that says why. */
  readonly rejections: ReadonlyMap<string, number>;
}

/** What is made of a log record: a span with this name and this attribute, or nothing. */
export interface KeptLog {
  readonly name: string;
  /** A whole field of a span, put in front of the record's attributes. */
  readonly attribute: Uint8Array;
}

/** Id bytes of what has none: whoever reads the spans replaces them. No id is all ones by chance. */
export const noId = 0xff;

/** ExportLogsServiceRequest.resource_logs, ResourceLogs.scope_logs and ScopeLogs.log_records, as those of spans. */
const childTags = [0x0a, 0x12, 0x12] as const;
const levels = ['an ExportLogsServiceRequest', 'a ResourceLogs', 'a ScopeLogs'] as const;
const scopeTag = 0x0a;
const scopeNameTag = 0x0a;
const internalKind = 1;
/** Everything of a span but name, attributes and their tags. */
const fixedBytes = 96;

/**
 * Makes spans of the log records of an ExportLogsServiceRequest. `keep` decides of each record, which is always the same
 * object. A span has the record's time for start and end, its trace id, its span id for parent, and its attributes,
 * those in a body that is a map included; its own span id is all `noId`, and so is what the record does not say of the
 * other two. Resources and scopes stay as they are. A record that is none costs only itself; throws an `invalid`
 * Failure when what is around the records is broken, when all of them are spans, and when there are more than `limitSpans`.
 */
export function logsToSpans(
  request: Uint8Array,
  keep: (record: LogRecord) => KeptLog | undefined,
): SpansOfLogs {
  const converter = new Converter(Buffer.from(request.buffer, request.byteOffset, request.byteLength), keep);
  const spans = converter.message(0, request.byteLength, 0);
  const { rejections, records } = converter;
  if (records > 0 && rejections.get(isSpan) === records) {
    throw new Failure(
      'invalid',
      'the request holds spans, not log records: send spans to /v1/traces or TraceService',
    );
  }
  return { request: spans ?? Buffer.alloc(0), rejections };
}

class Converter {
  readonly rejections = new Map<string, number>();
  records = 0;
  readonly #bytes: Buffer;
  readonly #keep: (record: LogRecord) => KeptLog | undefined;
  readonly #record = new LogRecord();

  constructor(bytes: Buffer, keep: (record: LogRecord) => KeptLog | undefined) {
    this.#bytes = bytes;
    this.#keep = keep;
  }

  /** The message [at, end) with spans for records; undefined when none is kept. */
  message(at: number, end: number, depth: 0 | 1 | 2): Buffer | undefined {
    const bytes = this.#bytes;
    if (depth === 2) this.#record.scopeName = scopeNameOf(bytes, at, end);
    const parts: Uint8Array[] = [];
    let hasSpan = false;
    const field = fieldBefore(at);
    while (nextField(bytes, field, end)) {
      const { tag, content, next } = field;
      if (tag !== childTags[depth]) {
        if (depth > 0) parts.push(bytes.subarray(field.at, next));
        continue;
      }
      const child =
        depth === 2 ? this.#span(content, next) : this.message(content, next, depth === 0 ? 1 : 2);
      if (!child) continue;
      hasSpan = true;
      parts.push(header(tag, child.length), child);
    }
    if (field.tag === broken) throw new Failure('invalid', `${levels[depth]} is broken at byte ${field.at}`);
    return hasSpan ? Buffer.concat(parts) : undefined;
  }

  #span(at: number, end: number): Buffer | undefined {
    const record = this.#record;
    if (this.records++ === limitSpans)
      throw new Failure(
        'invalid',
        `the request has more than ${limitSpans} log records: send smaller batches`,
      );
    const fault = record.read(this.#bytes, at, end);
    if (fault !== '') {
      this.rejections.set(fault, (this.rejections.get(fault) ?? 0) + 1);
      return undefined;
    }
    const kept = this.#keep(record);
    return kept && spanOf(this.#bytes, record, kept);
  }
}

function scopeNameOf(bytes: Buffer, at: number, end: number): string {
  const field = fieldBefore(at);
  let name = '';
  while (nextField(bytes, field, end)) {
    if (field.tag !== scopeTag) continue;
    const inner = fieldBefore(field.content);
    while (nextField(bytes, inner, field.next))
      if (inner.tag === scopeNameTag) name = bytes.toString('utf8', inner.content, inner.next);
  }
  return name;
}

function header(tag: number, length: number): Uint8Array {
  const bytes = new Uint8Array(6);
  bytes[0] = tag;
  return bytes.subarray(0, writeVarint(bytes, 1, length));
}

/** The usual fields come first and in their order, so that readers find them at once. */
function spanOf(bytes: Buffer, record: LogRecord, { name, attribute }: KeptLog): Buffer {
  const nameBytes = Buffer.from(name);
  const span = Buffer.allocUnsafe(fixedBytes + nameBytes.length + attribute.length + record.end - record.at);
  let at = 0;
  const put = (tag: number, from: number, length: number, idBytes: number): void => {
    span[at++] = tag;
    if (idBytes > 0) span[at++] = idBytes;
    if (from === 0) span.fill(idBytes > 0 ? noId : 0, at, at + length);
    else bytes.copy(span, at, from, from + length);
    at += length;
  };
  put(spanTag.traceId, record.traceIdAt, 16, 16);
  put(spanTag.spanId, 0, 8, 8);
  put(spanTag.parentSpanId, record.spanIdAt, 8, 8);
  span[at++] = spanTag.name;
  at = writeVarint(span, at, nameBytes.length);
  at += nameBytes.copy(span, at);
  span[at++] = spanTag.kind;
  span[at++] = internalKind;
  put(spanTag.startTime, record.timeAt, 8, 0);
  put(spanTag.endTime, record.timeAt, 8, 0);
  span.set(attribute, at);
  at += attribute.length;
  const copy = (tag: number, from: number, to: number): void => {
    bytes.copy(span, at, from, to);
    span[at] = tag; // all these tags are one byte
    at += to - from;
  };
  const field = fieldBefore(record.at);
  while (nextField(bytes, field, record.end)) {
    if (field.tag === logTag.attribute) copy(spanTag.attribute, field.at, field.next);
    else if (field.tag === logTag.droppedAttributes) copy(spanTag.droppedAttributes, field.at, field.next);
  }
  for (const listed of record.bodyFields()) copy(spanTag.attribute, listed.at, listed.next);
  return span.subarray(0, at);
}
