import { Arena, type Source } from './native-arena.ts';
import { FieldCursor, isSmallVarint, shortLengthAt, shortVarintAt } from './native-field.ts';
import { KeyValueParts } from './native-key-value.ts';
import { RecentTexts } from './native-recent-texts.ts';
import { varint64 } from './wire.ts';

/** Field tags of AnyValue. */
const tags = { string: 0x0a, bool: 0x10, int: 0x18, double: 0x21, array: 0x2a, list: 0x32, bytes: 0x3a };
const lastMember = 7;
const noMember = 0;
/** The one field of ArrayValue and of KeyValueList. */
const elementTag = 0x0a;

const [quote, backslash, comma, colon, openBracket, closeBracket] = [0x22, 0x5c, 0x2c, 0x3a, 0x5b, 0x5d];

/** What JSON writes instead of a control character, by its code; Go and JavaScript agree. */
const controlEscapes = Array.from({ length: 32 }, (_, code) =>
  JSON.stringify(String.fromCharCode(code)).slice(1, -1),
);

/** A double as ECMAScript writes it, which is what the Collector copies, except for the minus of -0. */
function doubleText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  return `json: unsupported value: ${Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'}`;
}

/** Appends the varint at `at` as a signed decimal, without a length. */
function integer(out: Arena, { bytes }: Source, at: number): void {
  const value = shortVarintAt(bytes, at);
  if (value < 0) out.ascii(String(varint64(bytes, at)));
  else if (value < 2 ** 31) out.digits(value);
  else out.ascii(String(value));
}

/**
 * Values of attributes as text, the way the Collector's `pcommon.Value.AsString` (v0.153 and later) writes them for
 * its ClickHouse exporter: decimal integers, ECMAScript doubles, base64 bytes, and JSON for arrays and lists with keys
 * in byte order. Values must come from an index, which has checked that they are well-formed and of limited depth.
 */
export class ValueTexts {
  /** The last text that had to be made, without its length. */
  readonly #made = new Arena();
  readonly #recent = new RecentTexts();
  readonly #member = new FieldCursor();
  /** Whether the JSON being made holds no NaN and no infinity. */
  #isJson = true;

  /** Appends the AnyValue in `source` from `at` to `end` to `out` as a ClickHouse String. */
  append(out: Arena, source: Source, at: number, end: number): void {
    // A String is the same on the wire as in the block: its length as a varint, then its bytes.
    if (at < end && source.bytes[at] === tags.string) {
      const packed = shortLengthAt(source.bytes, at + 1);
      if (packed >= 0 && at + 1 + (packed & 7) + (packed >> 3) === end)
        return out.copy(source, at + 1, end - at - 1);
    } else if (at < end && source.bytes[at] === tags.int && isSmallVarint(source.bytes, at + 1, end)) {
      return out.digitsText(shortVarintAt(source.bytes, at + 1));
    }
    if (this.#recent.append(out, source, at, end)) return;
    const text = this.text(source, at, end);
    out.text(text.source, 0, text.length);
    this.#recent.keep(source, at, end, text);
  }

  /** The AnyValue as a text of its own, without a length; valid until the next value. */
  text(source: Source, at: number, end: number): Arena {
    const out = this.#made;
    out.reset();
    const member = this.#member;
    readMember(member, source, at, end);
    if (member.tag === tags.string) out.copy(source, member.at, member.end - member.at);
    else if (member.tag === tags.int) integer(out, source, member.at);
    else if (member.tag === tags.double) out.ascii(doubleText(source.view.getFloat64(member.at, true)));
    else if (member.tag === tags.bytes) base64(out, source, member.at, member.end);
    else if (member.tag !== noMember) {
      this.#isJson = true;
      this.#json(source, at, end);
      if (!this.#isJson) out.reset(); // Go marshals no NaN, and the Collector ignores the error
    }
    return out;
  }

  #json(source: Source, at: number, end: number): void {
    const out = this.#made;
    readMember(this.#member, source, at, end);
    const { tag, at: from, end: to } = this.#member;
    if (tag === tags.string) quoted(out, source, from, to);
    else if (tag === tags.bool) out.ascii(varint64(source.bytes, from) === 0n ? 'false' : 'true');
    else if (tag === tags.int) integer(out, source, from);
    else if (tag === tags.double) this.#double(source.view.getFloat64(from, true));
    else if (tag === tags.array) this.#array(source, from, to);
    else if (tag === tags.list) this.#list(source, from, to);
    else if (tag === noMember) out.ascii('null');
    else {
      out.u8(quote);
      base64(out, source, from, to);
      out.u8(quote);
    }
  }

  #double(value: number): void {
    this.#isJson &&= Number.isFinite(value);
    this.#made.ascii(doubleText(value));
  }

  #array(source: Source, at: number, end: number): void {
    const field = new FieldCursor();
    let count = 0;
    this.#made.u8(openBracket);
    for (let next = at; next < end; next = field.end) {
      field.read(source.bytes, next, end);
      if (field.tag !== elementTag) continue;
      if (count++ > 0) this.#made.u8(comma);
      this.#json(source, field.at, field.end);
    }
    this.#made.u8(closeBracket);
  }

