import { isUtf8 } from 'node:buffer';
import { verdict, type Verdict } from './verdict.ts';
import { broken, lengthAt, skipField, tagAt, varintWidth } from './wire.ts';

/**
 * Messages may be nested this deep. Decoders of other languages stop at 100 in all, and one span they cannot read
 * would make its whole record unreadable for them.
 */
const limitDepth = 90;

/** Messages around an attribute's value: request, resource spans, scope spans, span, event, attribute, value. */
export const valueDepth = 7;

/** The messages that can be checked field by field, of opentelemetry/proto/common/v1 and, for links, trace/v1. */
export const message = {
  anyValue: 0,
  arrayValue: 1,
  keyValueList: 2,
  keyValue: 3,
  scope: 4,
  link: 5,
} as const;

/** What a field holds: the wire type in the low three bits, then what its content is, then which message. */
const text = 2 | (1 << 3);
const traceId = 2 | (2 << 3);
const spanId = 2 | (3 << 3);
const child = (of: number): number => 2 | (4 << 3) | (of << 6);
const [varint, fixed64, bytesField, fixed32] = [0, 1, 2, 5];
const unknownField = 0xff;

/** Fields from number 1 on, by message; any other is unknown, and may hold anything. */
const fields: readonly (readonly number[])[] = [
  [text, varint, varint, fixed64, child(message.arrayValue), child(message.keyValueList), bytesField],
  [child(message.anyValue)],
  [child(message.keyValue)],
  [text, child(message.anyValue)],
  [text, text, child(message.keyValue), varint],
  [traceId, spanId, text, child(message.keyValue), varint, fixed32],
];
const slotsAMessage = 8;
const fieldTable = new Uint16Array(fields.length * slotsAMessage).fill(unknownField);
fields.forEach((list, of) => fieldTable.set(list, of * slotsAMessage + 1));

/**
 * Whether [at, end) is a message of kind `of` (one of `message`), all the way down, so that every decoder downstream can read it: also
 * one that is stricter than ours about UTF-8, nesting, ids in links and wire types. `depth` messages enclose it.
 */
export function checkMessage(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  of: number,
  depth: number,
): Verdict {
  if (depth > limitDepth) return verdict.depth;
  let offset = at;
  while (offset < end) {
    const tag = tagAt(bytes, offset, end);
    if (tag === broken) return verdict.malformed;
    offset += varintWidth(tag);
    const field = tag < slotsAMessage << 3 ? fieldTable[of * slotsAMessage + (tag >>> 3)]! : unknownField;
    if (field !== unknownField && (field & 7) !== (tag & 7)) return verdict.malformed;
    if ((tag & 7) === 2) {
      const packed = lengthAt(bytes, offset, end);
      if (packed === broken) return verdict.malformed;
      const content = offset + (packed & 7);
      offset = content + (packed >>> 3);
      const why =
        field === unknownField ? verdict.ok : checkContent(bytes, view, content, offset, field, depth);
      if (why) return why;
    } else {
      offset = skipField(bytes, offset, end, tag);
      if (offset === broken) return verdict.malformed;
    }
  }
  return verdict.ok;
}

function checkContent(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  field: number,
  depth: number,
): Verdict {
  switch (field & 0x3f) {
    case text:
      return isText(bytes, view, at, end) ? verdict.ok : verdict.text;
    case traceId:
      return at === end || end - at === 16 ? verdict.ok : verdict.malformed;
    case spanId:
      return at === end || end - at === 8 ? verdict.ok : verdict.malformed;
    case bytesField:
      return verdict.ok;
    default:
      return checkMessage(bytes, view, at, end, field >>> 6, depth + 1);
  }
}

/** Whether [at, end) is UTF-8. `view` covers the same bytes. ASCII is usual, and seen four bytes at a time. */
export function isText(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
  const last = end - 4;
  if (last < at) return isShortText(bytes, at, end);
  let high = view.getInt32(last, true);
  for (let offset = at; offset < last; offset += 4) high |= view.getInt32(offset, true);
  return (high & 0x80808080) === 0 || isUtf8(bytes.subarray(at, end));
}

function isShortText(bytes: Uint8Array, at: number, end: number): boolean {
  let high = 0;
  for (let offset = at; offset < end; offset++) high |= bytes[offset]!;
  return high < 0x80 || isUtf8(bytes.subarray(at, end));
}
