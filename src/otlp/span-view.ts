import { memberContent, valueTag as valueTags } from './key-value.ts';
import { emptySlot as noSlot, slotOffset as slotOffsetBits } from './span-columns.ts';
import type { SpanIndex } from './span-index.ts';
import { TextCache } from './text-cache.ts';
import { lengthAt, skipField, varint32, varint64, varintNumber } from './wire.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const valueTag = valueTags;
const emptySlot = noSlot;
const slotOffset = slotOffsetBits;

/** Where the field at `at`, whose tag is one byte, ends. */
function memberEnd(bytes: Uint8Array, at: number): number {
  return skipField(bytes, at + 1, bytes.length, bytes[at]!);
}

/** Tag of ArrayValue's elements. */
const elementTag = 0x0a;

/**
 * A cursor over the spans of an index. Values are read from the wire bytes when asked for; nothing is kept, so
 * the view follows the index when that reads another request.
 */
export class SpanView {
  readonly #index: SpanIndex;
  readonly #texts = new TextCache();
  #row = 0;

  constructor(index: SpanIndex) {
    this.#index = index;
  }

  /** What the view is a cursor over. */
  get index(): SpanIndex {
    return this.#index;
  }

  /** Moves to span `row` of the index. */
  at(row: number): this {
    this.#row = row;
    return this;
  }

  /** The span's row in the index. */
  get row(): number {
    return this.#row;
  }

  /** Ordinal of the span's resource among those in the batch that have spans. */
  get resource(): number {
    return this.#index.spans.resource[this.#row]!;
  }

  /** Ordinal of the span's scope, likewise. */
  get scope(): number {
    return this.#index.spans.scope[this.#row]!;
  }

  /** 32 lower-case hex digits. */
  traceIdHex(): string {
    const at = this.#index.spans.traceIdAt[this.#row]!;
    return this.#index.bytes.toString('hex', at, at + 16);
  }

  /** 16 lower-case hex digits. */
  spanIdHex(): string {
    const at = this.#index.spans.spanIdAt[this.#row]!;
    return this.#index.bytes.toString('hex', at, at + 8);
  }

  /** 16 lower-case hex digits; '' for a root span. */
  parentSpanIdHex(): string {
    const at = this.#index.spans.parentSpanIdAt[this.#row]!;
    return at === 0 ? '' : this.#index.bytes.toString('hex', at, at + 8);
  }

  name(): string {
    const { nameAt, nameEnd } = this.#index.spans;
    return this.#text(nameAt[this.#row]!, nameEnd[this.#row]!);
  }

  /** '' when there is none. */
  statusMessage(): string {
    const { statusMessageAt, statusMessageEnd } = this.#index.spans;
    return this.#text(statusMessageAt[this.#row]!, statusMessageEnd[this.#row]!);
  }