  #list(source: Source, at: number, end: number): void {
    const out = this.#made;
    const entries = entriesOf(source, at, end).toSorted((a, b) => Buffer.compare(a.key, b.key));
    out.ascii('{');
    entries.forEach((entry, i) => {
      if (entries[i - 1]?.key.equals(entry.key)) return; // the first of equal keys stays, as in a row's map
      if (i > 0) out.u8(comma);
      quoted(out, source, entry.keyAt, entry.keyAt + entry.key.length);
      out.u8(colon);
      this.#json(source, entry.valueAt, entry.valueEnd);
    });
    out.ascii('}');
  }
}

/** Moves `member` to what an AnyValue holds: of several members the last, as protobuf says of a oneof. */
function readMember(member: FieldCursor, source: Source, at: number, end: number): void {
  let tag = noMember;
  let from = at;
  let to = at;
  for (let next = at; next < end; next = to) {
    member.read(source.bytes, next, end);
    to = member.end;
    if (member.tag >>> 3 > lastMember) continue;
    if (to === end) return;
    tag = member.tag;
    from = next;
  }
  if (tag !== noMember) member.read(source.bytes, from, end);
  else member.tag = noMember;
}

interface Entry {
  readonly key: Buffer;
  readonly keyAt: number;
  readonly valueAt: number;
  readonly valueEnd: number;
}

/** The KeyValues of a KeyValueList. */
function entriesOf(source: Source, at: number, end: number): Entry[] {
  const { bytes } = source;
  const field = new FieldCursor();
  const parts = new KeyValueParts();
  const entries: Entry[] = [];
  for (let next = at; next < end; next = field.end) {
    field.read(bytes, next, end);
    if (field.tag !== elementTag) continue;
    parts.read(bytes, field.at, field.end);
    const { keyAt, keyLength, valueAt, valueEnd } = parts;
    entries.push({
      key: Buffer.from(bytes.buffer, bytes.byteOffset + keyAt, keyLength),
      keyAt,
      valueAt,
      valueEnd,
    });
  }
  return entries;
}

function base64(out: Arena, { bytes }: Source, at: number, end: number): void {
  out.ascii(Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString('base64'));
}

/** A JSON string. Like Go, it escapes U+2028 and U+2029, which JavaScript once could not read. */
function quoted(out: Arena, source: Source, from: number, to: number): void {
  const { bytes } = source;
  let copied = from;
  out.u8(quote);
  for (let i = from; i < to; i++) {
    const byte = bytes[i] ?? 0;
    if (byte >= 0x20 && byte !== quote && byte !== backslash && byte !== 0xe2) continue;
    const separator =
      byte === 0xe2 && i + 2 < to && bytes[i + 1] === 0x80 && ((bytes[i + 2] ?? 0) & 0xfe) === 0xa8;
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
