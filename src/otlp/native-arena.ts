/** Bytes to copy from: the array and a view over exactly the same memory. */
export interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Up to here a loop of 8-byte moves beats a call of `TypedArray.set` (measured: 34 ns against 52 ns for 100 bytes). */
const shortBytes = 160;

/** Two lower-case hex digits of each byte, as the little-endian number that writes them in order. */
const hexPairs = Uint16Array.from({ length: 256 }, (_, byte) => {
  const digits = byte.toString(16).padStart(2, '0');
  return digits.charCodeAt(0) | (digits.charCodeAt(1) << 8);
});

/** A growing run of bytes: the body of one column. Nothing is allocated per value. */
export class Arena implements Source {
  bytes: Uint8Array;
  view: DataView;
  /** Bytes written so far. */
  length = 0;

  constructor(capacityBytes = 1024) {
    this.bytes = new Uint8Array(capacityBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `extra` more bytes. */
  reserve(extra: number): void {
    if (this.length + extra > this.bytes.length) this.#grow(extra);
  }

  #grow(extra: number): void {
    const next = new Uint8Array(Math.max(this.bytes.length * 2, this.length + extra));
    next.set(this.bytes.subarray(0, this.length));
    this.bytes = next;
    this.view = new DataView(next.buffer);
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
    else copyShort(source.view, at, this.view, this.length, length);
    this.length += length;
  }

  /** What this arena holds from `at` on, once more. */
  repeat(at: number, length: number): void {
    this.reserve(length);
    if (length > shortBytes) this.bytes.copyWithin(this.length, at, at + length);
    else copyShort(this.view, at, this.view, this.length, length);
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
    for (let i = 0; i < length; i++)
      view.setUint16(to + 2 * i, hexPairs[source.view.getUint8(at + i)]!, true);
    this.length = to + length * 2;
  }

  /** The digits of a whole number from 0 to 2^31 - 1, without a length. */
  digits(value: number): void {
    let width = 1;
    for (let limit = 10; value >= limit; limit *= 10) width++;
    this.reserve(width);
    let rest = value;
    for (let at = this.length + width - 1; at >= this.length; at--) {
      const next = (rest / 10) | 0;
      this.view.setUint8(at, 48 + rest - next * 10);
      rest = next;
    }
    this.length += width;
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
 * Copies without reading or writing beyond the range: the last move overlaps the one before it. BigInt64 moves
 * are lowered to plain loads and stores; Float64 moves would not keep every bit pattern.
 */
// oxlint-disable-next-line max-params -- a copy has two ends; an object for them would be made per value
function copyShort(from: DataView, at: number, to: DataView, position: number, length: number): void {
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
  for (let i = 0; i < length; i++) {
    if (a.getUint8(at + i) !== b.getUint8(position + i)) return false;
  }
  return true;
}
