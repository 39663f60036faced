import { AttributeScan, owner, type Owner } from './attribute-scan.ts';
import { keyFlag, type KeyTable } from './key-table.ts';
import { checkMessage, isText, message, valueDepth } from './message-check.ts';
import { markKind, type MarkColumns, type SpanColumns } from './span-columns.ts';
import {
  spanTag as spanTags,
  lastSpanField,
  eventTag,
  lastEventField,
  statusTag,
  lastStatusField,
  linkTag,
  scopeTag,
  resourceTag,
  lastResourceField,
  logTags,
} from './span-tags.ts';
import { readUsualFields } from './usual-fields.ts';
import { verdict as verdicts, type Verdict } from './verdict.ts';
import { broken as brokenOffset, lengthAt, skipField, tagAt, varintWidth } from './wire.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use.
const spanTag = spanTags;
const verdict = verdicts;
const broken = brokenOffset;

/** Messages around a scope's own message. */
const scopeDepth = 4;

const exceptionName = Buffer.from('exception');

/**
 * Reads one span's bytes into a row of the columns, and a resource's attributes into slots: one pass, and nothing
 * is made but numbers. Every byte is checked on the way, so that what passes can be read by any decoder.
 */
export class SpanScan {
  readonly #attributes: AttributeScan;
  readonly #spans: SpanColumns;
  readonly #marks: MarkColumns;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #row = 0;
  /** Why the last step returned `broken`. */
  #why: Verdict = verdict.ok;

  /** Marks what is in spans in `marks`, what is in resources and scopes in `envelopeMarks`. */
  constructor(keys: KeyTable, spans: SpanColumns, marks: MarkColumns, envelopeMarks: MarkColumns) {
    this.#attributes = new AttributeScan(keys, marks, envelopeMarks);
    this.#spans = spans;
    this.#marks = marks;
  }

  /** Sets what the following scans read; `view` covers the same bytes. */
  open(bytes: Uint8Array, view: DataView): void {
    this.#bytes = bytes;
    this.#view = view;
    this.#attributes.open(bytes, view);
  }

