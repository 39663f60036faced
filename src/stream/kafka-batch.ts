import { crc32c } from '@platformatic/kafka';
import type { Headers, NewRecord, StreamRecord } from '../core/stream.ts';
import type { Compression } from './kafka-options.ts';
import { packed, packingCode, unpacked } from './kafka-packing.ts';

/** The header that says how many spans a record holds; a record of somebody else has none. */
export const spansHeader = 'plimsoll.spans';

/** Who writes a batch, and which of its batches it is, so that a broker keeps one of two copies. */
export interface BatchOrigin {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** The number of the first record among those of this producer and partition. */
  readonly sequence: number;
}

// A batch as Kafka stores it (KIP-98): this header, then the records, which are compressed together.
const headerBytes = 61;
const lengthAt = 8;
const countedFrom = 12; // its length counts what follows
const magicAt = 16;
const crcAt = 17;
const summedFrom = 21; // its checksum covers what follows
const baseTimeAt = 27;
const maxTimeAt = 35;
const countAt = 57;

const compressionMask = 7;
const appendTimeFlag = 8;
const controlFlag = 32;

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
    const body = packed(this.#compression, this.#records(records));
    const batch = Buffer.allocUnsafe(headerBytes + body.length);
    batch.writeBigInt64BE(0n, 0);
    batch.writeInt32BE(batch.length - countedFrom, lengthAt);
    batch.writeInt32BE(-1, countedFrom);
    batch.writeInt8(2, magicAt);
    batch.writeInt16BE(packingCode(this.#compression), summedFrom);
    batch.writeInt32BE(records.length - 1, 23);
    batch.writeBigInt64BE(BigInt(nowMs), baseTimeAt);
    batch.writeBigInt64BE(BigInt(nowMs), maxTimeAt);
    batch.writeBigInt64BE(origin.producerId, 43);
    batch.writeInt16BE(origin.producerEpoch, 51);
    batch.writeInt32BE(origin.sequence, 53);
    batch.writeInt32BE(records.length, countAt);
    batch.set(body, headerBytes);
    batch.writeUInt32BE(crc32c(batch.subarray(summedFrom)), crcAt);
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

/** A batch that is being read. */
interface OpenBatch {
  readonly bytes: Buffer;
  at: number;
  left: number;
  readonly baseOffset: number;
  readonly baseTimeMs: number;
  /** When the broker stored it, if the topic's times are the broker's. */
  readonly appendTimeMs: number | undefined;
}

/** The batches of one answer to a fetch, read record by record: a batch is unpacked when its first record is wanted. */
export class FetchedRecords {
  readonly #bytes: Buffer;
  #at = 0;
  #batch: OpenBatch | undefined;
  #next: number;

  /** Records before `from` are passed over: an answer begins with the batch that holds the offset asked for. */
  constructor(bytes: Buffer, from: number) {
    this.#bytes = bytes;
    this.#next = from;
  }

  /** The offset that the next record has at least. */
  get next(): number {
    return this.#next;
  }

  /**
   * The next records: about `limitBytes`, at least one, none only when there is none left. Throws one sentence when the
   * batch of the next one cannot be read; those before it are taken first.
   */
  take(limitBytes: number): StreamRecord[] {
    const records: StreamRecord[] = [];
    let bytes = 0;
    while (bytes < limitBytes || records.length === 0) {
      const record = this.#recordUnless(records.length > 0);
      if (!record) break;
      if (record.offset < this.#next) continue;
      this.#next = record.offset + 1;
      records.push(record);
      bytes += record.payload.length;
    }
    return records;
  }

  /** The next record; where it cannot be read, none if that `mayWait`. */
  #recordUnless(mayWait: boolean): StreamRecord | undefined {
    try {
      return this.#record();
    } catch (error) {
      if (mayWait) return undefined;
      throw error;
    }
  }

  #record(): StreamRecord | undefined {
    while (this.#batch === undefined || this.#batch.left === 0) {
      const left = this.#bytes.length - this.#at;
      const length = left < headerBytes ? 0 : countedFrom + this.#bytes.readInt32BE(this.#at + lengthAt);
      if (left < headerBytes || left < length) return undefined; // an answer may be cut off within its last batch
      this.#open(this.#bytes.subarray(this.#at, this.#at + length));
      this.#at += length;
    }
    this.#batch.left--;
    return readRecord(this.#batch);
  }

  #open(batch: Buffer): void {
    const magic = batch.readInt8(magicAt);
    const offset = Number(batch.readBigInt64BE(0));
    if (magic !== 2)
      throw new Error(`the batch at offset ${offset} has the format ${magic}, older than Kafka 0.11`);
    if (crc32c(batch.subarray(summedFrom)) !== batch.readUInt32BE(crcAt)) {
      throw new Error(`the batch at offset ${offset} is damaged: its checksum does not match`);
    }
    const attributes = batch.readInt16BE(summedFrom);
    if (attributes & controlFlag) {
      this.#next = Math.max(this.#next, offset + batch.readInt32BE(23) + 1);
      this.#batch = undefined;
      return;
    }
    this.#batch = {
      bytes: recordsOf(batch, attributes & compressionMask, offset),
      at: 0,
      left: batch.readInt32BE(countAt),
      baseOffset: offset,
      baseTimeMs: Number(batch.readBigInt64BE(baseTimeAt)),
      appendTimeMs: attributes & appendTimeFlag ? Number(batch.readBigInt64BE(maxTimeAt)) : undefined,
    };
  }
}

function recordsOf(batch: Buffer, code: number, offset: number): Buffer {
  try {
    return unpacked(code, batch.subarray(headerBytes));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`the batch at offset ${offset} cannot be unpacked: ${why}`, { cause: error });
  }
}

function readRecord(batch: OpenBatch): StreamRecord {
  const length = readVarint(batch);
  const end = batch.at + length;
  batch.at++; // attributes
  const timeMs = batch.baseTimeMs + readVarint(batch);
  const offset = batch.baseOffset + readVarint(batch);
  readBytes(batch); // the key, which may say the trace id and nothing more
  const payload = readBytes(batch);
  const headers: [string, string][] = [];
  let spans = 0;
  for (let left = readVarint(batch); left > 0; left--) {
    const name = String(readBytes(batch));
    const value = String(readBytes(batch));
    if (name === spansHeader) spans = Number(value);
    else headers.push([name, value]);
  }
  batch.at = end;
  return {
    offset,
    timeMs: batch.appendTimeMs ?? timeMs,
    spans: Number.isSafeInteger(spans) && spans > 0 ? spans : 0,
    headers: Object.fromEntries(headers),
    payload,
  };
}

function readBytes(batch: OpenBatch): Buffer {
  const length = Math.max(0, readVarint(batch)); // -1 is none
  batch.at += length;
  return batch.bytes.subarray(batch.at - length, batch.at);
}

function readVarint(batch: OpenBatch): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = batch.bytes[batch.at++];
    if (byte === undefined) throw new Error('a batch ends within a record');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
