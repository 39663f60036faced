/**
 * Bytes to read from: the array and a view over exactly the same memory. Everything that is read is one of these, because
 * code that meets two classes, or a Buffer beside a Uint8Array, takes half as long again.
 */
export class Source {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);

  /** Makes this a source of `bytes`, which stay the caller's. */
  open(bytes: Uint8Array): this {
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return this;
  }
}

/** Up to here a loop of 8-byte moves beats a call of `TypedArray.set` (measured: 34 ns against 52 ns for 100 bytes). */
const shortBytes = 160;

/** Behind what was asked for, so that a copy may end with a whole word; what it writes there means nothing. */
export const slackBytes = 8;

/** The two digits of each number below 100, as the little-endian number that writes them in order. */
const digitPairs = Uint16Array.from(
  { length: 100 },
  (_, number) => 0x3030 | ((number / 10) | 0) | ((number % 10) << 8),
);

/** The lower-case hex digits of two bytes, in their little-endian order; arithmetic takes half as long as a table here. */
function hexDigits(two: number): number {
  const apart = (two & 0xff) | ((two & 0xff00) << 8);
  const nibbles = ((apart >>> 4) & 0x000f000f) | ((apart & 0x000f000f) << 8);
  const letters = ((nibbles + 0x06060606) >>> 4) & 0x01010101;
  return nibbles + 0x30303030 + letters * 0x27;
}

/** Writes the digits of a whole number from 0 to 2^31 - 1 at `at`; returns where they end. */
export function writeDigits(view: DataView, at: number, value: number): number {
  let width = 1;
  for (let limit = 10; value >= limit; limit *= 10) width++;
  let rest = value | 0;
  let to = at + width;
  for (; rest > 9; to -= 2) {
    const next = (rest / 100) | 0;
    view.setUint16(to - 2, digitPairs[rest - next * 100]!, true);
    rest = next;
  }
  if (to > at) view.setUint8(to - 1, 48 + rest);
  return at + width;
}

/** A growing run of bytes: the body of one column. Nothing is allocated per value. */
export class Arena {
  bytes: Uint8Array;
  view: DataView;
  /** The memory, whatever is written there; the same object after each growth. */
  readonly source: Source;
  /** Bytes written so far. */
  length = 0;

  constructor(capacityBytes = 1024) {
    this.bytes = new Uint8Array(capacityBytes + slackBytes);
    this.view = new DataView(this.bytes.buffer);
    this.source = new Source().open(this.bytes);
  }

  /** Makes room for `extra` more bytes. */
  reserve(extra: number): void {
    if (this.length + extra + slackBytes > this.bytes.length) this.#grow(extra);
  }

