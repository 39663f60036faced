import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../core/log.ts';
import {
  OwnershipLost,
  type Claim,
  type ClaimWorker,
  type Commit,
  type PartitionBounds,
  type PartitionReader,
  type StreamConsumer,
  type StreamRecord,
} from '../core/stream.ts';
import { ReadMemory } from './read-memory.ts';
import type { TopicLog } from './topic-log.ts';
import { whenAborted } from './when-aborted.ts';

const rejoinMs = 1000;

/** The members of one group on one topic. The one that started last owns every partition; the others stand by. */
export class ConsumerGroup {
  readonly name: string;
  readonly partitions: number;
  readonly log: Log;
  readonly #topic: () => TopicLog;
  readonly #members: Member[] = [];
  #epoch = 0;

  /** `topic` throws unless the stream runs. */
  constructor(name: string, partitions: number, topic: () => TopicLog, log: Log) {
    this.name = name;
    this.partitions = partitions;
    this.#topic = topic;
    this.log = log;
  }

  get topic(): TopicLog {
    return this.#topic();
  }

  /** A new member, that runs `worker` for every partition while it is the owner. */
  member(worker: ClaimWorker): StreamConsumer {
    return new Member(this, worker);
  }

  /** Changes whenever ownership may have moved. */
  get epoch(): number {
    return this.#epoch;
  }

  has(member: Member): boolean {
    return this.#members.includes(member);
  }

  owns(member: Member): boolean {
    return this.#members.at(-1) === member;
  }

  join(member: Member): void {
    void this.topic; // refuses before anything moved
    const previous = this.#members.at(-1);
    this.#members.push(member);
    this.#epoch++;
    previous?.lose('another member of the group took over');
    member.own();
  }

  leave(member: Member): void {
    const owned = this.owns(member);
    const at = this.#members.indexOf(member);
    if (at >= 0) this.#members.splice(at, 1);
    member.lose('the member left the group');
    if (!owned) return;
    this.#epoch++;
    this.#members.at(-1)?.own();
  }
}

/** One member of a group. */
class Member implements StreamConsumer {
  readonly name: string;
  readonly #group: ConsumerGroup;
  readonly #worker: ClaimWorker;
  readonly #claims = new Map<number, OwnedClaim>();
  readonly #work: Promise<void>[] = [];
  readonly #stopping = new AbortController();
  #fault: Error | undefined;

  constructor(group: ConsumerGroup, worker: ClaimWorker) {
    this.name = `consumer ${group.name}`;
    this.#group = group;
    this.#worker = worker;
  }

  get fault(): Error | undefined {
    return this.#fault;
  }

  get isSure(): boolean {
    return true;
  }

  get owned(): number | undefined {
    if (!this.#group.has(this)) return undefined;
    return this.#group.owns(this) ? this.#group.partitions : 0;
  }

  async start(): Promise<void> {
    this.#group.join(this);
    return Promise.resolve();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping.abort();
    for (const claim of this.#claims.values()) claim.interrupt();
    await Promise.race([Promise.all(this.#work), whenAborted(deadline)]);
    this.#group.leave(this);
  }

  /** Works on every partition, each as soon as the work under its former claim has settled. */
  own(): void {
    for (let partition = 0; partition < this.#group.partitions; partition++) {
      this.#work[partition] = (this.#work[partition] ?? Promise.resolve()).then(() =>
        this.#workOn(partition),
      );
    }
  }

  lose(reason: string): void {
    for (const claim of this.#claims.values()) claim.lose(new OwnershipLost(reason));
  }

  async #workOn(partition: number): Promise<void> {
    const stopping = this.#stopping.signal;
    while (!stopping.aborted && this.#group.owns(this)) {
      const claim = await this.#claim(partition);
      if (claim && !claim.lost.aborted) {
        const settled = await this.#settle(claim);
        if (settled) return;
      }
      if (this.#group.owns(this)) await pause(rejoinMs, stopping); // the disk failed: not at once again
    }
  }

  /** Whether the worker is done for good, and not only with this claim. */
  async #settle(claim: OwnedClaim): Promise<boolean> {
    this.#claims.set(claim.partition, claim);
    if (this.#stopping.signal.aborted) claim.interrupt();
    try {
      await this.#worker(claim, this.#stopping.signal);
      return !claim.lost.aborted;
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error(String(error));
      this.#group.log.error(
        { group: this.#group.name, partition: claim.partition, err: error },
        'consumer failed',
      );
      return true;
    } finally {
      claim.lose(new OwnershipLost('its worker returned'));
      this.#claims.delete(claim.partition);
    }
  }

  /** A claim that begins after every commit of the one before; undefined when ownership moved or the disk failed meanwhile. */
  async #claim(partition: number): Promise<OwnedClaim | undefined> {
    const { name, epoch } = this.#group;
    try {
      const { topic } = this.#group;
      const committed = await topic.committed(name, partition);
      return this.#group.epoch === epoch ? new OwnedClaim(topic, name, partition, committed) : undefined;
    } catch (error) {
      this.#group.log.warn({ group: name, partition, err: error }, 'commits of the stream could not be read');
      return undefined;
    }
  }
}

async function pause(ms: number, ended: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: ended }).catch(() => undefined); // an abort ends the pause
}

/** Reads a partition for nobody's group. */
export function readerOf(topic: TopicLog, partition: number): PartitionReader {
  return new OwnedClaim(topic, '', partition, undefined);
}

/** A claim on a partition of a topic in this process. */
class OwnedClaim implements Claim {
  readonly partition: number;
  readonly committed: Commit | undefined;
  readonly #topic: TopicLog;
  readonly #group: string;
  readonly #lost = new AbortController();
  #reason: OwnershipLost | undefined;
  readonly #interrupted = new AbortController();
  readonly #memory = new ReadMemory();

  constructor(topic: TopicLog, group: string, partition: number, committed: Commit | undefined) {
    this.#topic = topic;
    this.#group = group;
    this.partition = partition;
    this.committed = committed;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async bounds(): Promise<PartitionBounds> {
    this.#refuseWhenLost();
    return Promise.resolve(this.#topic.bounds(this.partition));
  }

  async read(offset: number, limitBytes: number, waitMs: number): Promise<readonly StreamRecord[]> {
    if (this.#topic.closed) this.lose(new OwnershipLost('the stream was stopped'));
    this.#refuseWhenLost();
    const records = this.#read(offset, limitBytes);
    if (records.length > 0 || waitMs <= 0) return records;
    await this.#topic.appended(this.partition, waitMs, this.#interrupted.signal);
    this.#refuseWhenLost();
    return this.#read(offset, limitBytes);
  }

  #read(offset: number, limitBytes: number): readonly StreamRecord[] {
    return this.#topic.read(this.partition, offset, limitBytes, this.#memory);
  }

  /** What is appended is in this process: nothing keeps a read from it. */
  get isAtEnd(): boolean {
    return true;
  }

  async commit(commit: Commit): Promise<void> {
    this.#refuseWhenLost();
    try {
      await this.#topic.commit(this.#group, this.partition, commit);
    } catch (error) {
      if (error instanceof RangeError || error instanceof OwnershipLost) throw error;
      const lost = new OwnershipLost(`the outcome of a commit is unknown`, { cause: error });
      this.lose(lost);
      throw lost;
    }
  }

  /** Reads that wait end with what there is; so does every later one. */
  interrupt(): void {
    this.#interrupted.abort();
  }

  lose(reason: OwnershipLost): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.#lost.abort(reason);
    this.#interrupted.abort();
  }

  #refuseWhenLost(): void {
    if (this.#reason) throw this.#reason;
  }
}
