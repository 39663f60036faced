import { setTimeout as sleep } from 'node:timers/promises';
import { heartbeatV4, leaveGroupV4 } from '@platformatic/kafka';
import { delayMs } from '../core/backoff.ts';
import { OwnershipLost, type ClaimWorker, type StreamConsumer } from '../core/stream.ts';
import { KafkaClaim, type ClaimOwner } from './kafka-claim.ts';
import type { Cluster } from './kafka-cluster.ts';
import { CoordinatorLink } from './kafka-coordinator-link.ts';
import { faultCode, faultText } from './kafka-fault.ts';
import { commitPosition, committedOffsets, join, type Membership } from './kafka-group.ts';
import type { GroupOptions, KafkaOptions } from './kafka-options.ts';
import type { TopicWatch } from './kafka-topic-watch.ts';
import { Turns } from './turns.ts';
import { whenAborted } from './when-aborted.ts';

const backoff = { initialMs: 200, maxMs: 5000 };
/** A member is missed after so many heartbeats. */
const heartbeatsPerSession = 10;
const longestHeartbeatMs = 1000;
/** How long the answer to a heartbeat may take: there are more heartbeats in a session. */
const heartbeatAnswerMs = 3000;
/** The coordinator waits 5 s for the replicas of a commit. */
const commitAnswerMs = 6000;

/** Codes after which the coordinator must be looked for again, though the membership may still stand. */
const movedCodes: ReadonlySet<string> = new Set([
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
]);

/**
 * Codes that say that a generation ends: a commit of it that is still on its way is refused from now on, or known to
 * whoever owns the partition next.
 */
const endingCodes: ReadonlySet<string | undefined> = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
]);

/** What a member is made of. */
export interface MemberParts {
  readonly options: KafkaOptions;
  readonly cluster: Cluster;
  readonly watch: TopicWatch;
  /** Unlike that of any other member of this process. */
  readonly lane: string;
  readonly group: GroupOptions;
  readonly worker: ClaimWorker;
}

/**
 * A member of a consumer group. Joins, works on the partitions it is dealt, and joins again when the group changes; every
 * joining is a new generation with new claims. Heartbeats go on whatever the workers do.
 */
export class KafkaMember implements StreamConsumer {
  readonly name: string;
  readonly #parts: MemberParts;
  readonly #claims = new Map<number, KafkaClaim>();
  readonly #work = new Map<number, Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #leaving = new AbortController();
  #running: Promise<void> | undefined;
  #fault: Error | undefined;
  #twin: Error | undefined;
  #owned: number | undefined;
  /** Aborts when this membership is over. */
  #over = new AbortController();
  /** What the coordinator said when it ended this membership; undefined when it did not. */
  #endedBy: string | undefined;
  #memberId = '';
  #heardAtMs = 0;
  #overdue: NodeJS.Timeout | undefined;
  /** Why the group could not be joined, the last time. */
  #joinFault: unknown;
  #outSinceMs = 0;
  readonly #commits: CoordinatorLink;
  readonly #commitTurns = new Turns();
  /** Commits may wait for replicas; heartbeats never do. */
  readonly #heartbeats: CoordinatorLink;

  constructor(parts: MemberParts) {
    this.name = `consumer ${parts.group.id}`;
    this.#parts = parts;
    const { cluster, group, lane, options } = parts;
    this.#commits = new CoordinatorLink(cluster, group.id, lane, commitAnswerMs);
    const answerMs = Math.min(heartbeatAnswerMs, options.sessionMs / 3);
    this.#heartbeats = new CoordinatorLink(cluster, group.id, `${lane} heartbeat`, answerMs);
  }

  get fault(): Error | undefined {
    return this.#fault ?? this.#twin ?? this.#parts.watch.fault ?? this.#outside() ?? this.#unread();
  }

  #unread(): Error | undefined {
    return [...this.#claims.values()].map(({ fault }) => fault).find((fault) => fault !== undefined);
  }

  /** Why the member is not in its group for longer than a session, in which all of it should have come together. */
  #outside(): Error | undefined {
    const { group, options } = this.#parts;
    const isLong = performance.now() - this.#outSinceMs > options.sessionMs;
    if (this.#joinFault === undefined || !isLong) return undefined;
    return new Error(`the consumer group ${group.id} cannot be joined: ${faultText(this.#joinFault)}`);
  }

