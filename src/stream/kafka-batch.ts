import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { crc32c } from '@platformatic/kafka';
import type { Headers, NewRecord } from '../core/stream.ts';
import type { Compression } from './kafka-options.ts';

/** The header that says how many spans a record holds; a record of somebody else has none. */
export const spansHeader = 'plimsoll.spans';

/** Who writes a batch, and which of its batches it is, so that a broker keeps one of two copies. */
export interface BatchOrigin {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** The number of the first record among those of this producer and partition. */
  readonly sequence: number;
}

/** A batch as Kafka stores it (KIP-98): this header, then the records, which are compressed together. */
export const headerBytes = 61;
/** Where what stands in the header of a batch. */
export const place = {
  offset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  checksum: 17,
  attributes: 21,
  lastDelta: 23,
  baseTime: 27,
  maxTime: 35,
  producerId: 43,
  producerEpoch: 51,
  sequence: 53,
  count: 57,
} as const;
/** The length of a batch counts what follows it, and its checksum covers what follows that. */
export const countedFrom: number = place.leaderEpoch;
export const summedFrom: number = place.attributes;
export const magic = 2;
export const compressionCodes = { none: 0, gzip: 1, zstd: 4 } as const;

const keptBytes = 2 ** 24;

/** Writes batches; reuses its memory from one to the next. */
export class BatchEncoder {
  readonly #compression: Compression;
  #arena = Buffer.alloc(0);
  #at = 0;

  constructor(compression: Compression) {
    this.#compression = compression;
  }

  /** The batch of `records`, each with the time `nowMs`, in memory of its own. */
  encode(records: readonly NewRecord[], nowMs: number, origin: BatchOrigin): Buffer {
    const body = compressed(this.#compression, this.#records(records));
    const batch = Buffer.allocUnsafe(headerBytes + body.length);
    batch.writeBigInt64BE(0n, place.offset);
    batch.writeInt32BE(batch.length - countedFrom, place.length);
    batch.writeInt32BE(-1, place.leaderEpoch);
    batch.writeInt8(magic, place.magic);
    batch.writeInt16BE(compressionCodes[this.#compression], place.attributes);
    batch.writeInt32BE(records.length - 1, place.lastDelta);
    batch.writeBigInt64BE(BigInt(nowMs), place.baseTime);
    batch.writeBigInt64BE(BigInt(nowMs), place.maxTime);
    batch.writeBigInt64BE(origin.producerId, place.producerId);
    batch.writeInt16BE(origin.producerEpoch, place.producerEpoch);
    batch.writeInt32BE(origin.sequence, place.sequence);
    batch.writeInt32BE(records.length, place.count);
    batch.set(body, headerBytes);
    batch.writeUInt32BE(crc32c(batch.subarray(summedFrom)), place.checksum);
    return batch;
  }

  #records(records: readonly NewRecord[]): Buffer {
    const heads = records.map(({ spans, headers }) => headersOf(spans, headers));
    let boundBytes = 0;
    records.forEach(({ payload }, at) => (boundBytes += payload.length + (heads[at]?.length ?? 0) + 40));
    if (this.#arena.length < boundBytes) this.#arena = Buffer.allocUnsafeSlow(boundBytes);
    this.#at = 0;
    records.forEach(({ payload }, delta) => {
      const head = heads[delta] ?? Buffer.alloc(0);
      const ownBytes =
        3 + varint(delta).length + varint(payload.length).length + payload.length + head.length;
      this.#varint(ownBytes);
      this.#arena[this.#at++] = 0; // attributes
      this.#varint(0); // after the time of the batch
      this.#varint(delta);
      this.#varint(-1); // no key
      this.#varint(payload.length);
      this.#set(payload);
      this.#set(head);
    });
    const written = this.#arena.subarray(0, this.#at);
    if (this.#arena.length > keptBytes) this.#arena = Buffer.alloc(0);
    return written;
  }

  #set(bytes: Uint8Array): void {
    this.#arena.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #varint(value: number): void {
    this.#at = putVarint(this.#arena, this.#at, value);
  }
}

/** Writes a signed number at `at`, seven bits a byte; where it ends. */
function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}

function varint(value: number): Uint8Array {
  const bytes = new Uint8Array(10);
  return bytes.subarray(0, putVarint(bytes, 0, value));
}

/** The headers of a record as it stores them, its spans among them. */
function headersOf(spans: number, headers: Headers): Buffer {
  const all = [...Object.entries(headers), [spansHeader, String(spans)]].flatMap((pair) =>
    pair.map((text) => Buffer.from(text)),
  );
  return Buffer.concat([varint(all.length / 2), ...all.flatMap((text) => [varint(text.length), text])]);
}

function compressed(compression: Compression, bytes: Buffer): Buffer {
  if (compression === 'none') return bytes;
  if (compression === 'gzip') return gzipSync(bytes, { level: 1 });
  const params = { [constants.ZSTD_c_compressionLevel]: 1 };
  return zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length });
}
