import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Log } from '../core/log.ts';
import type {
  ClaimWorker,
  Commit,
  NewRecord,
  PartitionReader,
  Stream,
  StreamConsumer,
} from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import { ConsumerGroup, readerOf } from './consumer-group.ts';
import { whenAborted } from './when-aborted.ts';
import { GroupCommit } from './group-commit.ts';
import { loadLmdb, LogFile, type Lmdb } from './log-file.ts';
import { megabytes } from './retention.ts';
import { TopicLog, type TopicOptions } from './topic-log.ts';

/** Where the embedded log lives, and what it may use. */
export interface EmbeddedLogOptions {
  /** A folder of its own; created when missing. One process owns it while any of its streams runs. */
  readonly directory: string;
  /** Appends are refused while the disk has less than this free, in bytes. */
  readonly minFreeDiskBytes: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry: Telemetry;
}

const housekeepingMs = 1000;

/** What is open while any stream of the log runs. */
interface OpenLog {
  readonly file: LogFile;
  readonly commits: GroupCommit;
  readonly topics: Map<string, TopicLog>;
  readonly timer: NodeJS.Timeout;
  /** How large the file may be before it takes room from the records. */
  readonly allowedBytes: number;
  freeDiskBytes: number;
  retaining: Promise<void> | undefined;
}

/**
 * Kafka's semantics on the local disk, in one LMDB file: a default for one machine, not a broker. Its streams share the
 * file and its flushes; the file opens with the first stream that starts and closes with the last that stops.
 */
export class EmbeddedLog {
  readonly #options: EmbeddedLogOptions;
  readonly #topics = new Map<string, TopicOptions>();
  #open: OpenLog | undefined;

  constructor(options: EmbeddedLogOptions) {
    this.#options = options;
  }

  /** The stream of a topic. Declare all topics of a log before the first starts: they bound the file together. */
  stream(options: TopicOptions): Stream {
    this.#topics.set(options.topic, options);
    return new EmbeddedStream(options, {
      log: this.#options.log,
      open: () => this.#acquire(options),
      close: (topic) => this.#release(topic),
      append: (topic, records, signal) => this.#append(topic, records, signal),
    });
  }

  async #acquire(options: TopicOptions): Promise<TopicLog> {
    const lmdb = await loadLmdb();
    this.#open ??= this.#openFile(lmdb);
    const { file, commits, topics } = this.#open;
    try {
      const topic = new TopicLog(file, commits, this.#options.clock, options);
      topics.set(options.topic, topic);
      this.#report(topic);
      return topic;
    } catch (error) {
      await this.#closeIfUnused();
      throw error;
    }
  }

  async #release(topic: TopicLog): Promise<void> {
    if (!this.#open) return;
    await this.#open.commits.submit({ bytes: 0, write: () => undefined }); // so that everything before it is durable
    this.#report(topic);
    this.#open.topics.delete(topic.options.topic);
    await this.#closeIfUnused();
  }

