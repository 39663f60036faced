import { crc32c } from '@platformatic/kafka';
import type { StreamRecord } from '../core/stream.ts';
import { countedFrom, headerBytes, magic, place, spansHeader, summedFrom } from './kafka-batch.ts';
import { unpacked } from './kafka-unpacking.ts';

const compressionMask = 7;
const appendTimeFlag = 8;
const transactionFlag = 16;
const controlFlag = 32;

/** What a record costs beside its payload, so that many small ones are no small answer. */
const recordBytes = 64;
const nothing = Buffer.alloc(0);
const fix =
  'the partition is held there; kafka-consumer-groups.sh --reset-offsets can move the group past it';

/** A transaction that somebody began and gave up: the records of `producerId` from `firstOffset` on are void. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** A batch that is being read. */
interface OpenBatch {
  readonly bytes: Buffer;
  at: number;
  left: number;
  /** Its records are void: of each nothing but its place is left. */
  readonly isVoid: boolean;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly baseTimeMs: number;
  /** When the broker stored it, if the topic's times are the broker's. */
  readonly appendTimeMs: number | undefined;
}

/**
 * The batches of one answer to a fetch, read record by record: a batch is unpacked when its first record is wanted. What
 * was written in a transaction that was given up, and the marks at the ends of transactions, are records without a
 * payload: so a gap is always something that expired.
 */
export class FetchedRecords {
  readonly #bytes: Buffer;
  readonly #aborted: AbortedTransaction[];
  readonly #voidProducers = new Set<bigint>();
  #at = 0;
  #batch: OpenBatch | undefined;
  #next: number;
  #leaderEpoch = -1;

  /** Records before `from` are passed over: an answer begins with the batch that holds the offset asked for. */
  constructor(bytes: Buffer, from: number, aborted: readonly AbortedTransaction[] = []) {
    this.#bytes = bytes;
    this.#next = from;
    this.#aborted = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  }

  /** The offset that the next record has at least. */
  get next(): number {
    return this.#next;
  }

  /** Which leader of the partition, counted, took the last record; -1 before the first. */
  get leaderEpoch(): number {
    return this.#leaderEpoch;
  }

  /**
   * The next records: about `limitBytes`, at least one, none only when there is none left. Throws when a batch or a record
   * cannot be read, once what stands before it was taken, and again whenever it is asked for.
   */
  take(limitBytes: number): StreamRecord[] {
    const records: StreamRecord[] = [];
    let bytes = 0;
    while (bytes < limitBytes || records.length === 0) {
      let record: StreamRecord | undefined;
      try {
        if (!this.#openNext()) break;
        record = this.#record();
      } catch (error) {
        if (records.length > 0) break;
        throw error;
      }
      if (!record || record.offset < this.#next) continue;
      this.#next = record.offset + 1;
      records.push(record);
      bytes += recordBytes + record.payload.length;
    }
    return records;
  }

  /** Whether a batch is open, the next if need be; one that cannot be read is left where it is. */
  #openNext(): boolean {
    while (this.#batch === undefined || this.#batch.left === 0) {
      const left = this.#bytes.length - this.#at;
      const length = left < headerBytes ? 0 : countedFrom + this.#bytes.readInt32BE(this.#at + place.length);
      if (left < headerBytes || left < length) return false; // an answer may be cut off within its last batch
      this.#batch = this.#open(this.#bytes.subarray(this.#at, this.#at + length));
      this.#at += length;
    }
    return true;
  }

  #record(): StreamRecord | undefined {
    const batch = this.#batch;
    if (!batch) return undefined;
    const { at, left } = batch;
    batch.left--;
    if (batch.isVoid) {
      const offset = batch.lastOffset - batch.left;
      return { offset, timeMs: timeOf(batch, 0), spans: 0, headers: {}, payload: nothing };
    }
    try {
      return readRecord(batch);
    } catch (cause) {
      Object.assign(batch, { at, left });
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`the batch at offset ${batch.baseOffset} holds a record ${why}: ${fix}`, { cause });
    }
  }

  #open(batch: Buffer): OpenBatch {
    const baseOffset = Number(batch.readBigInt64BE(place.offset));
    const format = batch.readInt8(place.magic);
    if (format !== magic)
      throw new Error(
        `the batch at offset ${baseOffset} has the format ${format}, older than Kafka 0.11: ${fix}`,
      );
    if (crc32c(batch.subarray(summedFrom)) !== batch.readUInt32BE(place.checksum))
      throw new Error(`the batch at offset ${baseOffset} is damaged, its checksum does not match: ${fix}`);
    const attributes = batch.readInt16BE(place.attributes);
    const lastOffset = baseOffset + batch.readInt32BE(place.lastDelta);
    const isVoid = this.#isVoid(batch, attributes, lastOffset);
    const appendTimeMs =
      attributes & appendTimeFlag ? Number(batch.readBigInt64BE(place.maxTime)) : undefined;
    const opened = {
      bytes: isVoid ? nothing : recordsOf(batch, attributes & compressionMask, baseOffset),
      at: 0,
      left: isVoid ? lastOffset - baseOffset + 1 : batch.readInt32BE(place.count),
      isVoid,
      baseOffset,
      lastOffset,
      baseTimeMs: Number(batch.readBigInt64BE(place.baseTime)),
      appendTimeMs,
    };
    this.#leaderEpoch = batch.readInt32BE(place.leaderEpoch);
    return opened;
  }

  /** Whether a batch holds no record that counts: it marks the end of a transaction, or is of one that was given up. */
  #isVoid(batch: Buffer, attributes: number, lastOffset: number): boolean {
    if (!(attributes & transactionFlag)) return (attributes & controlFlag) !== 0;
    for (let next = this.#aborted[0]; next && next.firstOffset <= lastOffset; next = this.#aborted[0]) {
      this.#voidProducers.add(next.producerId);
      this.#aborted.shift();
    }
    const producerId = batch.readBigInt64BE(place.producerId);
    if (!(attributes & controlFlag)) return this.#voidProducers.has(producerId);
    this.#voidProducers.delete(producerId); // its next transaction is another
    return true;
  }
}

function recordsOf(batch: Buffer, code: number, offset: number): Buffer {
  try {
    return unpacked(code, batch.subarray(headerBytes));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the batch at offset ${offset} cannot be unpacked, ${why}: ${fix}`, { cause });
  }
}

function timeOf(batch: OpenBatch, deltaMs: number): number {
  return batch.appendTimeMs ?? batch.baseTimeMs + deltaMs;
}

/** Throws when a length that the record says is not one it can have: no field is taken for a shorter or a longer one. */
function readRecord(batch: OpenBatch): StreamRecord {
  const length = readVarint(batch);
  const end = batch.at + length;
  batch.at++; // attributes
  const timeMs = timeOf(batch, readVarint(batch));
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
  if (batch.at !== end) throw new Error('whose fields are not as long as it says');
  return {
    offset,
    timeMs,
    spans: Number.isSafeInteger(spans) && spans > 0 ? spans : 0,
    headers: Object.fromEntries(headers),
    payload,
  };
}

function readBytes(batch: OpenBatch): Buffer {
  const length = Math.max(0, readVarint(batch)); // -1 is none
  batch.at += length;
  if (batch.at > batch.bytes.length) throw new Error('that is longer than the batch');
  return batch.bytes.subarray(batch.at - length, batch.at);
}

function readVarint(batch: OpenBatch): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = batch.bytes[batch.at++];
    if (byte === undefined) throw new Error('that is longer than the batch');
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
