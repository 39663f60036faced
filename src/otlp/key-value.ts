import { checkMessage, message, valueDepth } from './message-check.ts';
import { verdict, type Verdict } from './verdict.ts';
import { lengthAt, skipField, tagAt, varintWidth } from './wire.ts';

/** Tags of KeyValue in opentelemetry/proto/common/v1. */
export const keyValueTag = { key: 0x0a, value: 0x12 } as const;

/** Tags of AnyValue's members, of which a value has one. */
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

/** What a KeyValue says. */
export interface KeyValueParts {
  /** Both 0 when there is no key. */
  keyAt: number;
  keyEnd: number;
  /** The tag of the value's member; 0 when there is none or it is empty. */
  memberAt: number;
}

/**
 * Reads the KeyValue [at, end) into `parts`, whatever its shape: nested values, fields in any order, repeated or
 * unknown. Checks all of it, down to the last nested text.
 */
export function readKeyValue(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  parts: KeyValueParts,
): Verdict {
  const why = checkMessage(bytes, view, at, end, message.keyValue, valueDepth - 1);
  if (why) return why;
  parts.keyAt = 0;
  parts.keyEnd = 0;
  parts.memberAt = 0;
  for (let offset = at; offset < end;) {
    const tag = tagAt(bytes, offset, end);
    const content = offset + varintWidth(tag);
    offset = skipField(bytes, content, end, tag);
    if (tag === keyValueTag.key) {
      parts.keyAt = memberContent(bytes, content - 1, end);
      parts.keyEnd = offset;
    } else if (tag === keyValueTag.value) {
      parts.memberAt = lastMember(bytes, memberContent(bytes, content - 1, end), offset, parts.memberAt);
    }
  }
  return verdict.ok;
}

/** Where the content of the field at `at`, whose tag is one byte, begins: behind the tag and, if it has one, the length. */
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
