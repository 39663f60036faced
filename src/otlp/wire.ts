/**
 * The protobuf wire format as far as OTLP needs it (protobuf.dev/programming-guides/encoding). Functions that
 * step forward return the offset behind what they read, or `broken`; none reads at or behind `end`.
 */
export const broken = -1;

/** The largest request that can be indexed, in bytes: an offset must fit the 26 low bits of a slot. */
export const limitBytes = 2 ** 26 - 1;

/**
 * The varint at `at` as a length, packed as `length * 8 + bytes of the varint`, so that one number says both;
 * `broken` when it is longer than five bytes or what it announces does not end at or before `end`.
 */
export function lengthAt(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return broken;
  const first = bytes[at]!;
  if (first > 0x7f) return longLengthAt(bytes, at, end);
  return first > end - at - 1 ? broken : (first << 3) | 1;
}

function longLengthAt(bytes: Uint8Array, at: number, end: number): number {
  let length = 0;
  for (let width = 1; width <= 5 && at + width <= end; width++) {
    const byte = bytes[at + width - 1]!;
    if (width === 5 && byte > 0) return broken; // 2^28 bytes and more never fit
    length |= (byte & 0x7f) << (7 * (width - 1));
    if (byte < 0x80) return length > end - at - width ? broken : (length << 3) | width;
  }
  return broken;
}

/** Steps over a varint of at most ten bytes and 64 bits. */
export function skipVarint(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + 10);
  for (let offset = at; offset < limit; offset++) {
    const byte = bytes[offset]!;
    if (byte < 0x80) return offset === at + 9 && byte > 1 ? broken : offset + 1;
  }
  return broken;
}

/** The low 32 bits, signed, of the varint at `at`, which was stepped over before and so is whole. */
export function varint32(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let shift = 0, offset = at; shift < 35; shift += 7, offset++) {
    const byte = bytes[offset]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

/** The varint at `at` as a signed 64-bit integer; it was stepped over before and so is whole. */
export function varint64(bytes: Uint8Array, at: number): bigint {
  let value = 0n;
  for (let shift = 0n, offset = at; ; shift += 7n, offset++) {
    const byte = bytes[offset]!;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return BigInt.asIntN(64, value);
  }
}

/** The varint at `at` as a signed 64-bit integer, rounded to a double; it was stepped over before and so is whole. */
export function varintNumber(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let unit = 1, offset = at; unit <= 2 ** 42; unit *= 128, offset++) {
    const byte = bytes[offset]!;
    value += (byte & 0x7f) * unit;
    if (byte < 0x80) return value;
  }
  return Number(varint64(bytes, at)); // seven bytes were not all of it
}

/**
 * The field tag at `at` (number << 3 | wire type); its width is `varintWidth(tag)`. `broken` for field number 0,
 * for more than 32 bits, and for a padded varint, which no encoder writes.
 */
export function tagAt(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return broken;
  const first = bytes[at]!;
  if (first > 0x7f) return longTagAt(bytes, at, end);
  return first < 8 ? broken : first;
}

function longTagAt(bytes: Uint8Array, at: number, end: number): number {
  let tag = 0;
  for (let width = 1, unit = 1; width <= 5 && at + width <= end; width++, unit *= 128) {
    const byte = bytes[at + width - 1]!;
    tag += (byte & 0x7f) * unit;
    if (byte < 0x80) return byte === 0 || tag < 8 || tag > 0xffffffff ? broken : tag;
  }
  return broken;
}

/** Steps over a field's content; groups and wire types that do not exist are `broken`. */
export function skipField(bytes: Uint8Array, at: number, end: number, tag: number): number {
  switch (tag & 7) {
    case 0:
      return skipVarint(bytes, at, end);
    case 1:
      return at + 8 > end ? broken : at + 8;
    case 2: {
      const packed = lengthAt(bytes, at, end);
      return packed === broken ? broken : at + (packed & 7) + (packed >>> 3);
    }
    case 5:
      return at + 4 > end ? broken : at + 4;
    default:
      return broken;
  }
}

/** Bytes that `value`, an unsigned integer below 2^32, takes as a varint. */
export function varintWidth(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** Writes `value`, an unsigned integer below 2^32, as a varint; returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let offset = at;
  while (rest > 0x7f) {
    bytes[offset++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[offset++] = rest;
  return offset;
}
