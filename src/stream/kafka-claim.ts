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
import { FetchedRecords } from './kafka-batch.ts';
import type { Cluster } from './kafka-cluster.ts';
import { faultCode } from './kafka-fault.ts';
import { edgeOffset, fetchRecords } from './kafka-fetch.ts';
import type { KafkaOptions } from './kafka-options.ts';

/** No fetch waits longer, so that a claim notices soon that the partition has another leader. */
const longestFetchMs = 1000;
const backoff = { initialMs: 20, maxMs: 1000 };
const nothing = Buffer.alloc(0);

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
  /** The topic as it was when the stream started. */
  readonly topicId: string;
  /** A connection of its own for what the claim reads. */
  readonly lane: string;
  /** Whether the cluster may have given the partition away without telling yet. */
  isOverdue(): boolean;
  /** Sends a commit under the generation of the claim. Rejects when it was refused or nobody knows. */
  commit(partition: number, offset: number, metadata: string): Promise<void>;
  /**
   * A commit failed: the member gives up all its claims and joins again; as a new member when nobody knows whether the
   * commit was carried out.
   */
  giveUp(isUncertain: boolean): void;
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
  #faults = 0;
  #bounds: PartitionBounds = { start: 0, end: 0 };
  #committedOffset: number;

  constructor(owner: ClaimOwner, partition: number, committed: Commit | undefined) {
    this.#owner = owner;
    this.partition = partition;
    this.committed = committed;
    this.#committedOffset = committed?.position.offset ?? 0;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async bounds(): Promise<PartitionBounds> {
    const { cluster, lane, options } = this.#owner;
    const at = { topic: options.topic, partition: this.partition };
    for (let attempt = 0; ; attempt++) {
      this.#refuseWhenLost();
      try {
        const start = await edgeOffset(cluster, lane, at, 'start');
        const end = await edgeOffset(cluster, lane, at, 'end');
        this.#refuseWhenLost();
        this.#bounds = { start, end };
        this.#report();
        return this.#bounds;
      } catch (error) {
        await this.#recover(delayMs(backoff, attempt, 1), error);
      }
    }
  }

  async read(offset: number, limitBytes: number, waitMs: number): Promise<readonly StreamRecord[]> {
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
      const fetched = await this.#fetch(from, limitBytes, Math.min(leftMs, longestFetchMs));
      if (!fetched) return [];
      asked = from;
      from = fetched.from;
      this.#fetched = fetched.records.length > 0 ? new FetchedRecords(fetched.records, from) : undefined;
    }
  }

  /** The next of what was fetched, if `from` is where it goes on. */
  #take(from: number, limitBytes: number): StreamRecord[] {
    if (this.#fetched?.next !== from) {
      this.#fetched = undefined;
      return [];
    }
    return this.#fetched.take(limitBytes);
  }

  /** One fetch, and where the next read goes on; undefined when `interrupt` ended its wait. */
  async #fetch(from: number, limitBytes: number, waitMs: number) {
    const { cluster, lane, topicId } = this.#owner;
    const { partition } = this;
    const request = { topicId, partition, offset: from, limitBytes: Math.max(1, limitBytes), waitMs };
    try {
      const work = fetchRecords(cluster, lane, request);
      const fetched = waitMs > 0 ? await this.#unlessInterrupted(work) : await work;
      this.#faults = 0;
      if (fetched) this.#reached(fetched.end);
      return fetched && { records: fetched.records, from };
    } catch (error) {
      return { records: nothing, from: await this.#mend(from, waitMs, error) };
    }
  }

  /** Where to go on after a fetch from `from` failed. */
  async #mend(from: number, waitMs: number, error: unknown): Promise<number> {
    const { cluster, lane, options } = this.#owner;
    if (faultCode(error) !== 'OFFSET_OUT_OF_RANGE') {
      await this.#recover(Math.min(delayMs(backoff, this.#faults++, 1), Math.max(waitMs, 5)), error);
      return from;
    }
    const at = { topic: options.topic, partition: this.partition };
    const start = await edgeOffset(cluster, lane, at, 'start').catch(() => 0); // then the next read asks again
    if (from >= start) await this.#pause(waitMs); // beyond the end
    return Math.max(from, start);
  }

  async commit(commit: Commit): Promise<void> {
    this.#refuseWhenLost();
    const { position, metadata } = commit;
    metadataBytes(commit); // refuses too many
    try {
      await this.#owner.commit(this.partition, position.offset, `${position.index}:${metadata}`);
    } catch (error) {
      const code = faultCode(error) ?? '';
      const isRefused = refusals.has(code);
      const why = isRefused ? `was refused with ${code}` : 'has an unknown outcome';
      const lost = new OwnershipLost(`a commit ${why}`, { cause: error });
      this.#owner.giveUp(!isRefused);
      this.lose(lost);
      throw lost;
    }
    this.#committedOffset = position.offset;
    this.#report();
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
    this.#report();
  }

  #refuseWhenLost(): void {
    if (!this.#reason && this.#owner.isOverdue())
      this.lose(
        new OwnershipLost('the cluster has not answered for so long that the partition may be taken'),
      );
    if (this.#reason) throw this.#reason;
  }

  /** After a failed request: asks who leads now and waits a little. Throws when the topic is another one. */
  async #recover(waitMs: number, error: unknown): Promise<void> {
    this.#refuseWhenLost();
    const { cluster, options, topicId } = this.#owner;
    options.log.debug(
      { topic: options.topic, partition: this.partition, err: error },
      'read will be retried',
    );
    await this.#pause(waitMs);
    await cluster.refresh().catch(() => undefined); // the next try fails if that matters
    if (faultCode(error) === 'UNKNOWN_TOPIC_ID' && cluster.topicId !== topicId) {
      throw new Error(
        `the topic ${options.topic} was deleted or created anew while it was read: its offsets mean other records now; restart, so that what was stored is checked against it`,
      );
    }
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

  #reached(end: number): void {
    if (end === this.#bounds.end) return;
    this.#bounds = { ...this.#bounds, end };
    const { topic, telemetry } = this.#owner.options;
    telemetry.set('plimsoll_stream_end_offset', end, { topic, partition: String(this.partition) });
    this.#report();
  }

  /** Tells how far the group is behind; a claim that was lost takes back what it told. */
  #report(): void {
    const { options, group } = this.#owner;
    const { telemetry, topic } = options;
    const labels = { topic, partition: String(this.partition), group };
    if (this.#reason) {
      telemetry.remove('plimsoll_stream_committed_offset', labels);
      telemetry.remove('plimsoll_stream_lag_records', labels);
      return;
    }
    const { start, end } = this.#bounds;
    telemetry.set('plimsoll_stream_committed_offset', this.#committedOffset, labels);
    telemetry.set('plimsoll_stream_lag_records', end - Math.max(start, this.#committedOffset), labels);
  }
}