  /** Half a session is left for what the coordinator, whose clock runs from when it heard, gives away. */
  get isSure(): boolean {
    return performance.now() - this.#heardAtMs < this.#parts.options.sessionMs / 2;
  }

  get owned(): number | undefined {
    return this.#owned;
  }

  async start(): Promise<void> {
    this.#outSinceMs = performance.now();
    this.#running ??= this.#run();
    return Promise.resolve();
  }

  /** Brings the metrics of partitions up to date whose end nobody has heard of for `staleMs`. */
  async measure(staleMs: number): Promise<void> {
    await Promise.all([...this.#claims.values()].map(async (claim) => claim.measure(staleMs)));
  }

  async stop(deadline: AbortSignal): Promise<void> {
    if (this.#leaving.signal.aborted) return;
    this.#stopping.abort();
    for (const claim of this.#claims.values()) claim.interrupt();
    await Promise.race([Promise.all(this.#work.values()), whenAborted(deadline)]);
    this.#loseAll('the member left the group');
    this.#leaving.abort();
    this.#parts.cluster.closeLane(this.#joinLane);
    await Promise.race([this.#running, whenAborted(deadline)]);
  }

  get #joinLane(): string {
    return `${this.#parts.lane} join`;
  }

  async #run(): Promise<void> {
    const { options, cluster, lane } = this.#parts;
    const sinceMs = options.clock.nowMs();
    for (let faults = 0; !this.#stopping.signal.aborted && !this.#twin; faults++) {
      this.#over = new AbortController();
      this.#endedBy = undefined;
      const beganMs = performance.now();
      try {
        await this.#belong(sinceMs);
      } catch (error) {
        this.#failed(error);
      } finally {
        this.#loseAll('the group was joined anew');
      }
      const isUsual = endingCodes.has(this.#endedBy) || performance.now() - beganMs > options.sessionMs;
      if (isUsual && this.#joinFault === undefined) faults = -1;
      else await this.#pause(delayMs(backoff, faults, 1));
    }
    await this.#leave().catch(() => undefined); // the session ends by itself
    cluster.closeLane(this.#joinLane);
    cluster.closeLane(lane);
  }

  #failed(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const { options, group } = this.#parts;
    const code = faultCode(error);
    if (code === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
    if (code === 'FENCED_INSTANCE_ID') this.#yield();
    this.#joinFault = error;
    const fields = { topic: options.topic, group: group.id, why: faultText(error) };
    options.log.warn(fields, 'consumer group cannot be joined yet');
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#leaving.signal }).catch(() => undefined); // leaving ends it
  }

  /** One membership: joins and works until it is over. */
  async #belong(sinceMs: number): Promise<void> {
    const { options, cluster, group, watch } = this.#parts;
    const at = { cluster, group, options, lane: this.#joinLane };
    this.#commits.forget(); // another broker may coordinate the group by now
    this.#heartbeats.forget();
    const membership = await join(at, this.#memberId, sinceMs, (id) => (this.#memberId = id));
    options.telemetry.count('plimsoll_stream_joins_total', 1, { topic: options.topic, group: group.id });
    this.#heard(membership.heardAtMs);
    const { partitions } = membership;
    const committed = await committedOffsets(await this.#commits.get(), at, watch.id, partitions);
    if (this.#stopping.signal.aborted) return;
    const owner = this.#ownerOf(membership);
    for (const partition of partitions) {
      const lane = `${owner.lane} ${partition}`;
      this.#begin(new KafkaClaim({ ...owner, lane }, partition, committed.get(partition)));
    }
    this.#owned = partitions.length;
    this.#joinFault = undefined;
    await this.#stay(membership);
    this.#loseAll('the group was joined anew');
    // A commit that is still on its way could be taken after the next claim has asked what was committed: not from a
    // member that is none any more.
    if (!endingCodes.has(this.#endedBy)) {
      cluster.closeLane(this.#parts.lane);
      await this.#leave().catch(() => undefined); // the session ends by itself
    }
    if (this.#endedBy === 'FENCED_INSTANCE_ID') this.#yield();
  }

  #ownerOf(membership: Membership): ClaimOwner {
    const { options, cluster, group, lane, watch } = this.#parts;
    const over = this.#over;
    return {
      options,
      cluster,
      group: group.id,
      watch,
      lane,
      isOverdue: () => this.#isOverdue(),
      commit: async (commit, lost) =>
        this.#commitTurns.take(async () => {
          lost.throwIfAborted();
          await commitPosition(await this.#commits.get(), { group, options }, membership, watch.id, commit);
        }),
      giveUp: (code) => {
        if (this.#over !== over) return;
        this.#endedBy ??= code;
        over.abort();
      },
    };
  }

  #isOverdue(): boolean {
    return performance.now() - this.#heardAtMs > this.#parts.options.sessionMs;
  }

  /** The coordinator heard of this member at `atMs` or later; a session after that, the partitions may be another's. */
  #heard(atMs: number): void {
    this.#heardAtMs = atMs;
    clearTimeout(this.#overdue);
    const over = this.#over;
    const leftMs = atMs + this.#parts.options.sessionMs - performance.now();
    this.#overdue = setTimeout(() => {
      this.#loseAll('the cluster has not answered for so long that the partition may be taken');
      over.abort();
    }, leftMs);
  }

  /** Keeps the membership alive; resolves when the group must be joined anew. */
  async #stay({ memberId, generation }: Membership): Promise<void> {
    const { group, options } = this.#parts;
    const { instanceId = null, sessionMs } = options;
    const everyMs = Math.min(longestHeartbeatMs, sessionMs / heartbeatsPerSession);
    const ended = AbortSignal.any([this.#leaving.signal, this.#over.signal]);
    while (!ended.aborted) {
      const sentAtMs = performance.now();
      try {
        const connection = await this.#heartbeats.get();
        await heartbeatV4.api.async(connection, group.id, generation, memberId, instanceId);
        if (!ended.aborted) this.#heard(sentAtMs);
      } catch (error) {
        const code = faultCode(error);
        if (code === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
        if (code !== undefined && !movedCodes.has(code)) {
          this.#endedBy ??= code;
          return;
        }
        this.#heartbeats.forget();
        this.#commits.forget();
      }
      await sleep(everyMs, undefined, { signal: ended }).catch(() => undefined); // the loop looks at the signal
    }
  }

  /**
   * Is a member no longer: what is sent in its name is refused. One with a name of its own does not say so, because it may
   * be back soon; as a new member under that name it takes the place of the old one.
   */
  async #leave(): Promise<void> {
    const { group, options } = this.#parts;
    const memberId = this.#memberId;
    this.#memberId = '';
    if (memberId === '' || options.instanceId !== undefined) return;
    await leaveGroupV4.api.async(await this.#commits.get(), group.id, [{ memberId }]);
  }

  /** Another process has taken this one's place: to take it back would only begin a quarrel. */
  #yield(): void {
    const { group, options } = this.#parts;
    this.#memberId = '';
    this.#twin = new Error(
      `another process has joined the consumer group ${group.id} as ${options.instanceId}: give each an instance_id of its own, and restart`,
    );
  }

  #loseAll(reason: string): void {
    if (this.#owned !== undefined) this.#outSinceMs = performance.now();
    this.#owned = undefined;
    clearTimeout(this.#overdue);
    for (const claim of this.#claims.values()) claim.lose(new OwnershipLost(reason));
    this.#claims.clear();
  }

  /** Works under `claim` as soon as the work under the former claim of the partition has settled. */
  #begin(claim: KafkaClaim): void {
    this.#claims.set(claim.partition, claim);
    if (this.#stopping.signal.aborted) claim.interrupt();
    const before = this.#work.get(claim.partition) ?? Promise.resolve();
    this.#work.set(
      claim.partition,
      before.then(() => this.#workUnder(claim)),
    );
  }

  async #workUnder(claim: KafkaClaim): Promise<void> {
    const { options, group, worker } = this.#parts;
    if (claim.lost.aborted) return;
    try {
      await worker(claim, this.#stopping.signal);
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error(String(error));
      const fields = { topic: options.topic, group: group.id, partition: claim.partition, err: error };
      options.log.error(fields, 'consumer failed');
    } finally {
      claim.lose(new OwnershipLost('its worker returned'));
    }
  }
}
