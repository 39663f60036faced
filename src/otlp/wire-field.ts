import { broken, lengthAt, skipField, tagAt, varintWidth } from './wire.ts';

/** One field of a message: where it, its content and the next field begin. */
export interface WireField {
  tag: number;
  at: number;
  content: number;
  next: number;
}

/**
 * Moves `field` to the field of the message [at, end) that begins at `field.next`; false at the end, and with a tag
 * that is `broken` where the message is. Content is without its length.
 */
export function nextField(bytes: Uint8Array, field: WireField, end: number): boolean {
  const at = field.next;
  if (at >= end) return false;
  const tag = tagAt(bytes, at, end);
  field.tag = tag;
  field.at = at;
  if (tag === broken) return false;
  const content = at + varintWidth(tag);
  const next = skipField(bytes, content, end, tag);
  if (next === broken) {
    field.tag = broken;
    return false;
  }
  field.content = (tag & 7) === 2 ? content + (lengthAt(bytes, content, end) & 7) : content;
  field.next = next;
  return true;
}

/** A field before the first one of a message that begins at `at`. */
export function fieldBefore(at: number): WireField {
  return { tag: 0, at, content: at, next: at };
}
