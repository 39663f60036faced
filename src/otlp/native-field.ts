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
 * The number in `word`, four bytes of which the first `width` are a varint and nothing else, up to three; else -1.
 */
export function varintOf(word: number, width: number): number {
  if (width === 1 && (word & 0x80) === 0) return word & 0x7f;
  if (width === 2 && (word & 0x8080) === 0x80) return (word & 0x7f) | ((word >>> 1) & 0x3f80);
  if (width === 3 && (word & 0x808080) === 0x8080)
    return (word & 0x7f) | ((word >>> 1) & 0x3f80) | ((word >>> 2) & 0x1fc000);
  return -1;
}

/** Whether [at, end) is one varint below 2^28 and nothing else. */
export function isSmallVarint(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at > 4) return false;
  for (let offset = at; offset < end - 1; offset++) {
    if (bytes[offset]! < 0x80) return false;
  }
  return at < end;
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