  #grow(extra: number): void {
    const next = new Uint8Array(Math.max(this.bytes.length * 2, this.length + extra + slackBytes));
    next.set(this.bytes.subarray(0, this.length));
    this.bytes = next;
    this.view = new DataView(next.buffer);
    this.source.open(next);
  }

  /** The bytes written; valid until the next `reset`. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** Forgets what was written and keeps the memory. */
  reset(): void {
    this.length = 0;
  }

  u8(value: number): void {
    this.reserve(1);
    this.view.setUint8(this.length++, value);
  }

  u16(value: number): void {
    this.reserve(2);
    this.view.setUint16(this.length, value, true);
    this.length += 2;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** A whole number of at most 2^53 as eight bytes. */
  u64(value: number): void {
    this.reserve(8);
    this.view.setUint32(this.length, value, true);
    this.view.setUint32(this.length + 4, value / 4_294_967_296, true);
    this.length += 8;
  }

  /** The low 64 bits of `value`. */
  bigint(value: bigint): void {
    this.reserve(8);
    this.view.setBigUint64(this.length, BigInt.asUintN(64, value), true);
    this.length += 8;
  }

  /** An unsigned LEB128 number below 2^32. */
  varint(value: number): void {
    this.reserve(5);
    let rest = value;
    while (rest > 127) {
      this.view.setUint8(this.length++, (rest & 127) | 128);
      rest >>>= 7;
    }
    this.view.setUint8(this.length++, rest);
  }

  /** `length` bytes of `source` from `at`. */
  copy(source: Source, at: number, length: number): void {
    this.reserve(length);
    if (length > shortBytes) this.bytes.set(source.bytes.subarray(at, at + length), this.length);
    else if (at + length + slackBytes > source.bytes.length)
      copyLast(source.view, at, this.view, this.length, length);
    else copyWords(source.view, at, this.view, this.length, length);
    this.length += length;
  }

  /** What this arena holds from `at` on, once more. */
  repeat(at: number, length: number): void {
    this.reserve(length);
    if (length > shortBytes) this.bytes.copyWithin(this.length, at, at + length);
    else copyWords(this.view, at, this.view, this.length, length);
    this.length += length;
  }

  /** A ClickHouse String: the length, then the bytes as they are, UTF-8 or not. */
  text(source: Source, at: number, length: number): void {
    this.varint(length);
    this.copy(source, at, length);
  }

  /** A String of `length` bytes of `source` in lower-case hex. */
  hexText(source: Source, at: number, length: number): void {
    this.varint(length * 2);
    this.reserve(length * 2);
    const { view, length: to } = this;
    const from = source.view;
    const odd = length & 1;
    if (odd === 1) view.setUint16(to, hexDigits(from.getUint8(at)), true);
    for (let i = odd; i < length; i += 2)
      view.setInt32(to + 2 * i, hexDigits(from.getUint16(at + i, true)), true);
    this.length = to + length * 2;
  }

  /** The digits of a whole number from 0 to 2^31 - 1, without a length. */
  digits(value: number): void {
    this.reserve(10);
    this.length = writeDigits(this.view, this.length, value);
  }

  /** A whole number from 0 to 2^31 - 1 as a String. */
  digitsText(value: number): void {
    const at = this.length;
    this.u8(0);
    this.digits(value);
    this.view.setUint8(at, this.length - at - 1);
  }

  /** The characters of `ascii`, without a length. */
  ascii(ascii: string): void {
    this.reserve(ascii.length);
    for (let i = 0; i < ascii.length; i++) this.view.setUint8(this.length++, ascii.charCodeAt(i));
  }

  /** A String of ASCII characters, such as a number's digits. */
  asciiText(ascii: string): void {
    this.varint(ascii.length);
    this.ascii(ascii);
  }
}

/**
 * Copies whole words, so that up to seven bytes behind each range are read and overwritten. BigInt64 moves are lowered to
 * plain loads and stores; Float64 moves would not keep every bit pattern.
 */
// oxlint-disable-next-line max-params -- a copy has two ends; an object for them would be made per value
function copyWords(from: DataView, at: number, to: DataView, position: number, length: number): void {
  for (let i = 0; i < length; i += 8) to.setBigInt64(position + i, from.getBigInt64(at + i, true), true);
}

/** Copies without reading beyond the range, which may end where its memory does: the last move overlaps the one before it. */
// oxlint-disable-next-line max-params -- a copy has two ends; an object for them would be made per value
function copyLast(from: DataView, at: number, to: DataView, position: number, length: number): void {
  if (length >= 8) {
    const last = length - 8;
    for (let i = 0; i < last; i += 8) to.setBigInt64(position + i, from.getBigInt64(at + i, true), true);
    to.setBigInt64(position + last, from.getBigInt64(at + last, true), true);
  } else if (length >= 4) {
    const head = from.getInt32(at, true);
    const tail = from.getInt32(at + length - 4, true);
    to.setInt32(position, head, true);
    to.setInt32(position + length - 4, tail, true);
  } else {
    for (let i = 0; i < length; i++) to.setUint8(position + i, from.getUint8(at + i));
  }
}

/** Whether two ranges of `length` bytes hold the same. */
// oxlint-disable-next-line max-params -- a comparison has two ends; an object for them would be made per value
export function sameBytes(a: DataView, at: number, b: DataView, position: number, length: number): boolean {
  if (length >= 8) {
    const last = length - 8;
    for (let i = 0; i < last; i += 8) {
      if (a.getBigInt64(at + i, true) !== b.getBigInt64(position + i, true)) return false;
    }
    return a.getBigInt64(at + last, true) === b.getBigInt64(position + last, true);
  }
  if (length >= 4) {
    const last = length - 4;
    return (
      a.getInt32(at, true) === b.getInt32(position, true) &&
      a.getInt32(at + last, true) === b.getInt32(position + last, true)
    );
  }
  for (let i = 0; i < length; i++) {
    if (a.getUint8(at + i) !== b.getUint8(position + i)) return false;
  }
  return true;
}
