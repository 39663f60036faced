import { setTimeout as sleep } from 'node:timers/promises';
import { delayMs } from '../core/backoff.ts';
import {
  OwnershipLost,
  type Claim,
  type Commit,
  type PartitionBounds,
  type StreamRecord,
} from '../core/stream.ts';
import { metadataBytes } from './commit-limit.ts';
import type { Cluster } from './kafka-cluster.ts';
import { faultCode, faultText } from './kafka-fault.ts';
import { edgeOffset, fetchRecords, longestFetchMs, type Fetched } from './kafka-fetch.ts';
import { FetchedRecords } from './kafka-fetched-records.ts';
import { Lag } from './kafka-lag.ts';
import type { PartitionCommit } from './kafka-group.ts';
import type { KafkaOptions } from './kafka-options.ts';
import type { TopicWatch } from './kafka-topic-watch.ts';

const backoff = { initialMs: 20, maxMs: 1000 };

/** Answers that prove that a commit was not carried out. Others, such as a time-out of the replicas, prove nothing. */
const refusals: ReadonlySet<string> = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'REBALANCE_IN_PROGRESS',
  'FENCED_INSTANCE_ID',
  'GROUP_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
]);

/** What a claim needs of the member that owns it. */
export interface ClaimOwner {
  readonly options: KafkaOptions;
  readonly cluster: Cluster;
  readonly group: string;
  readonly watch: TopicWatch;
  /** A connection of its own for what the claim reads. */
  readonly lane: string;
  /** Whether the cluster may have given the partition away without telling yet. */
  isOverdue(): boolean;
  /**
   * Sends a commit under the generation of the claim, once those before it are answered. Rejects when it was refused or
   * nobody knows, and with the reason of `lost`, unsent, when that has aborted by then.
   */
  commit(commit: PartitionCommit, lost: AbortSignal): Promise<void>;
  /** A commit failed, with `code` if it was answered: the member gives up all its claims and joins again. */
  giveUp(code: string | undefined): void;
}

/** One generation's ownership of a partition in a consumer group. */
export class KafkaClaim implements Claim {
  readonly partition: number;
  readonly committed: Commit | undefined;
  readonly #owner: ClaimOwner;
  readonly #lost = new AbortController();
  readonly #waiting = new Set<() => void>();
  #reason: OwnershipLost | undefined;
  #interrupted = false;
  #fetched: FetchedRecords | undefined;
  /** Up to where was read, and who led when that was written; undefined when a reader was sent elsewhere. */
  #read: { readonly offset: number; readonly leaderEpoch: number } | undefined;
  #throttledUntilMs = 0;
  #faults = 0;
  #isAtEnd = false;
  /** What keeps it from being read, and since when; undefined while it can be. */
  #failing: { readonly sinceMs: number; why: unknown; isTold: boolean } | undefined;
  readonly #lag: Lag;

