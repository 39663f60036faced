import { Arena, sameBytes, type Source } from './native-arena.ts';
import { lengthAt, skipField, tagAt, varint64, varintWidth } from './wire.ts';

/** Field tags of AnyValue, and of the one field that an array and a list have. */
const tags = { string: 0x0a, bool: 0x10, int: 0x18, double: 0x21, array: 0x2a, list: 0x32, bytes: 0x3a, element: 0x0a };
const keyTag = 0x0a;
const valueTag = 0x12;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];

/** What JSON writes instead of a control character, by its code; Go and JavaScript agree. */
const controlEscapes = Array.from({ length: 32 }, (_, code) => JSON.stringify(String.fromCharCode(code)).slice(1, -1));

/** A double as ECMAScript writes it, which is what the Collector copies, except for the minus of -0. */
export function doubleText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  return `json: unsupported value: ${Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'}`;
}

/** Appends the digits of the varint at `at` as a signed decimal. */
function integer(out: Arena, source: Source, at: number): void {
  const byte = source.view.getUint8(at);
  out.ascii(String(byte < 0x80 ? byte : varint64(source.bytes, at)));
}

/**
 * Values of attributes as text, the way the Collector's `pcommon.Value.AsString` (v0.153 and later) writes them for
 * its ClickHouse exporter: decimal integers, ECMAScript doubles, base64 bytes, and JSON for arrays and lists with keys
 * in byte order. Bytes that are not UTF-8 stay as they are. Values must come from an index: they are known to be
 * well-formed and of limited depth.
 */
export class ValueTexts {
  /** The last text that had to be made, without its length. */
  readonly #made = new Arena();
  #finite = true;

  /** Appends the AnyValue in `source` from `at` to `end` to `out` as a ClickHouse String. */
  append(out: Arena, source: Source, at: number, end: number): void {
    if (at < end && source.bytes[at] === tags.string) {
      const packed = lengthAt(source.bytes, at + 1, end);
      // A String is the same on the wire as in the block: its length as a varint, then its bytes.
      if (at + 1 + (packed & 7) + (packed >>> 3) === end) return out.copy(source, at + 1, end - at - 1);
    }
    this.#make(source, at, end);
    out.text(this.#made, 0, this.#made.length);
  }

  /** The AnyValue as a text of its own, for a reader that wants neither length nor column; valid until the next value. */
  text(source: Source, at: number, end: number): Arena {
    this.#make(source, at, end);
    return this.#made;
  }

  #make(source: Source, at: number, end: number): void {
    const out = this.#made;
    out.reset();
    const content = contentAt(source, at, end);
    if (content === undefined) return;
    const { tag, from, to } = content;
    if (tag === tags.string) out.copy(source, from, to - from);
    else if (tag === tags.double) out.ascii(doubleText(source.view.getFloat64(from, true)));
    else if (tag === tags.bytes) base64(out, source, from, to);
    else {
      this.#finite = true;
      this.#json(source, at, end);
      if (!this.#finite) out.reset(); // Go marshals no NaN, and the Collector ignores the error
    }
  }

  #json(source: Source, at: number, end: number): void {
    const out = this.#made;
    const content = contentAt(source, at, end);
    if (content === undefined) return out.ascii('null');
    const { tag, from, to } = content;
    if (tag === tags.string) quoted(out, source, from, to);
    else if (tag === tags.bool) out.ascii(source.bytes[from] === 0 ? 'false' : 'true');
    else if (tag === tags.int) integer(out, source, from);
    else if (tag === tags.double) this.#double(source.view.getFloat64(from, true));
    else if (tag === tags.array) this.#array(source, from, to);
    else if (tag === tags.list) this.#list(source, from, to);
    else {
      out.u8(quote);
      base64(out, source, from, to);
      out.u8(quote);
    }
  }