  /** SpanKind: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  get kind(): number {
    const at = this.#index.spans.kindAt[this.#row]!;
    return at === 0 ? 0 : varint32(this.#index.bytes, at);
  }

  /** StatusCode: 0 unset, 1 ok, 2 error. */
  get statusCode(): number {
    const at = this.#index.spans.statusCodeAt[this.#row]!;
    return at === 0 ? 0 : varint32(this.#index.bytes, at);
  }

  startUnixNano(): bigint {
    return this.#nanos(this.#index.spans.startTimeAt[this.#row]!);
  }

  endUnixNano(): bigint {
    return this.#nanos(this.#index.spans.endTimeAt[this.#row]!);
  }

  /** Milliseconds since the epoch, with a fraction; exact to a quarter of a microsecond. */
  get startMs(): number {
    return this.#milliseconds(this.#index.spans.startTimeAt[this.#row]!);
  }

  /** Milliseconds since the epoch, with a fraction; exact to a quarter of a microsecond. */
  get endMs(): number {
    return this.#milliseconds(this.#index.spans.endTimeAt[this.#row]!);
  }

  /** Whether any source of `field` is there and not empty, on the span or its resource. */
  has(field: number): boolean {
    return this.#slot(field) !== emptySlot;
  }

  /**
   * The winning source's rank among the sources of `field`, from 0, as they are listed in the key table; -1 when
   * nobody says.
   */
  source(field: number): number {
    const slot = this.#slot(field);
    return slot === emptySlot ? -1 : slot >>> 26;
  }

  /** The value as text: a text as it is, a number or boolean in decimal, the first text of a list; else undefined. */
  string(field: number): string | undefined {
    const slot = this.#slot(field);
    return slot === emptySlot ? undefined : this.stringAt(slot & slotOffset);
  }

  /** The value as a number: an integer, a double or a text of one. Undefined when negative, infinite or no number. */
  number(field: number): number | undefined {
    const slot = this.#slot(field);
    return slot === emptySlot ? undefined : this.numberAt(slot & slotOffset);
  }

  /** The value as a boolean: a boolean, or one of the texts `true` and `false` in any case. */
  bool(field: number): boolean | undefined {
    const slot = this.#slot(field);
    if (slot === emptySlot) return undefined;
    const at = slot & slotOffset;
    const { bytes } = this.#index;
    if (bytes[at] === valueTag.bool) return varint64(bytes, at + 1) !== 0n;
    if (bytes[at] !== valueTag.string) return undefined;
    const text = this.stringAt(at)?.toLowerCase();
    return text === 'true' ? true : text === 'false' ? false : undefined;
  }

  /** 32 bits that are equal for equal values of `field` from the same source; 0 when there is none. */
  print(field: number): number {
    const slot = this.#slot(field);
    if (slot === emptySlot) return 0;
    const { bytes } = this.#index;
    const at = slot & slotOffset;
    const end = memberEnd(bytes, at);
    let print = slot >>> 26;
    for (let k = at; k < end; k++) print = Math.imul(print ^ bytes[k]!, 0x01000193);
    return print || 1;
  }

  /** `exception.type` of the last span event named `exception`. */
  exceptionType(): string | undefined {
    const at = this.#index.spans.exceptionTypeAt[this.#row]!;
    return at === 0 ? undefined : this.stringAt(at);
  }

  /** `exception.message` of the last span event named `exception`; content, so usually gone from a record. */
  exceptionMessage(): string | undefined {
    const at = this.#index.spans.exceptionMessageAt[this.#row]!;
    return at === 0 ? undefined : this.stringAt(at);
  }

  /** The better of the span's slot and its resource's: the one whose source comes first. */
  #slot(field: number): number {
    const { spans, resourceSlots } = this.#index;
    const { fieldCount, slots } = spans;
    const own = slots[this.#row * fieldCount + field]!;
    const shared = resourceSlots[spans.resource[this.#row]! * fieldCount + field]!;
    return own < shared ? own : shared;
  }

  #text(at: number, end: number): string {
    return at === end ? '' : this.#texts.read(this.#index.bytes, this.#index.view, at, end);
  }

  /** The value member at `at` as `string` gives it. It was checked when it was indexed, so what is read here is whole. */
  stringAt(at: number): string | undefined {
    const { bytes } = this.#index;
    switch (bytes[at]!) {
      case valueTag.string: {
        const packed = lengthAt(bytes, at + 1, bytes.length);
        const content = at + 1 + (packed & 7);
        return this.#text(content, content + (packed >>> 3));
      }
      case valueTag.int:
        return String(varint64(bytes, at + 1));
      case valueTag.bool:
        return varint64(bytes, at + 1) === 0n ? 'false' : 'true';
      case valueTag.double:
        return String(this.#index.view.getFloat64(at + 1, true));
      case valueTag.array:
        return this.#firstText(at);
      default:
        return undefined;
    }
  }

  /** The first element of the list at `at`, when it is a text that is not empty. */
  #firstText(at: number): string | undefined {
    const { bytes } = this.#index;
    const element = memberContent(bytes, at, bytes.length);
    if (bytes[element] !== elementTag) return undefined;
    const packed = lengthAt(bytes, element + 1, bytes.length);
    const member = element + 1 + (packed & 7);
    const isText = packed >>> 3 > 2 && bytes[member] === valueTag.string;
    return isText ? this.stringAt(member) : undefined;
  }

  /** The value member at `at` as `number` gives it. */
  numberAt(at: number): number | undefined {
    const value = this.signedAt(at);
    return value >= 0 && value < Infinity ? value : undefined;
  }

  /** The value member at `at` as a number of either sign; NaN when it is none. */
  signedAt(at: number): number {
    const { bytes, view } = this.#index;
    switch (bytes[at]!) {
      case valueTag.int:
        return varintNumber(bytes, at + 1);
      case valueTag.double:
        return view.getFloat64(at + 1, true);
      case valueTag.string: {
        const text = this.stringAt(at)!.trim();
        return text === '' ? NaN : Number(text);
      }
      default:
        return NaN;
    }
  }

  #nanos(at: number): bigint {
    return at === 0 ? 0n : this.#index.view.getBigUint64(at, true);
  }

  #milliseconds(at: number): number {
    if (at === 0) return 0;
    const { view } = this.#index;
    return (view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)) / 1e6;
  }
}
