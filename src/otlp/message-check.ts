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

/** What a field holds besides its wire type: UTF-8, an id of so many bytes (or none), a message, or nothing to check. */
interface FieldRule {
  readonly wireType: number;
  readonly text?: true;
  readonly idBytes?: number;
  readonly message?: () => MessageRule;
}

/** The fields of a message by number; a number without a rule is an unknown field, which may hold anything. */
type MessageRule = readonly (FieldRule | undefined)[];

const varint: FieldRule = { wireType: 0 };
const text: FieldRule = { wireType: 2, text: true };
const list = (message: () => MessageRule): FieldRule => ({ wireType: 2, message });

/** AnyValue of opentelemetry/proto/common/v1. */
export const anyValue: MessageRule = [
  undefined,
  text,
  varint,
  varint,
  { wireType: 1 },
  list(() => arrayValue),
  list(() => keyValueList),
  { wireType: 2 },
];
const arrayValue: MessageRule = [undefined, list(() => anyValue)];
const keyValueList: MessageRule = [undefined, list(() => keyValue)];

/** KeyValue of opentelemetry/proto/common/v1. */
export const keyValue: MessageRule = [undefined, text, list(() => anyValue)];

/** InstrumentationScope of opentelemetry/proto/common/v1. */
export const instrumentationScope: MessageRule = [undefined, text, text, list(() => keyValue), varint];

/** Span.Link of opentelemetry/proto/trace/v1. */
export const link: MessageRule = [
  undefined,
  { wireType: 2, idBytes: 16 },
  { wireType: 2, idBytes: 8 },
  text,
  list(() => keyValue),
  varint,
  { wireType: 5 },
];

/**
 * Whether [at, end) is a message of `rule`, all the way down, so that every decoder downstream can read it: also
 * one that is stricter than ours about UTF-8, nesting, ids in links and wire types. `depth` messages enclose it.
 */
export function checkMessage(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  rule: MessageRule,
  depth: number,
): Verdict {
  if (depth > limitDepth) return verdict.depth;
  let offset = at;
  while (offset < end) {
    const tag = tagAt(bytes, offset, end);
    if (tag === broken) return verdict.malformed;
    offset += varintWidth(tag);
    const next = skipField(bytes, offset, end, tag);
    if (next === broken) return verdict.malformed;
    const field = rule[tag >>> 3];
    if (field) {
      if ((tag & 7) !== field.wireType) return verdict.malformed;
      const found = field.wireType === 2 ? checkContent(bytes, view, offset, next, field, depth) : verdict.ok;
      if (found) return found;
    }
    offset = next;
  }
  return verdict.ok;
}

function checkContent(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  field: FieldRule,
  depth: number,
): Verdict {
  const start = at + (lengthAt(bytes, at, end) & 7);
  if (field.text) return isText(bytes, view, start, end) ? verdict.ok : verdict.text;
  if (field.idBytes) return start === end || end - start === field.idBytes ? verdict.ok : verdict.malformed;
  return field.message ? checkMessage(bytes, view, start, end, field.message(), depth + 1) : verdict.ok;
}

/**
 * Whether [at, end) is UTF-8. `view` covers the same bytes. ASCII is usual and is seen four bytes at a time; up to 32
 * bytes without a loop, because a loop's end is what a processor guesses wrong.
 */
export function isText(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
  const length = end - at;
  let high: number;
  if (length >= 16) high = highBits(view, at) | highBits(view, end - 16) | (length > 32 ? highBitsAll(view, at, end) : 0);
  else if (length >= 8) high = highBitsHalf(view, at) | highBitsHalf(view, end - 8);
  else if (length >= 4) high = view.getInt32(at, true) | view.getInt32(end - 4, true);
  else {
    high = 0;
    for (let offset = at; offset < end; offset++) high |= bytes[offset]!;
  }
  return (high & 0x80808080) === 0 || isUtf8(bytes.subarray(at, end));
}

function highBitsHalf(view: DataView, at: number): number {
  return view.getInt32(at, true) | view.getInt32(at + 4, true);
}

function highBits(view: DataView, at: number): number {
  return highBitsHalf(view, at) | highBitsHalf(view, at + 8);
}

function highBitsAll(view: DataView, at: number, end: number): number {
  let high = 0;
  for (let offset = at + 16; offset < end - 16; offset += 16) high |= highBits(view, offset);
  return high;
}