  constructor(owner: ClaimOwner, partition: number, committed: Commit | undefined) {
    this.#owner = owner;
    this.partition = partition;
    this.committed = committed;
    this.#lag = new Lag(owner.options, owner.group, partition, committed?.position.offset ?? 0);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Why the partition could not be read for longer than a session, in which another leader should have been found. */
  get fault(): Error | undefined {
    const { options } = this.#owner;
    const failing = this.#failing;
    if (!failing || performance.now() - failing.sinceMs <= options.sessionMs) return undefined;
    const why = faultText(failing.why);
    return new Error(`partition ${this.partition} of the topic ${options.topic} cannot be read: ${why}`);
  }

  async bounds(): Promise<PartitionBounds> {
    for (let attempt = 0; ; attempt++) {
      this.#refuseWhenLost();
      try {
        const bounds = await this.#bounds();
        this.#refuseWhenLost();
        this.#failing = undefined;
        return bounds;
      } catch (error) {
        await this.#recover(delayMs(backoff, attempt, 1), error);
      }
    }
  }

  async #bounds(): Promise<PartitionBounds> {
    const { cluster, lane, options } = this.#owner;
    const at = { topic: options.topic, partition: this.partition };
    const start = await edgeOffset(cluster, lane, at, 'start');
    const end = await edgeOffset(cluster, lane, at, 'end');
    if (!this.#reason) this.#lag.reached(end, start);
    return { start, end };
  }

  /** Asks where the partition ends, if no read has heard that for `staleMs`: a worker that hangs reads nothing. */
  async measure(staleMs: number): Promise<void> {
    if (this.#reason || performance.now() - this.#lag.heardMs < staleMs) return;
    await this.#bounds().catch(() => undefined); // whoever reads will be told
  }

  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  async read(offset: number, limitBytes: number, waitMs: number): Promise<readonly StreamRecord[]> {
    this.#isAtEnd = false;
    const untilMs = performance.now() + waitMs;
    let from = offset;
    let asked = -1;
    for (;;) {
      this.#refuseWhenLost();
      const records = this.#take(from, limitBytes);
      if (records.length > 0) return records;
      from = Math.max(from, this.#fetched?.next ?? 0);
      const leftMs = this.#interrupted ? 0 : Math.max(0, untilMs - performance.now());
      if (leftMs <= 0 && from === asked) return [];
      asked = from;
      const next = await this.#fetch(from, limitBytes, Math.min(leftMs, longestFetchMs));
      if (next === undefined) return [];
      from = next;
    }
  }

  /** The next of what was fetched, if `from` is where it goes on. */
  #take(from: number, limitBytes: number): StreamRecord[] {
    const fetched = this.#fetched;
    if (fetched?.next !== from) {
      this.#fetched = undefined;
      return [];
    }
    const records = fetched.take(limitBytes);
    if (records.length > 0) this.#read = { offset: fetched.next, leaderEpoch: fetched.leaderEpoch };
    return records;
  }

  /** Fetches once, and resolves with where the next read goes on; undefined when `interrupt` ended its wait. */
  async #fetch(from: number, limitBytes: number, waitMs: number): Promise<number | undefined> {
    const { cluster, lane, watch } = this.#owner;
    const throttledMs = Math.min(waitMs, this.#throttledUntilMs - performance.now());
    if (throttledMs > 0) {
      await this.#pause(throttledMs);
      return from;
    }
    const leaderEpoch = this.#read?.offset === from ? this.#read.leaderEpoch : -1;
    const request = {
      topicId: watch.id,
      partition: this.partition,
      offset: from,
      leaderEpoch,
      limitBytes: Math.max(1, limitBytes),
      waitMs,
    };
    let fetched: Fetched | undefined;
    try {
      const work = fetchRecords(cluster, lane, request);
      fetched = waitMs > 0 ? await this.#unlessInterrupted(work) : await work;
    } catch (error) {
      return this.#mend(from, waitMs, error);
    }
    this.#faults = 0;
    this.#failing = undefined;
    if (!fetched) return undefined;
    if (fetched.divergedAt !== undefined) throw this.#truncated(fetched.divergedAt, from);
    if (!this.#reason) this.#lag.reached(fetched.end);
    this.#isAtEnd = fetched.end <= from;
    this.#throttledUntilMs = performance.now() + fetched.throttleMs;
    this.#fetched =
      fetched.records.length > 0 ? new FetchedRecords(fetched.records, from, fetched.aborted) : undefined;
    return from;
  }

  /** Where to go on after a fetch from `from` failed. */
  async #mend(from: number, waitMs: number, error: unknown): Promise<number> {
    const recover = async (fault: unknown): Promise<number> => {
      await this.#recover(Math.min(delayMs(backoff, this.#faults++, 1), Math.max(waitMs, 5)), fault);
      return from;
    };
    if (faultCode(error) !== 'OFFSET_OUT_OF_RANGE') return recover(error);
    const bounds = await this.#bounds().catch((fault: unknown) => ({ fault }));
    if ('fault' in bounds) return recover(bounds.fault);
    const { start, end } = bounds;
    const read = this.#read;
    this.#read = undefined; // the leader may not know it any more
    if (from < start) return start;
    if (read?.offset === from && end < from) throw this.#truncated(end, from);
    await this.#pause(waitMs);
    return from;
  }

  #truncated(end: number, read: number): Error {
    const { topic } = this.#owner.options;
    return new Error(
      `partition ${this.partition} of the topic ${topic} ends at offset ${end} and was read up to ${read}: the brokers lost records that they had; restart, so that what was stored is checked against it`,
    );
  }

  async commit(commit: Commit): Promise<void> {
    this.#refuseWhenLost();
    const { position, metadata } = commit;
    const { partition, lost: ended } = this;
    metadataBytes(commit); // refuses too many
    try {
      await this.#owner.commit({ partition, position, metadata }, ended);
    } catch (error) {
      if (error === this.#reason) throw error;
      const code = faultCode(error);
      const why =
        code !== undefined && refusals.has(code) ? `was refused with ${code}` : 'has an unknown outcome';
      const lost = new OwnershipLost(`a commit ${why}`, { cause: error });
      this.#owner.giveUp(code);
      this.lose(lost);
      throw lost;
    }
    if (!this.#reason) this.#lag.committed(position.offset);
  }

  /** Reads that wait end with nothing, and later ones wait no more. */
  interrupt(): void {
    this.#interrupted = true;
    for (const wake of this.#waiting) wake();
  }

  lose(reason: OwnershipLost): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#lost.abort(reason);
    this.#fetched = undefined;
    for (const wake of this.#waiting) wake();
    this.#lag.withdraw();
  }

  #refuseWhenLost(): void {
    if (!this.#reason && this.#owner.isOverdue())
      this.lose(
        new OwnershipLost('the cluster has not answered for so long that the partition may be taken'),
      );
    if (this.#reason) throw this.#reason;
  }

  /** After a failed request: waits a little and asks who leads now. Throws when the topic is gone. */
  async #recover(waitMs: number, error: unknown): Promise<void> {
    this.#refuseWhenLost();
    const { watch } = this.#owner;
    this.#tell(error);
    await this.#pause(waitMs);
    const looked = watch.look(faultCode(error) === undefined ? this.partition : undefined);
    if (!this.#interrupted) await this.#unlessInterrupted(looked);
    if (watch.gone) throw watch.gone;
  }

  /** Remembers that a request failed; warns once when that goes on. */
  #tell(error: unknown): void {
    const { options, group } = this.#owner;
    const failing = (this.#failing ??= { sinceMs: performance.now(), why: error, isTold: false });
    failing.why = error;
    const fields = { topic: options.topic, group, partition: this.partition };
    options.log.debug({ ...fields, err: error }, 'read will be retried');
    if (failing.isTold || !this.fault) return;
    failing.isTold = true;
    options.log.warn({ ...fields, why: faultText(error) }, 'partition cannot be read');
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0)
      await this.#unlessInterrupted(sleep(ms, undefined, { signal: this.lost })).catch(() => undefined); // loss ends it
  }

  /** What `work` resolves with; undefined once `interrupt` is called, and a rejection once the claim is lost. */
  async #unlessInterrupted<T>(work: Promise<T>): Promise<T | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const wake = (): void => (this.#reason && !this.#interrupted ? reject(this.#reason) : resolve(undefined));
    this.#waiting.add(wake);
    work.then(resolve, reject);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(wake);
    }
  }
}