  #double(value: number): void {
    this.#finite &&= Number.isFinite(value);
    this.#made.ascii(doubleText(value));
  }

  #array(source: Source, at: number, end: number): void {
    let count = 0;
    this.#made.ascii('[');
    for (const part of partsOf(source, at, end)) {
      if (part.tag !== tags.element) continue;
      if (count++ > 0) this.#made.u8(comma);
      this.#json(source, part.from, part.to);
    }
    this.#made.ascii(']');
  }

  #list(source: Source, at: number, end: number): void {
    const out = this.#made;
    const entries = entriesOf(source, at, end).toSorted((a, b) => Buffer.compare(a.key, b.key));
    out.ascii('{');
    entries.forEach((entry, i) => {
      const previous = entries[i - 1];
      if (previous?.key.equals(entry.key)) return; // the first of equal keys stays, as in a row's map
      if (i > 0) out.u8(comma);
      quoted(out, source, entry.keyFrom, entry.keyFrom + entry.key.length);
      out.u8(colon);
      this.#json(source, entry.from, entry.to);
    });
    out.ascii('}');
  }
}

interface Part {
  readonly tag: number;
  /** Where the content is: behind the length of what has one. */
  readonly from: number;
  readonly to: number;
}

/** The fields of a message, in order. */
function* partsOf(source: Source, at: number, end: number): Generator<Part> {
  for (let next = at; next < end; ) {
    const tag = tagAt(source.bytes, next, end);
    next += varintWidth(tag);
    const from = (tag & 7) === 2 ? next + (lengthAt(source.bytes, next, end) & 7) : next;
    next = skipField(source.bytes, next, end, tag);
    yield { tag, from, to: next };
  }
}

const values: ReadonlySet<number> = new Set(Object.values(tags));

/** What an AnyValue holds: of several values the last, as protobuf says of a oneof; undefined when it is empty. */
function contentAt(source: Source, at: number, end: number): Part | undefined {
  let content: Part | undefined;
  for (const part of partsOf(source, at, end)) {
    if (values.has(part.tag)) content = part;
  }
  return content;
}

function entriesOf(
  source: Source,
  at: number,
  end: number,
): { readonly key: Buffer; readonly keyFrom: number; readonly from: number; readonly to: number }[] {
  const entries = [];
  for (const list of partsOf(source, at, end)) {
    if (list.tag !== tags.element) continue;
    let [keyFrom, keyTo, from, to] = [list.from, list.from, list.from, list.from];
    for (const part of partsOf(source, list.from, list.to)) {
      if (part.tag === keyTag) [keyFrom, keyTo] = [part.from, part.to];
      if (part.tag === valueTag) [from, to] = [part.from, part.to];
    }
    const bytes = source.bytes;
    entries.push({ key: Buffer.from(bytes.buffer, bytes.byteOffset + keyFrom, keyTo - keyFrom), keyFrom, from, to });
  }
  return entries;
}

function base64(out: Arena, source: Source, from: number, to: number): void {
  out.ascii(Buffer.from(source.bytes.buffer, source.bytes.byteOffset + from, to - from).toString('base64'));
}

/** A JSON string. Like Go, it escapes U+2028 and U+2029, which JavaScript once could not read. */
function quoted(out: Arena, source: Source, from: number, to: number): void {
  const { bytes } = source;
  let copied = from;
  out.u8(quote);
  for (let i = from; i < to; i++) {
    const byte = bytes[i] ?? 0;
    if (byte >= 0x20 && byte !== quote && byte !== backslash && byte !== 0xe2) continue;
    const separator = byte === 0xe2 && i + 2 < to && bytes[i + 1] === 0x80 && ((bytes[i + 2] ?? 0) & 0xfe) === 0xa8;
    if (byte === 0xe2 && !separator) continue;
    out.copy(source, copied, i - copied);
    if (separator) out.ascii(bytes[i + 2] === 0xa8 ? '\\u2028' : '\\u2029');
    else out.ascii(byte < 0x20 ? (controlEscapes[byte] ?? '') : byte === quote ? '\\"' : '\\\\');
    copied = separator ? i + 3 : i + 1;
    if (separator) i += 2;
  }
  out.copy(source, copied, to - copied);
  out.u8(quote);
}