  /** Scans the span at [at, end) into `row`, for which there is room. A rejected span leaves its marks to the caller. */
  span(row: number, at: number, end: number): Verdict {
    const spans = this.#spans;
    const bytes = this.#bytes;
    spans.start[row] = at;
    spans.end[row] = end;
    this.#row = row;
    this.#attributes.into(spans.slots, row * spans.fieldCount);
    for (let offset = readUsualFields(bytes, this.#view, spans, row, at, end); offset < end;) {
      if (bytes[offset] === spanTag.attribute) {
        offset = this.#attributes.read(offset, end, spanTag.attribute, owner.span, 0);
        if (offset === broken) return this.#attributes.why;
      } else {
        offset = this.#spanField(offset, end);
        if (offset === broken) return this.#why;
      }
    }
    return this.#ids(row);
  }

  /** Scans the Resource at [at, end) into the slots from `base` on; `container` is its field. */
  resource(
    slots: Uint32Array<ArrayBuffer>,
    base: number,
    container: number,
    at: number,
    end: number,
  ): Verdict {
    const bytes = this.#bytes;
    this.#attributes.into(slots, base);
    for (let offset = at; offset < end;) {
      if (bytes[offset] === resourceTag.attribute) {
        offset = this.#attributes.read(offset, end, resourceTag.attribute, owner.resource, container);
        if (offset === broken) return this.#attributes.why;
      } else {
        offset = this.#skip(offset, end, lastResourceField, resourceTag.droppedAttributes);
        if (offset === broken) return this.#why;
      }
    }
    return verdict.ok;
  }

  /** Scans the InstrumentationScope at [at, end); `container` is its field. */
  scope(container: number, at: number, end: number): Verdict {
    const why = checkMessage(this.#bytes, this.#view, at, end, message.scope, scopeDepth);
    return why || this.#markAttributes(scopeTag.attribute, owner.scope, container, at, end);
  }

  /** Marks the attributes, which are the fields with `tag`, of a message that was checked. */
  #markAttributes(tag: number, of: Owner, container: number, at: number, end: number): Verdict {
    const bytes = this.#bytes;
    for (let offset = at; offset < end;) {
      if (bytes[offset] === tag) {
        offset = this.#attributes.read(offset, end, tag, of, container);
        if (offset === broken) return this.#attributes.why;
      } else {
        const other = tagAt(bytes, offset, end);
        offset = skipField(bytes, offset + varintWidth(other), end, other);
      }
    }
    return verdict.ok;
  }

  #ids(row: number): Verdict {
    const { traceIdAt, spanIdAt, parentSpanIdAt } = this.#spans;
    const traceId = traceIdAt[row]!;
    if (traceId === 0 || (this.#isZero(traceId) && this.#isZero(traceId + 8))) return verdict.traceId;
    const spanId = spanIdAt[row]!;
    if (spanId === 0 || this.#isZero(spanId)) return verdict.spanId;
    const parentSpanId = parentSpanIdAt[row]!;
    // The Collector, too, takes eight zero bytes for "no parent".
    if (parentSpanId !== 0 && this.#isZero(parentSpanId)) parentSpanIdAt[row] = 0;
    return verdict.ok;
  }

  #isZero(at: number): boolean {
    return (this.#view.getInt32(at) | this.#view.getInt32(at + 4)) === 0;
  }

  #fail(why: Verdict): typeof broken {
    this.#why = why;
    return broken;
  }

  /** Steps over the field at `at`: `allowed` or an unknown one. A known number with a wire type it cannot have fails. */
  #skip(at: number, end: number, lastField: number, allowed: number): number {
    const tag = tagAt(this.#bytes, at, end);
    if (tag === broken) return this.#fail(verdict.malformed);
    if (tag !== allowed && tag >>> 3 <= lastField) return this.#fail(verdict.malformed);
    const next = skipField(this.#bytes, at + varintWidth(tag), end, tag);
    return next === broken ? this.#fail(verdict.malformed) : next;
  }

  /** Reads any span field but an attribute, as every SDK writes it, any other in `#oddField`; returns the offset behind it. */
  #spanField(at: number, end: number): number {
    const bytes = this.#bytes;
    const spans = this.#spans;
    const row = this.#row;
    const next = at + 2;
    if (next > end) return this.#oddField(at, end);
    const second = bytes[at + 1]!;
    switch (bytes[at]!) {
      case spanTag.parentSpanId:
        if (second !== 8 || next + 8 > end) break;
        spans.parentSpanIdAt[row] = next;
        return next + 8;
      case spanTag.name:
        if (second > 0x7f || next + second > end) break;
        spans.nameAt[row] = next;
        spans.nameEnd[row] = next + second;
        return this.#text(next, next + second);
      case spanTag.kind:
        if (second > 0x7f) break;
        spans.kindAt[row] = at + 1;
        return next;
      case spanTag.startTime:
        if (at + 9 > end) break;
        spans.startTimeAt[row] = at + 1;
        return at + 9;
      case spanTag.endTime:
        if (at + 9 > end) break;
        spans.endTimeAt[row] = at + 1;
        return at + 9;
      case spanTag.status:
        if (second === 0) return next;
        if (second !== 2 || next + 2 > end || bytes[next] !== statusTag.code || bytes[next + 1]! > 0x7f)
          break;
        spans.statusCodeAt[row] = next + 1;
        return next + 2;
      case spanTag.flags & 0xff:
        // Field 16 is the first whose tag takes two bytes.
        if (second !== spanTag.flags >>> 7 || at + 6 > end) break;
        return at + 6;
      default:
    }
    return this.#oddField(at, end);
  }

  #oddField(at: number, end: number): number {
    const bytes = this.#bytes;
    const tag = tagAt(bytes, at, end);
    if (tag === broken) return this.#fail(verdict.malformed);
    const content = at + varintWidth(tag);
    if ((tag & 7) === 2) return this.#delimited(tag, at, content, end);
    const next = skipField(bytes, content, end, tag);
    if (next === broken) return this.#fail(verdict.malformed);
    switch (tag) {
      case spanTag.startTime:
        this.#spans.startTimeAt[this.#row] = content;
        break;
      case spanTag.endTime:
        this.#spans.endTimeAt[this.#row] = content;
        break;
      case spanTag.kind:
        this.#spans.kindAt[this.#row] = content;
        break;
      case spanTag.droppedAttributes:
      case spanTag.droppedEvents:
      case spanTag.droppedLinks:
      case spanTag.flags:
        break;
      default:
        if (tag >>> 3 <= lastSpanField) return this.#fail(logTags.has(tag) ? verdict.log : verdict.malformed);
    }
    return next;
  }

  #delimited(tag: number, at: number, lengthOffset: number, end: number): number {
    const packed = lengthAt(this.#bytes, lengthOffset, end);
    if (packed === broken) return this.#fail(verdict.malformed);
    const content = lengthOffset + (packed & 7);
    const next = content + (packed >>> 3);
    const spans = this.#spans;
    const row = this.#row;
    switch (tag) {
      case spanTag.traceId:
        return this.#id(spans.traceIdAt, content, next, 16, verdict.traceId);
      case spanTag.spanId:
        return this.#id(spans.spanIdAt, content, next, 8, verdict.spanId);
      case spanTag.parentSpanId:
        return this.#id(spans.parentSpanIdAt, content, next, 8, verdict.parentSpanId);
      case spanTag.name:
        spans.nameAt[row] = content;
        spans.nameEnd[row] = next;
        return this.#text(content, next);
      case spanTag.traceState:
        return this.#text(content, next);
      case spanTag.event:
        return this.#event(at, content, next);
      case spanTag.status:
        return this.#status(at, content, next);
      case spanTag.link: {
        const why =
          checkMessage(this.#bytes, this.#view, content, next, message.link, valueDepth - 2) ||
          this.#markAttributes(linkTag.attribute, owner.event, at, content, next);
        return why ? this.#fail(why) : next;
      }
      default:
        if (tag >>> 3 > lastSpanField) return next;
        return this.#fail(logTags.has(tag) ? verdict.log : verdict.malformed);
    }
  }

  /** An id is its whole length or absent; a later field replaces an earlier one, even by nothing. */
  #id(column: Uint32Array, at: number, end: number, length: number, why: Verdict): number {
    if (at !== end && end - at !== length) return this.#fail(why);
    column[this.#row] = at === end ? 0 : at;
    return end;
  }

  #text(at: number, end: number): number {
    return isText(this.#bytes, this.#view, at, end) ? end : this.#fail(verdict.text);
  }

  #event(container: number, at: number, end: number): number {
    const bytes = this.#bytes;
    let isException = false;
    this.#attributes.exceptionTypeAt = 0;
    this.#attributes.exceptionMessageAt = 0;
    for (let offset = at; offset < end;) {
      const tag = bytes[offset]!;
      if (tag === eventTag.attribute) {
        offset = this.#attributes.read(offset, end, eventTag.attribute, owner.event, container);
        if (offset === broken) return this.#fail(this.#attributes.why);
      } else if (tag === eventTag.name) {
        const packed = lengthAt(bytes, offset + 1, end);
        if (packed === broken) return this.#fail(verdict.malformed);
        const name = offset + 1 + (packed & 7);
        offset = this.#text(name, name + (packed >>> 3));
        isException =
          packed >>> 3 === exceptionName.length && exceptionName.every((byte, k) => bytes[name + k] === byte);
      } else if (tag === eventTag.time) {
        offset = offset + 9 > end ? this.#fail(verdict.malformed) : offset + 9;
      } else offset = this.#skip(offset, end, lastEventField, eventTag.droppedAttributes);
      if (offset === broken) return broken;
    }
    if (isException) {
      this.#spans.exceptionTypeAt[this.#row] = this.#attributes.exceptionTypeAt;
      this.#spans.exceptionMessageAt[this.#row] = this.#attributes.exceptionMessageAt;
    }
    return end;
  }

  #status(container: number, at: number, end: number): number {
    const bytes = this.#bytes;
    for (let offset = at; offset < end;) {
      const tag = bytes[offset]!;
      const content = offset + 1;
      if (tag === statusTag.message) {
        const packed = lengthAt(bytes, content, end);
        if (packed === broken) return this.#fail(verdict.malformed);
        const next = content + (packed & 7) + (packed >>> 3);
        if (this.#text(content + (packed & 7), next) === broken) return broken;
        this.#statusMessage(container, offset, content + (packed & 7), next);
        offset = next;
      } else if (tag >>> 3 === 1) {
        // Reserved since OTLP 0.11: an unknown field.
        offset = skipField(bytes, content, end, tag);
        if (offset === broken) return this.#fail(verdict.malformed);
      } else {
        if (tag === statusTag.code) this.#spans.statusCodeAt[this.#row] = content;
        offset = this.#skip(offset, end, lastStatusField, statusTag.code);
        if (offset === broken) return broken;
      }
    }
    return end;
  }

  #statusMessage(container: number, at: number, content: number, next: number): void {
    this.#spans.statusMessageAt[this.#row] = content;
    this.#spans.statusMessageEnd[this.#row] = next;
    const mark = this.#marks.add(at, next, keyFlag.content, container);
    this.#marks.kind[mark] = markKind.statusMessage;
    this.#marks.key(mark, -1, 0, 0, at, next - content);
  }
}
