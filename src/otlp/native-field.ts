import { lengthAt, skipField, tagAt, varintWidth } from './wire.ts';

/**
 * The varint at `at` packed like `lengthAt`, when it is a length below 2^14 in its shortest form, which nearly all are;
 * else -1. Only for bytes that an index has checked.
 */
export function shortLengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return (first << 3) | 1;
  const second = bytes[at + 1]!;
  return second < 0x80 && second > 0 ? (((second << 7) | (first & 0x7f)) << 3) | 2 : -1;
}

/** The varint at `at`, when it takes no more than seven bytes and so is exact as a number from 0 to 2^49 - 1; else -1. */
export function shortVarintAt(bytes: Uint8Array, at: number): number {
  let value = bytes[at]! & 0x7f;
  for (let offset = at + 1, unit = 128; bytes[offset - 1]! >= 0x80; offset++, unit *= 128) {
    if (offset === at + 7) return -1;
    value += (bytes[offset]! & 0x7f) * unit;
  }
  return value;
}

/**
 * One field of a message at a time, for walks over bytes that an index has checked. The object is reused, so that a
 * walk makes none; whoever calls something that walks on, takes what it needs first.
 */
export class FieldCursor {
  tag = 0;
  /** The content: behind its length, where it has one. */
  at = 0;
  end = 0;

  /** Reads the field at `at` of a message that ends at `end`; `this.end` is where the next one begins. */
  read(bytes: Uint8Array, at: number, end: number): void {
    const tag = bytes[at]! < 0x80 ? bytes[at]! : tagAt(bytes, at, end);
    const content = at + varintWidth(tag);
    this.tag = tag;
    if ((tag & 7) === 2) {
      const short = shortLengthAt(bytes, content);
      const packed = short < 0 ? lengthAt(bytes, content, end) : short;
      this.at = content + (packed & 7);
      this.end = this.at + (packed >>> 3);
    } else {
      this.at = content;
      this.end = skipField(bytes, content, end, tag);
    }
  }
}
