import { anyValue, checkMessage, isText, keyValue, valueDepth } from './message-check.ts';
import { verdict, type Verdict } from './verdict.ts';
import { broken, lengthAt, skipField, skipVarint, tagAt, varintWidth } from './wire.ts';

/** Tags of KeyValue and AnyValue in opentelemetry/proto/common/v1. */
const keyValueTag = { key: 0x0a, value: 0x12 } as const;
export const valueTag = {
  string: 0x0a,
  bool: 0x10,
  int: 0x18,
  double: 0x21,
  array: 0x2a,
  list: 0x32,
  bytes: 0x3a,
} as const;
const lastValueField = 7;

/** Reads one KeyValue at a time and checks its value, all the way down; the key's UTF-8 is left to the caller. */
export class KeyValueScan {
  /** The key of the KeyValue read last; both 0 when it has none. */
  keyAt = 0;
  keyEnd = 0;
  /** The tag of the member its value has; 0 when it has none or an empty one. */
  memberAt = 0;
  /** Why the last `read` returned `broken`. */
  why: Verdict = verdict.ok;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  /** Sets what is read; `view` covers the same bytes. */
  open(bytes: Uint8Array, view: DataView): void {
    this.#bytes = bytes;
    this.#view = view;
  }

  #fail(why: Verdict): typeof broken {
    this.why = why;
    return broken;
  }

  /** Reads the KeyValue whose length stands at `at`: the shape every SDK writes here, any other in `#odd`. */
  read(at: number, limit: number): number {
    const bytes = this.#bytes;
    const packed = at < limit && bytes[at]! < 0x80 ? bytes[at]! * 8 + 1 : lengthAt(bytes, at, limit);
    const start = at + (packed & 7);
    const end = start + (packed >>> 3);
    if (packed === broken || end > limit) return this.#fail(verdict.malformed);
    const keyEnd = start + 2 + bytes[start + 1]!;
    const usual =
      keyEnd + 2 < end && bytes[start] === 0x0a && bytes[start + 1]! < 0x80 && bytes[keyEnd] === 0x12;
    if (!usual) return this.#odd(start, end);
    let member = keyEnd + 2;
    let length = bytes[keyEnd + 1]!;
    if (length > 0x7f) length += (bytes[member++]! - 1) * 0x80;
    if (member + length !== end || bytes[member - 1]! > 0x7f) return this.#odd(start, end);
    this.keyAt = start + 2;
    this.keyEnd = keyEnd;
    return this.#value(member, end) ? end : broken;
  }

  /** Reads the value [at, end): one scalar as every SDK writes it here, any other in `#oddValue`. */
  #value(at: number, end: number): boolean {
    const bytes = this.#bytes;
    const tag = bytes[at]!;
    this.memberAt = at;
    if (tag === valueTag.string && at + 1 < end) {
      let content = at + 2;
      let length = bytes[at + 1]!;
      if (length > 0x7f && content < end) length += (bytes[content++]! - 1) * 0x80;
      if (content + length !== end || bytes[content - 1]! > 0x7f) return this.#oddValue(at, end);
      if (length === 0) this.memberAt = 0;
      return isText(bytes, this.#view, content, end) || this.#fail(verdict.text) !== broken;
    }
    if (tag === valueTag.double) return at + 9 === end || this.#oddValue(at, end);
    if (tag === valueTag.int || tag === valueTag.bool) {
      return skipVarint(bytes, at + 1, end) === end || this.#oddValue(at, end);
    }
    return this.#oddValue(at, end);
  }

  #oddValue(at: number, end: number): boolean {
    const why = checkMessage(this.#bytes, this.#view, at, end, anyValue, valueDepth);
    if (why) this.#fail(why);
    else this.memberAt = lastMember(this.#bytes, at, end, 0);
    return why === verdict.ok;
  }

  #odd(at: number, end: number): number {
    const bytes = this.#bytes;
    const why = checkMessage(bytes, this.#view, at, end, keyValue, valueDepth - 1);
    if (why) return this.#fail(why);
    this.keyAt = 0;
    this.keyEnd = 0;
    this.memberAt = 0;
    for (let offset = at; offset < end;) {
      const tag = tagAt(bytes, offset, end);
      const content = offset + varintWidth(tag);
      offset = skipField(bytes, content, end, tag);
      if (tag === keyValueTag.key) {
        this.keyAt = memberContent(bytes, content - 1, end);
        this.keyEnd = offset;
      } else if (tag === keyValueTag.value) {
        this.memberAt = lastMember(bytes, memberContent(bytes, content - 1, end), offset, this.memberAt);
      }
    }
    return end;
  }
}

/** The offset of a one-byte-tagged field's content: behind tag and, if it has one, length. */
export function memberContent(bytes: Uint8Array, at: number, end: number): number {
  return (bytes[at]! & 7) === 2 ? at + 1 + (lengthAt(bytes, at + 1, end) & 7) : at + 1;
}

/**
 * The member a valid AnyValue ends up with: of several the last counts, and an empty text, list or byte string
 * is no value (0). `previous` is what an earlier part of the same value left.
 */
function lastMember(bytes: Uint8Array, at: number, end: number, previous: number): number {
  let member = previous;
  for (let offset = at; offset < end;) {
    const start = offset;
    const tag = tagAt(bytes, start, end);
    offset = skipField(bytes, start + varintWidth(tag), end, tag);
    if (tag >>> 3 <= lastValueField) member = memberContent(bytes, start, offset) === offset ? 0 : start;
  }
  return member;
}
