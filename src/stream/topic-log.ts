import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Commit, NewRecord, PartitionBounds, StreamRecord } from '../core/stream.ts';
import { metadataBytes } from './commit-limit.ts';
import type { Fact, GroupCommit, Transaction } from './group-commit.ts';
import type { LogFile, Records } from './log-file.ts';
import type { ReadMemory } from './read-memory.ts';
import { RecentRecords } from './recent-records.ts';
import { encodeHeaders, readKey, readRecord, recordKey, valueBytes, writeValue } from './record-codec.ts';
import {
  footprintBytes,
  fullAt,
  markCommit,
  marksBeforeStop,
  megabytes,
  recordRoomBytes,
  settledOffset,
  type Retention,
} from './retention.ts';
import { committedOf, progressOf, topicId, type Committed, type Progress } from './topic-facts.ts';

/** One topic of the embedded log. */
export interface TopicOptions {
  readonly topic: string;
  readonly partitions: number;
  /**
   * The consumer groups that read it. Retention keeps what any of them has not committed, from its very first start
   * on; a group that is not named here cannot read. With none, age and size alone decide.
   */
  readonly groups: readonly string[];
  readonly retention: Retention;
}

/** Of all partitions together; a topic that nobody reads has none. */
const recentBytes = 2 ** 24;
const deletesPerStep = 512;

/** The records of one topic and what its groups committed, in an open file. */
export class TopicLog {
  readonly options: TopicOptions;
  /** Random, made when the topic was created. */
  readonly id: string;
  readonly #file: LogFile;
  readonly #commits: GroupCommit;
  readonly #clock: Clock;
  readonly #records: Records;
  readonly #progress: readonly Fact<Progress>[];
  readonly #committed: ReadonlyMap<string, readonly Fact<Committed>[]>;
  /** What was committed since the topic was opened. Of the others nothing is deleted: their group may have to recover, unless nothing is kept for that. */
  readonly #resumed = new Set<Fact<Committed>>();
  readonly #waiting: readonly Set<() => void>[];
  readonly #recent: readonly RecentRecords[];
  #closed = false;

