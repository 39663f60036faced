import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { constants, crc32, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { retrying } from '../core/backoff.ts';
import { messageOf } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type { NewRecord, PartitionReader, Stream } from '../core/stream.ts';

const compress = promisify(zstdCompress);
const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** What is needed of a stream that keeps snapshots. */
export type StateStream = Pick<Stream, 'id' | 'recordLimitBytes' | 'consume' | 'reader'>;

/** What a record holds at most; less where the stream takes less. */
const chunkBytes = 1024 * 1024;
const readBytes = 8 * chunkBytes;
const readWaitMs = 1000;
/** Whoever waits for longer says so. */
const slowMs = 5000;
const moreRoom =
  'raise connectors::embedded::retention::size, or retention.bytes of the topic, or lower processors::runs::max_open_runs';
const backoff = { initialMs: 100, maxMs: 5000 };

const snapshotHeader = 'plimsoll.snapshot';
const chunkHeader = 'plimsoll.chunk';

/** Where a snapshot is, and how to know that it is whole. Small enough for the metadata of a commit. */
export interface Snapshot {
  /** The id of the stream that holds it. */
  readonly stream: string;
  /** What its records are marked with: those of two writers may lie mixed. */
  readonly id: string;
  /** None of its records lies before this offset. A later one of the same owner begins later. */
  readonly from: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly crc: number;
}

/** A snapshot that is durable, and for how long the process computed it, in milliseconds: writing them is to stay a small share of its time. */
export interface WrittenSnapshot {
  readonly snapshot: Snapshot;
  readonly busyMs: number;
}

/**
 * Snapshots of a state on a stream of their own: `v8.serialize`, zstd, cut into records of one partition. The stream keeps
 * some and forgets the oldest; which one counts is said elsewhere, by a commit that only the owner can make.
 */
export class StateLog<State> {
  readonly #stream: StateStream;
  readonly #log: Log;
  /** One for all reads: a reader may have a connection of its own. */
  #reader: PartitionReader | undefined;
  #fault: string | undefined;
  /** Where the last one that was written begins. */
  #writtenFrom = Number.POSITIVE_INFINITY;
  /** It was said that no two of them fit. */
  #isTight = false;

  constructor(stream: StateStream, log: Log) {
    this.#stream = stream;
    this.#log = log;
  }

  /** The id of the stream; known once that has started. */
  get id(): string {
    return this.#stream.id;
  }

  get #from(): PartitionReader {
    return (this.#reader ??= this.#stream.reader(0));
  }

  /** Why nothing can be kept, while that is so. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /**
   * Appends `state`, however often that is to be tried; undefined when `ended` aborts before it is durable, or when the
   * stream has no room for it, which is said in `fault`. What `state` is made of is read before this returns its promise,
   * and may change after.
   */
  async write(state: State, ended: AbortSignal): Promise<WrittenSnapshot | undefined> {
    const beganMs = performance.now();
    const plain = serialize(state);
    const packed = await compress(plain, level);
    const busyMs = performance.now() - beganMs;
    const before = await this.#again(async () => this.#from.bounds(), ended);
    if (!before) return undefined;
    const id = randomBytes(8).toString('hex');
    const records = recordsOf(packed, id, Math.min(chunkBytes, this.#stream.recordLimitBytes));
    for (const record of records) {
      const appended = await this.#again(
        async () => this.#stream.consume([record], ended).then(() => true),
        ended,
      );
      if (!appended) return undefined;
    }
    const after = await this.#again(async () => this.#from.bounds(), ended);
    if (!after) return undefined;
    const { byteLength: bytes } = packed;
    const size = `${(bytes / 2 ** 20).toFixed(0)} MiB`;
    if (after.start > before.end) {
      this.#fault = `a snapshot of ${size} does not fit on its stream: ${moreRoom}`;
      this.#log.error({}, this.#fault);
      return undefined;
    }
    if (after.start > this.#writtenFrom && !this.#isTight) {
      this.#isTight = true;
      this.#log.warn(
        {},
        `no two snapshots of ${size} fit on their stream, and a crash while one is written would lose both: ${moreRoom}`,
      );
    }
    this.#writtenFrom = before.end;
    this.#fault = undefined;
    const snapshot = {
      stream: this.id,
      id,
      from: before.end,
      chunks: records.length,
      bytes,
      crc: crc32(packed),
    };
    return { snapshot, busyMs };
  }

  /** Does `work` until it succeeds; undefined when `ended` aborts before, whatever `work` still waits for. */
  async #again<T>(work: () => Promise<T>, ended: AbortSignal): Promise<T | undefined> {
    const { promise: ending, resolve } = Promise.withResolvers<undefined>();
    const end = (): void => resolve(undefined);
    ended.addEventListener('abort', end);
    const waiting = setInterval(
      () => (this.#fault = 'its stream has not answered for a while'),
      slowMs,
    ).unref();
    try {
      return await retrying(async () => (ended.aborted ? undefined : Promise.race([work(), ending])), {
        backoff,
        signal: ended,
        isFinal: () => false,
        onRetry: (error, waitMs) => {
          this.#fault = messageOf(error);
          this.#log.warn({ err: error, waitMs }, 'a snapshot of what is assessed waits for its stream');
        },
      });
    } catch (error) {
      if (ended.aborted) return undefined;
      throw error;
    } finally {
      clearInterval(waiting);
      ended.removeEventListener('abort', end);
    }
  }

  /**
   * The state that `snapshot` holds, as whoever wrote it knew such states; undefined when the stream does not have it
   * whole any more, or this version of Node.js cannot read it. Read until that is known; throws the reason of `ended`
   * when that aborts before.
   */
  async read(snapshot: Snapshot, ended: AbortSignal): Promise<State | undefined> {
    if (snapshot.stream !== this.id) return undefined;
    const bounds = await this.#again(async () => this.#from.bounds(), ended);
    const chunks: Buffer[] = [];
    let found = 0;
    const { start, end } = bounds ?? { start: 0, end: 0 };
    for (let offset = Math.max(start, snapshot.from); offset < end;) {
      const records = await this.#again(async () => this.#from.read(offset, readBytes, readWaitMs), ended);
      if (!records) break;
      for (const { headers, payload } of records) {
        const chunk = Number(headers[chunkHeader]);
        if (headers[snapshotHeader] !== snapshot.id || chunks[chunk]) continue;
        chunks[chunk] = Buffer.from(payload);
        found++;
      }
      if (found === snapshot.chunks) break;
      offset = (records.at(-1)?.offset ?? offset - 1) + 1; // none says nothing: the end is known to be further on
    }
    if (ended.aborted) throw ended.reason;
    this.#fault = undefined;
    const packed = Buffer.concat(chunks.filter((chunk) => chunk !== undefined));
    if (packed.byteLength !== snapshot.bytes || crc32(packed) !== snapshot.crc) return undefined;
    return this.#unpacked(packed);
  }

  #unpacked(packed: Buffer): State | undefined {
    try {
      const state: State = deserialize(zstdDecompressSync(packed));
      return state;
    } catch (error) {
      this.#log.warn({ err: error }, 'a snapshot was written by another version of Node.js');
      return undefined;
    }
  }
}

function recordsOf(packed: Buffer, id: string, limitBytes: number): readonly NewRecord[] {
  return Array.from({ length: Math.ceil(packed.byteLength / limitBytes) }, (_, chunk) => ({
    partition: 0,
    payload: packed.subarray(chunk * limitBytes, (chunk + 1) * limitBytes),
    spans: 0,
    headers: { [snapshotHeader]: id, [chunkHeader]: String(chunk) },
  }));
}