  async #closeIfUnused(): Promise<void> {
    const open = this.#open;
    if (!open || open.topics.size > 0) return;
    this.#open = undefined;
    clearInterval(open.timer);
    await open.commits.drain();
    await open.file.close();
  }

  #openFile(lmdb: Lmdb): OpenLog {
    const roomBytes = this.#boundBytes();
    const file = LogFile.open(this.#options.directory, roomBytes, lmdb);
    const timer = setInterval(() => this.#keepHouse(), housekeepingMs).unref();
    return {
      file,
      commits: new GroupCommit(file),
      topics: new Map(),
      timer,
      allowedBytes: Math.max(roomBytes, file.fileBytes()),
      freeDiskBytes: file.freeDiskBytes(),
      retaining: undefined,
    };
  }

  #boundBytes(): number {
    return [...this.#topics.values()].reduce((sum, { retention }) => sum + retention.bytes, 0);
  }

  /** How far the file has outgrown its bound, or its size at the start: it never shrinks, so one made for more room stays large. */
  #excessBytes({ file, allowedBytes }: OpenLog): number {
    return Math.max(0, file.fileBytes(allowedBytes) - allowedBytes);
  }

  async #append(topic: TopicLog, records: readonly NewRecord[], signal: AbortSignal): Promise<void> {
    const open = this.#open;
    if (!open) throw new Failure('unavailable', `the stream ${topic.options.topic} is stopped`);
    this.#refuseOnFullDisk(open, 0);
    const excessBytes = this.#excessBytes(open);
    if (topic.isFull(excessBytes)) void this.#startRetaining(open);
    topic.refuseWithoutRoom(records, excessBytes);
    try {
      await topic.append(records, signal);
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (error instanceof RangeError) throw new Failure('invalid', error.message, { cause: error });
      open.freeDiskBytes = open.file.freeDiskBytes();
      this.#refuseOnFullDisk(open, batchBytes(records) + 2 ** 20); // LMDB tells a full disk from a broken one only sometimes
      throw new Failure(
        'unavailable',
        `the stream's folder ${open.file.directory} cannot be written: ${String(error)}`,
        {
          cause: error,
        },
      );
    }
    const { topic: name } = topic.options;
    this.#options.telemetry.count('plimsoll_stream_records_total', records.length, { topic: name });
  }

  /** Throws when less than `neededBytes`, or than must stay free, is free. */
  #refuseOnFullDisk(open: OpenLog, neededBytes: number): void {
    const { minFreeDiskBytes, directory } = this.#options;
    const keepBytes = Math.max(minFreeDiskBytes, neededBytes);
    if (open.freeDiskBytes >= keepBytes) return;
    const message = `the disk of ${directory} has ${megabytes(open.freeDiskBytes)} free and must keep ${megabytes(keepBytes)}: free some space, or lower min_free_disk`;
    throw new Failure('overloaded', message, { retryAfterMs: 5000 });
  }

  #keepHouse(): void {
    const open = this.#open;
    if (!open) return;
    try {
      open.freeDiskBytes = open.file.freeDiskBytes();
      for (const topic of open.topics.values()) this.#report(topic);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the disk of the stream cannot be looked at');
    }
    void this.#startRetaining(open);
  }

  /**
   * Deletes, step by step and between appends, what no topic keeps any longer; resolves when nothing more may go now.
   * Runs by itself every second, and when a topic is nearly full.
   */
  async retain(): Promise<void> {
    const open = this.#open;
    await open?.retaining; // a pass on its way may be past what is due by now
    if (open) await this.#startRetaining(open);
  }

  #startRetaining(open: OpenLog): Promise<void> {
    open.retaining ??= this.#retainAll(open).finally(() => (open.retaining = undefined));
    return open.retaining;
  }

  async #retainAll(open: OpenLog): Promise<void> {
    const { log, telemetry } = this.#options;
    for (const topic of open.topics.values()) {
      const { topic: name } = topic.options;
      try {
        for (let deleted = -1; deleted !== 0 && !topic.closed;) {
          deleted = await topic.retain(() => this.#excessBytes(open));
          telemetry.count('plimsoll_stream_deleted_records_total', deleted, { topic: name });
        }
      } catch (error) {
        log.warn({ topic: name, err: error }, 'retention failed and will be tried again');
      }
    }
  }

  #report(topic: TopicLog): void {
    const { telemetry } = this.#options;
    const { topic: name, partitions, groups } = topic.options;
    telemetry.set('plimsoll_stream_bytes', topic.usedBytes(), { topic: name });
    for (let number = 0; number < partitions; number++) {
      const partition = String(number);
      const { start, end } = topic.bounds(number);
      telemetry.set('plimsoll_stream_end_offset', end, { topic: name, partition });
      telemetry.set('plimsoll_stream_appended_spans', topic.appendedSpans(number), {
        topic: name,
        partition,
      });
      for (const group of groups) {
        const committed = topic.committedOffset(group, number);
        const labels = { topic: name, partition, group };
        telemetry.set('plimsoll_stream_committed_offset', committed ?? 0, labels);
        telemetry.set('plimsoll_stream_lag_records', end - Math.max(start, committed ?? 0), labels);
      }
    }
  }
}

function batchBytes(records: readonly NewRecord[]): number {
  return records.reduce((bytes, record) => bytes + record.payload.byteLength, 0);
}

/** What a stream needs of its log. */
interface LogAccess {
  readonly log: Log;
  readonly open: () => Promise<TopicLog>;
  readonly close: (topic: TopicLog) => Promise<void>;
  readonly append: (topic: TopicLog, records: readonly NewRecord[], signal: AbortSignal) => Promise<void>;
}

/** A topic of the embedded log, as a stream. */
class EmbeddedStream implements Stream {
  readonly name: string;
  readonly partitions: number;
  readonly recordLimitBytes = Number.POSITIVE_INFINITY;
  /** What is amiss with the disk is told by the appends it refuses. */
  readonly fault = undefined;
  readonly #options: TopicOptions;
  readonly #access: LogAccess;
  readonly #groups = new Map<string, ConsumerGroup>();
  #topic: TopicLog | undefined;

  constructor(options: TopicOptions, access: LogAccess) {
    this.name = `stream ${options.topic}`;
    this.partitions = options.partitions;
    this.#options = options;
    this.#access = access;
  }

  get id(): string {
    if (this.#topic) return this.#topic.id;
    throw new Error(`the id of the stream ${this.#options.topic} is known once it has started`);
  }

  async start(): Promise<void> {
    if (!this.#topic || this.#topic.closed) this.#topic = await this.#access.open();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const topic = this.#topic;
    if (!topic || topic.closed) return;
    topic.close();
    await Promise.race([this.#access.close(topic), whenAborted(deadline)]);
  }

  async consume(records: readonly NewRecord[], signal: AbortSignal): Promise<void> {
    if (records.length > 0) await this.#access.append(this.#running(), records, signal);
  }

  consumer(group: string, worker: ClaimWorker): StreamConsumer {
    const { topic, groups } = this.#options;
    if (!groups.includes(group)) {
      throw new Error(
        `the group ${group} is not among the groups of the stream ${topic} (${groups.join(', ')}): name it there, so that retention keeps what it needs`,
      );
    }
    const known =
      this.#groups.get(group) ??
      new ConsumerGroup(group, this.partitions, () => this.#running(), this.#access.log);
    this.#groups.set(group, known);
    return known.member(worker);
  }

  reader(partition: number): PartitionReader {
    return readerOf(this.#running(), partition);
  }

  async committed(group: string, partition: number): Promise<Commit | undefined> {
    return this.#running().committed(group, partition);
  }

  appendedSpans(partition: number): number {
    return this.#topic?.appendedSpans(partition) ?? 0;
  }

  #running(): TopicLog {
    if (this.#topic && !this.#topic.closed) return this.#topic;
    throw new Failure('unavailable', `the stream ${this.#options.topic} is not running`);
  }
}
