import { keyValueTag, valueTag } from './key-value.ts';
import { fieldBefore, nextField, type WireField } from './wire-field.ts';
import { broken } from './wire.ts';

/** Tags of LogRecord in opentelemetry/proto/logs/v1. */
export const logTag = {
  time: 0x09,
  body: 0x2a,
  attribute: 0x32,
  droppedAttributes: 0x38,
  flags: 0x45,
  traceId: 0x4a,
  spanId: 0x52,
  observedTime: 0x59,
  eventName: 0x62,
} as const;

/** By number of the field, its only tag; 0 where the number is reserved. */
const tags = [0, 0x09, 0x10, 0x1a, 0, 0x2a, 0x32, 0x38, 0x45, 0x4a, 0x52, 0x59, 0x62];

/** The tag of a Span's first field. */
const spanTraceId = 0x0a;

/** Of the W3C trace flags, in the first byte of the field. */
const sampledFlag = 0x01;

/** Longer texts name no event, and no value of one that is asked for. */
const limitTextBytes = 256;

/** KeyValueList.values. */
const listedTag = 0x0a;

/** One log record where it lies in its request: a cursor, used again for every record. */
export class LogRecord {
  /** The name of its instrumentation scope; '' when nobody says. */
  scopeName = '';
  /** Its own `event_name`, cut to what a name may be; '' when it has none. */
  eventName = '';
  /** Where the ids begin; 0 when there is none, or it is all zero. */
  traceIdAt = 0;
  spanIdAt = 0;
  /**
   * Its flags are there and say that its trace is not sampled (W3C Trace Context, sampled flag). Most senders leave out
   * flags of 0, as proto3 does, so nothing is known where there are none.
   */
  isUnsampled = false;
  /** Where its time, else the time at which it was observed, begins: little-endian nanoseconds; 0 when nobody says. */
  timeAt = 0;
  /** The body, an AnyValue; both 0 when there is none. */
  bodyAt = 0;
  bodyEnd = 0;
  /** The whole record. */
  at = 0;
  end = 0;
  #bytes: Buffer = Buffer.alloc(0);

  /** Reads the LogRecord [at, end) of `bytes`; '' or what is wrong with it. Texts are not checked. */
  read(bytes: Buffer, at: number, end: number): string {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
    this.eventName = '';
    this.isUnsampled = false;
    this.traceIdAt = this.spanIdAt = this.timeAt = this.bodyAt = this.bodyEnd = 0;
    let observedAt = 0;
    const field = fieldBefore(at);
    while (nextField(bytes, field, end)) {
      const { tag, content, next } = field;
      if (tag >>> 3 < tags.length && tag !== tags[tag >>> 3] && tags[tag >>> 3] !== 0)
        return tag === spanTraceId ? isSpan : malformed;
      if (tag === logTag.time) this.timeAt = this.#nonZero(content, 8);
      else if (tag === logTag.observedTime) observedAt = this.#nonZero(content, 8);
      else if (tag === logTag.flags) this.isUnsampled = (bytes[content]! & sampledFlag) === 0;
      else if (tag === logTag.eventName)
        this.eventName = bytes.toString('utf8', content, Math.min(next, content + limitTextBytes));
      else if (tag === logTag.traceId || tag === logTag.spanId) {
        const length = tag === logTag.traceId ? 16 : 8;
        if (next !== content && next - content !== length) return length === 16 ? wrongTraceId : wrongSpanId;
        const idAt = next === content ? 0 : this.#nonZero(content, length);
        if (length === 16) this.traceIdAt = idAt;
        else this.spanIdAt = idAt;
      } else if (tag === logTag.body) {
        this.bodyAt = content;
        this.bodyEnd = next;
      }
    }
    if (field.tag === broken) return malformed;
    this.timeAt ||= observedAt;
    return '';
  }

  /** The text of its attribute `key`, or of that key of a body that is a map; undefined when there is none that is short. */
  text(key: string): string | undefined {
    const field = fieldBefore(this.at);
    while (nextField(this.#bytes, field, this.end)) {
      const text = field.tag === logTag.attribute ? this.#textOf(key, field.content, field.next) : undefined;
      if (text !== undefined) return text;
    }
    for (const { content, next } of this.bodyFields()) {
      const text = this.#textOf(key, content, next);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** Its body when that is a short text, else ''. */
  get body(): string {
    return this.bodyEnd === 0 ? '' : (this.#textAt(this.bodyAt, this.bodyEnd) ?? '');
  }

  /** The KeyValue fields of a body that is a map; each is the same object, moved. */
  *bodyFields(): Generator<WireField> {
    if (this.bodyEnd === 0) return;
    const member = fieldBefore(this.bodyAt);
    while (nextField(this.#bytes, member, this.bodyEnd)) {
      if (member.tag !== valueTag.list) continue;
      const listed = fieldBefore(member.content);
      while (nextField(this.#bytes, listed, member.next)) if (listed.tag === listedTag) yield listed;
    }
  }

  /** `key` is ASCII. */
  #textOf(key: string, at: number, end: number): string | undefined {
    const bytes = this.#bytes;
    const field = fieldBefore(at);
    let isKey = false;
    let [valueAt, valueEnd] = [0, 0];
    while (nextField(bytes, field, end)) {
      const { tag, content, next } = field;
      if (tag === keyValueTag.key)
        isKey = next - content === key.length && bytes.toString('latin1', content, next) === key;
      else if (tag === keyValueTag.value) [valueAt, valueEnd] = [content, next];
    }
    return isKey ? this.#textAt(valueAt, valueEnd) : undefined;
  }

  /** The text that the AnyValue [at, end) is. */
  #textAt(at: number, end: number): string | undefined {
    const bytes = this.#bytes;
    if (at >= end || bytes[at] !== valueTag.string) return undefined;
    const member = fieldBefore(at);
    if (!nextField(bytes, member, end) || member.next - member.content > limitTextBytes) return undefined;
    return bytes.toString('utf8', member.content, member.next);
  }

  #nonZero(at: number, length: number): number {
    for (let k = at; k < at + length; k++) if (this.#bytes[k] !== 0) return at;
    return 0;
  }
}

const malformed =
  'the log record is not a valid protobuf message (a field is truncated or has the wrong wire type)';
const wrongTraceId = 'trace_id is neither empty nor 16 bytes';
const wrongSpanId = 'span_id is neither empty nor 8 bytes';
/** What is wrong with a log record that is a span. */
export const isSpan = 'it is a span, not a log record: send it to the endpoint for traces';