  /** Opens the topic in `file`, creating it when it is new. Throws an Error that names the fix when it is another. */
  constructor(file: LogFile, commits: GroupCommit, clock: Clock, options: TopicOptions) {
    const { topic, partitions, groups } = options;
    this.options = options;
    this.#file = file;
    this.#commits = commits;
    this.#clock = clock;
    this.id = topicId(file, topic, partitions);
    this.#records = file.records(topic);
    this.#progress = Array.from({ length: partitions }, (_, partition) => progressOf(file, topic, partition));
    this.#committed = new Map(
      groups.map((group) => [
        group,
        Array.from({ length: partitions }, (_, partition) => committedOf(file, topic, group, partition)),
      ]),
    );
    this.#waiting = Array.from({ length: partitions }, () => new Set<() => void>());
    const recentLimitBytes = options.groups.length === 0 ? 0 : recentBytes / partitions;
    this.#recent = Array.from({ length: partitions }, () => new RecentRecords(recentLimitBytes));
  }

  bounds(partition: number): PartitionBounds {
    const { start, end } = this.#progressOf(partition).value;
    return { start, end };
  }

  /** Spans ever appended to `partition`. */
  appendedSpans(partition: number): number {
    return this.#progressOf(partition).value.spans;
  }

  /** Bytes of the pages that its records fill. */
  usedBytes(): number {
    return this.#file.usedBytes(this.#records);
  }

  /** How many bytes its records may fill when the file has outgrown its bound by `excessBytes`. */
  roomBytes(excessBytes: number): number {
    const { bytes, isSpared = false } = this.options.retention;
    return recordRoomBytes(bytes, isSpared ? 0 : excessBytes);
  }

  /** Whether retention should make room. */
  isFull(excessBytes: number): boolean {
    const fullBytes = this.roomBytes(excessBytes) * fullAt;
    return this.#file.usedBytes(this.#records, fullBytes) > fullBytes;
  }

  /** Throws a Failure when `records` can never be appended, or not now. */
  refuseWithoutRoom(records: readonly NewRecord[], excessBytes: number): void {
    const { topic, retention } = this.options;
    const wantedBytes = records.reduce((bytes, { payload }) => bytes + footprintBytes(payload.byteLength), 0);
    if (2 * wantedBytes > retention.bytes) {
      throw new Failure(
        'invalid',
        `the batch takes ${megabytes(wantedBytes)} and the stream ${topic} may keep ${megabytes(retention.bytes)}, which must be twice a batch: send less at once, or raise its retention.bytes`,
      );
    }
    // Of the free pages half may lie too scattered for it.
    const mayHoldBytes = Math.min(
      this.roomBytes(excessBytes) - wantedBytes,
      retention.bytes - 2 * wantedBytes,
    );
    const waitingBytes = this.#commits.waitingBytes;
    const heldBytes = this.#file.usedBytes(this.#records, mayHoldBytes - waitingBytes) + waitingBytes;
    if (heldBytes <= mayHoldBytes) return;
    const message = `the stream ${topic} is full: it holds ${megabytes(heldBytes)} of ${megabytes(retention.bytes)}, which its consumers may still need: wait for them, or raise its retention.bytes`;
    throw new Failure('overloaded', message, { retryAfterMs: 1000 });
  }

  /** Appends `records`, all or none, in their order; resolves when they are durable. */
  async append(records: readonly NewRecord[], signal: AbortSignal): Promise<void> {
    const headers = records.map((record) => encodeHeaders(record.headers));
    const sizes = records.map((record, at) =>
      valueBytes(record.payload.byteLength, headers[at]?.byteLength ?? 0),
    );
    for (const record of records) this.#progressOf(record.partition);
    const write = (transaction: Transaction): void => {
      const timeMs = this.#clock.nowMs();
      const appended: { readonly partition: number; readonly record: StreamRecord }[] = [];
      for (const [at, record] of records.entries()) {
        const fact = this.#progressOf(record.partition);
        const progress = fact.next;
        const value = transaction.allocate(sizes[at] ?? 0);
        writeValue(value, record, headers[at] ?? new Uint8Array());
        transaction.add({
          records: this.#records,
          key: recordKey(record.partition, progress.end, timeMs),
          value,
        });
        const { partition, spans, headers: plain, payload } = record;
        appended.push({
          partition,
          record: { offset: progress.end, timeMs, spans, headers: plain, payload },
        });
        fact.change(transaction, {
          ...progress,
          end: progress.end + 1,
          spans: progress.spans + record.spans,
        });
      }
      transaction.onceDurable(() => {
        for (const { partition, record } of appended) this.#recent[partition]?.add(record);
        for (const partition of new Set(records.map((record) => record.partition))) this.#wake(partition);
      });
    };
    await this.#commits.submit({ bytes: sizes.reduce((sum, size) => sum + size, 0), write }, signal);
  }

  /**
   * Records from `offset` on, or from `start` when that is later: one at least if there is one, and about `limitBytes`.
   * Payloads are in `memory`.
   */
  read(partition: number, offset: number, limitBytes: number, memory: ReadMemory): readonly StreamRecord[] {
    const { start, end } = this.bounds(partition);
    const records: StreamRecord[] = [];
    let bytes = 0;
    const range = { start: recordKey(partition, Math.max(start, offset)), end: recordKey(partition, end) };
    memory.begin();
    if (this.#closed || offset >= end) return records;
    const recent = this.#recent[partition]?.read(Math.max(start, offset), limitBytes, memory);
    if (recent) return recent;
    for (const { key, value } of this.#records.getRange(range)) {
      const record = readRecord(key, value);
      if (records.length > 0 && bytes + record.payload.byteLength > limitBytes) break;
      records.push({ ...record, payload: memory.copy(record.payload) });
      bytes += record.payload.byteLength;
    }
    return records;
  }

  /** Resolves when something is appended to `partition`, after `waitMs`, when `interrupted` aborts, or on `close`. */
  async appended(partition: number, waitMs: number, interrupted: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    if (interrupted.aborted || this.#closed) setImmediate(wake); // never at once: a worker that only reads would stop the process
    const timer = setTimeout(wake, waitMs);
    this.#waiting[partition]?.add(wake);
    interrupted.addEventListener('abort', wake, { once: true });
    await promise;
    clearTimeout(timer);
    this.#waiting[partition]?.delete(wake);
    interrupted.removeEventListener('abort', wake);
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Ends every wait for an append; from now on nothing is read or appended. What was submitted before still settles. */
  close(): void {
    this.#closed = true;
    for (const partition of this.#waiting.keys()) this.#wake(partition);
  }

  /** What `group` has committed of `partition`, once every commit submitted before is durable. */
  async committed(group: string, partition: number): Promise<Commit | undefined> {
    let committed: Committed;
    const fact = this.#committedOf(group, partition);
    await this.#commits.submit({ bytes: 0, write: () => void (committed = fact.next) });
    return committed && { position: committed.position, metadata: committed.metadata };
  }

  /** What `group` has committed of `partition`, as an offset; undefined when it never has. */
  committedOffset(group: string, partition: number): number | undefined {
    return this.#committedOf(group, partition).value?.position.offset;
  }

  /** Commits durably. A call to `committed` that comes later resolves later, and with this commit: that is the fence. */
  async commit(group: string, partition: number, commit: Commit): Promise<void> {
    const bytes = metadataBytes(commit);
    const fact = this.#committedOf(group, partition);
    const write = (transaction: Transaction): void => {
      const mark = { timeMs: this.#clock.nowMs(), offset: commit.position.offset };
      const { minAfterCommitMs } = this.options.retention;
      const known = fact.next?.marks ?? [];
      const marks = this.#resumed.has(fact) ? known : marksBeforeStop(known, minAfterCommitMs);
      fact.change(transaction, { ...commit, marks: markCommit(marks, mark, minAfterCommitMs) });
      transaction.onceDurable(() => this.#resumed.add(fact));
    };
    await this.#commits.submit({ bytes, write });
  }

  /**
   * One step of retention: deletes some of the oldest records that every group has committed long enough ago, because
   * of their age or because the topic is full; none before every group has committed once since the start, if anything is kept after a commit. Resolves with how many; 0 means that nothing may go now.
   */
  async retain(excessBytes: () => number): Promise<number> {
    let deleted = 0;
    const write = (transaction: Transaction): void => {
      const oldest = this.#oldestDeletable();
      if (!oldest) return;
      const { partition, before } = oldest;
      const fact = this.#progressOf(partition);
      const progress = fact.next;
      const tooOldMs = this.#clock.nowMs() - this.options.retention.ageMs;
      const surplus = this.#surplusRecords(excessBytes());
      const range = {
        start: recordKey(partition, progress.start),
        end: recordKey(partition, before),
        limit: deletesPerStep,
      };
      for (const key of this.#records.getKeys(range)) {
        if (deleted >= surplus && readKey(key).timeMs > tooOldMs) break;
        transaction.add({ records: this.#records, key });
        deleted++;
      }
      if (deleted > 0) fact.change(transaction, { ...progress, start: progress.start + deleted });
    };
    await this.#commits.submit({ bytes: 0, write });
    return deleted;
  }

  /** About how many records are too many for the room. */
  #surplusRecords(excessBytes: number): number {
    const usedBytes = this.usedBytes();
    const surplusBytes = usedBytes - this.roomBytes(excessBytes) * fullAt;
    const records = this.#progress.reduce((sum, { value }) => sum + value.end - value.start, 0);
    return surplusBytes > 0 ? Math.ceil((surplusBytes / usedBytes) * records) : 0;
  }

  /** The partition whose oldest record is the oldest of all that may be deleted, and the offset that ends them. */
  #oldestDeletable(): { partition: number; before: number } | undefined {
    let oldest: { partition: number; before: number; timeMs: number } | undefined;
    for (const partition of this.#progress.keys()) {
      const { start } = this.#progressOf(partition).next;
      const before = this.#deletableBefore(partition);
      if (start >= before) continue;
      for (const key of this.#records.getKeys({
        start: recordKey(partition, start),
        end: recordKey(partition, before),
        limit: 1,
      })) {
        const { timeMs } = readKey(key);
        if (!oldest || timeMs < oldest.timeMs) oldest = { partition, before, timeMs };
      }
    }
    return oldest;
  }

  /** The records before this offset are those retention may delete. Only durable ones: a key to come is not in the file. */
  #deletableBefore(partition: number): number {
    const nowMs = this.#clock.nowMs();
    let before = this.#progressOf(partition).value.end;
    for (const facts of this.#committed.values()) {
      const fact = facts[partition];
      const { minAfterCommitMs } = this.options.retention;
      const isKnown = fact && (this.#resumed.has(fact) || minAfterCommitMs === 0);
      before = Math.min(before, settledOffset((isKnown && fact.next?.marks) || [], nowMs, minAfterCommitMs));
    }
    return before;
  }

  #wake(partition: number): void {
    for (const wake of this.#waiting[partition] ?? []) wake();
  }

  #progressOf(partition: number): Fact<Progress> {
    const fact = this.#progress[partition];
    if (fact) return fact;
    throw new Failure(
      'invalid',
      `the stream ${this.options.topic} has ${this.#progress.length} partitions and no ${partition}`,
    );
  }

  #committedOf(group: string, partition: number): Fact<Committed> {
    const fact = this.#committed.get(group)?.[partition];
    if (fact) return fact;
    throw new Error(`the stream ${this.options.topic} has no partition ${partition} for a group ${group}`);
  }
}
