import type { Headers, NewRecord, StreamRecord } from '../core/stream.ts';

/**
 * A record in the embedded log. Its key sorts by partition, then offset, and carries the CreateTime so that
 * retention reads keys only. Headers, zeros and footer fill at least `footerBytes` behind the payload, so that a load of
 * a word that overshoots it stays within the value; readers are not promised that (`StreamRecord`).
 *
 *     key    u16 partition | u48 offset | u48 CreateTime in ms                              big endian
 *     value  payload | headers | zeros | u32 spans | u32 payload bytes | u32 headers bytes | u8 version
 *
 * Headers are a count (u16), then for each name and value its length (u16) and its UTF-8 bytes.
 */
export const footerBytes = 64;

const version = 1;
const tailBytes = 13;
const largestU48 = 2 ** 48 - 1;
const largestU16 = 2 ** 16 - 1;

/** The key of a record. Also a place to start reading from, when `timeMs` is 0: it sorts before the record at `offset`. */
export function recordKey(partition: number, offset: number, timeMs = 0): Buffer {
  const key = Buffer.allocUnsafeSlow(14);
  key.writeUInt16BE(partition, 0);
  key.writeUIntBE(offset, 2, 6);
  key.writeUIntBE(Math.min(Math.max(Math.trunc(timeMs), 0), largestU48), 8, 6);
  return key;
}

/** What a key says. */
export function readKey(key: Uint8Array): { readonly offset: number; readonly timeMs: number } {
  const view = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return { offset: view.readUIntBE(2, 6), timeMs: view.readUIntBE(8, 6) };
}

/** Most records have the very same headers. */
const encodedHeaders = new WeakMap<Headers, Uint8Array>();

/** Headers in their stored form. Throws a RangeError naming the header that is longer than 65,535 bytes. */
export function encodeHeaders(headers: Headers): Uint8Array {
  const known = encodedHeaders.get(headers);
  if (known) return known;
  const entries = Object.entries(headers);
  const parts: Buffer[] = [u16(entries.length, 'the number of headers')];
  for (const [name, value] of entries) {
    for (const text of [name, value]) {
      const bytes = Buffer.from(text, 'utf8');
      parts.push(u16(bytes.length, `header ${name.slice(0, 64)}`), bytes);
    }
  }
  const encoded = Buffer.concat(parts);
  encodedHeaders.set(headers, encoded);
  return encoded;
}

function u16(value: number, what: string): Buffer {
  if (value > largestU16) throw new RangeError(`${what} is ${value} and may be ${largestU16} at most`);
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

/** How many bytes the value of a record takes. */
export function valueBytes(payloadBytes: number, headersBytes: number): number {
  return payloadBytes + Math.max(footerBytes, headersBytes + tailBytes);
}

/** Writes the value of `record` over the whole of `target`, which has `valueBytes` bytes. */
export function writeValue(target: Buffer, record: NewRecord, headers: Uint8Array): void {
  const payloadBytes = record.payload.byteLength;
  target.set(record.payload, 0);
  target.set(headers, payloadBytes);
  const tail = target.byteLength - tailBytes;
  target.fill(0, payloadBytes + headers.byteLength, tail);
  target.writeUInt32BE(record.spans, tail);
  target.writeUInt32BE(payloadBytes, tail + 4);
  target.writeUInt32BE(headers.byteLength, tail + 8);
  target.writeUInt8(version, tail + 12);
}

/**
 * The record under `key`. Its payload is a view of `value`.
 * Throws an Error that says what is wrong with the bytes; they were not written by this codec.
 */
export function readRecord(key: Uint8Array, value: Uint8Array): StreamRecord {
  const { offset, timeMs } = readKey(key);
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const tail = bytes.byteLength - tailBytes;
  if (tail < 0)
    throw new Error(`the record at offset ${offset} is cut short: it has ${bytes.byteLength} bytes`);
  const found = bytes.readUInt8(tail + 12);
  if (found !== version)
    throw new Error(`the record at offset ${offset} has format ${found}, and this version reads ${version}`);
  const payloadBytes = bytes.readUInt32BE(tail + 4);
  const headersBytes = bytes.readUInt32BE(tail + 8);
  if (valueBytes(payloadBytes, headersBytes) !== bytes.byteLength) {
    throw new Error(
      `the record at offset ${offset} is damaged: its lengths do not add up to ${bytes.byteLength} bytes`,
    );
  }
  return {
    offset,
    timeMs,
    spans: bytes.readUInt32BE(tail),
    headers: decodeHeaders(bytes.subarray(payloadBytes, payloadBytes + headersBytes)),
    payload: bytes.subarray(0, payloadBytes),
  };
}

function decodeHeaders(bytes: Buffer): Headers {
  const entries: [string, string][] = [];
  let at = 2;
  const text = (): string => {
    const start = at + 2;
    at = start + bytes.readUInt16BE(at);
    return bytes.toString('utf8', start, at);
  };
  for (let left = bytes.readUInt16BE(0); left > 0; left--) {
    const name = text();
    entries.push([name, text()]);
  }
  return Object.fromEntries(entries); // a header may be called __proto__
}
