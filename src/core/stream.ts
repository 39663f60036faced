import type { Component, Sink } from './component.ts';

/** A place in a partition: the offset of a record, and the index of a span within that record. */
export interface Position {
  readonly offset: number;
  readonly index: number;
}

/** Record headers, which never change; `plimsoll.enriched` names the enrichment revision a record has had. */
export type Headers = Readonly<Record<string, string>>;

/**
 * A record to append. `payload` is an ExportTraceServiceRequest in protobuf, and on the stream of rows one row a line as
 * JSON; it is lent until the append settles: nobody may write to it before, and whoever made it may use its memory again
 * after.
 */
export interface NewRecord {
  readonly partition: number;
  readonly payload: Uint8Array;
  /** How many spans the payload holds, so that the stream can count by position. */
  readonly spans: number;
  readonly headers: Headers;
}

/**
 * A record as read. `timeMs` is its CreateTime, set once at the append. `payload` is lent until the next read of the
 * claim, whose memory it then gives up; who keeps it longer copies it. It may be a view of a larger buffer: nothing is
 * promised of the bytes around it, so nobody reads those.
 */
export interface StreamRecord {
  readonly offset: number;
  readonly timeMs: number;
  /** As its writer counted them; 0 when the writer, such as a Collector, did not say. */
  readonly spans: number;
  readonly headers: Headers;
  readonly payload: Uint8Array;
}

/** A committed position: everything before it is done. `metadata` is the consumer's own text, 2 KB at most. */
export interface Commit {
  readonly position: Position;
  readonly metadata: string;
}

/** The offsets a partition holds now: `start` is the oldest kept, `end` the next to be written. */
export interface PartitionBounds {
  readonly start: number;
  readonly end: number;
}

/** A partition to read from. */
export interface PartitionReader {
  readonly partition: number;
  bounds(): Promise<PartitionBounds>;
  /**
   * Reads records from `offset` on, in order and without gaps other than expired ones: at least one and about
   * `limitBytes`, or none when nothing arrived within `waitMs`. An offset below `start` continues at `start`.
   */
  read(offset: number, limitBytes: number, waitMs: number): Promise<readonly StreamRecord[]>;
  /** Whether the last read found nothing because the partition ends there, and not because nobody could be asked. */
  readonly isAtEnd: boolean;
}

/**
 * One period of owning one partition on behalf of a consumer group. Valid until `lost` aborts; from then on
 * every method rejects with OwnershipLost.
 */
export interface Claim extends PartitionReader {
  /** What the group had committed when ownership began; undefined for a new group. */
  readonly committed: Commit | undefined;
  readonly lost: AbortSignal;
  /**
   * Commits `commit` if ownership still holds. Rejects with OwnershipLost when it does not, or when the outcome
   * is unknown: the owner then gives up and recovers under a new claim, and never retries.
   */
  commit(commit: Commit): Promise<void>;
}

/**
 * A member of a consumer group. `start` begins to hand out claims, once the stream runs; `stop` gives them up after
 * their worker returned.
 */
export interface StreamConsumer extends Component {
  /** Why a worker rejected, or nothing can be consumed, so that the process is unhealthy; undefined while all is well. */
  readonly fault: Error | undefined;
  /** Whether it was heard of so recently that nobody else can own its partitions yet. */
  readonly isSure: boolean;
  /** How many partitions it owns, 0 for one that stands by; undefined unless it is in its group and that has dealt them out. */
  readonly owned: number | undefined;
}

/**
 * What a consumer does with a claim. Resolves when the claim was lost or `stopping` aborted and the work in
 * flight is settled; a rejection is a bug or an operator's matter, and makes the process unhealthy.
 */
export type ClaimWorker = (claim: Claim, stopping: AbortSignal) => Promise<void>;

/**
 * A durable, partitioned log of records. Drivers: embedded (LMDB), Kafka. `consume` resolves when every record is
 * durable; rejects with `overloaded` when the disk or the retention limit leaves no room, with `unavailable` otherwise.
 */
export interface Stream extends Component, Sink<readonly NewRecord[]> {
  /** Changes when the stream is created anew; part of every row's position. Known after start. */
  readonly id: string;
  readonly partitions: number;
  /** The longest payload it takes, in bytes; Infinity when it takes any. */
  readonly recordLimitBytes: number;
  /** Why it takes nothing, until that is cured; undefined while it does. What is not read is its consumers' fault. */
  readonly fault: Error | undefined;
  /** A new member of `group`; a second member takes ownership from the first. */
  consumer(group: string, worker: ClaimWorker): StreamConsumer;
  /** Reads `partition` from outside every group, so that nobody's ownership moves. Valid while the stream runs. */
  reader(partition: number): PartitionReader;
  /** What `group` has committed of `partition`, asked from outside the group; undefined when it never has. */
  committed(group: string, partition: number): Promise<Commit | undefined>;
  /** Spans ever appended to `partition`; undefined when the driver cannot count them. */
  appendedSpans(partition: number): number | undefined;
}

/** The claim is over: another member owns the partition, or a commit's outcome is unknown. */
export class OwnershipLost extends Error {
  override readonly name = 'OwnershipLost';
}
