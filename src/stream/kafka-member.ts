import { setTimeout as sleep } from 'node:timers/promises';
import { heartbeatV4, leaveGroupV4, type Connection } from '@platformatic/kafka';
import { delayMs } from '../core/backoff.ts';
import { OwnershipLost, type ClaimWorker, type StreamConsumer } from '../core/stream.ts';
import { KafkaClaim, type ClaimOwner } from './kafka-claim.ts';
import type { Cluster } from './kafka-cluster.ts';
import { faultCode, faultText } from './kafka-fault.ts';
import { commitOffset, committedOffsets, join, type Membership } from './kafka-group.ts';
import type { GroupOptions, KafkaOptions } from './kafka-options.ts';
import { whenAborted } from './when-aborted.ts';

const backoff = { initialMs: 200, maxMs: 5000 };
/** A member is missed after so many heartbeats. */
const heartbeatsPerSession = 10;
const longestHeartbeatMs = 1000;

/** Codes after which the coordinator must be looked for again, though the membership may still stand. */
const movedCodes: ReadonlySet<string> = new Set([
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
]);

/** What a member is made of. */
export interface MemberParts {
  readonly options: KafkaOptions;
  readonly cluster: Cluster;
  readonly topicId: string;
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
  #owned: number | undefined;
  /** Ends the wait for the next heartbeat: a commit failed, so this membership is over. */
  #over = new AbortController();
  #mayHaveCommitted = false;
  #memberId = '';
  #heardAtMs = 0;
  #connection: Connection | undefined;

  constructor(parts: MemberParts) {
    this.name = `consumer ${parts.group.id}`;
    this.#parts = parts;
  }

  get fault(): Error | undefined {
    return this.#fault;
  }

  get owned(): number | undefined {
    return this.#owned;
  }

  async start(): Promise<void> {
    this.#running ??= this.#run();
    return Promise.resolve();
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
    const { options, group, cluster, lane } = this.#parts;
    const sinceMs = options.clock.nowMs();
    for (let faults = 0; !this.#stopping.signal.aborted; faults++) {
      this.#over = new AbortController();
      this.#mayHaveCommitted = false;
      try {
        await this.#belong(sinceMs);
        faults = -1;
      } catch (error) {
        if (faultCode(error) === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
        const fields = { topic: options.topic, group: group.id, why: faultText(error) };
        if (!this.#stopping.signal.aborted) options.log.warn(fields, 'consumer group cannot be joined yet');
        await sleep(delayMs(backoff, faults, 1), undefined, { signal: this.#leaving.signal }).catch(
          () => undefined,
        ); // leaving ends it
      } finally {
        this.#loseAll('the group was joined anew');
      }
    }
    await this.#leave().catch(() => undefined); // the session ends by itself
    cluster.closeLane(this.#joinLane);
    cluster.closeLane(lane);
  }

  /** One membership: joins and works until it is over. */
  async #belong(sinceMs: number): Promise<void> {
    const { options, cluster, group } = this.#parts;
    const at = { cluster, group, options, lane: this.#joinLane };
    this.#connection = undefined; // another broker may coordinate the group by now
    const membership = await join(at, this.#memberId, sinceMs, (id) => (this.#memberId = id));
    options.telemetry.count('plimsoll_stream_joins_total', 1, { topic: options.topic, group: group.id });
    this.#heardAtMs = performance.now();
    const committed = await committedOffsets(await this.#coordinator(), at, membership.partitions);
    const owner = this.#ownerOf(membership);
    for (const partition of membership.partitions) {
      this.#begin(
        new KafkaClaim({ ...owner, lane: `${owner.lane} ${partition}` }, partition, committed.get(partition)),
      );
    }
    this.#owned = membership.partitions.length;
    await this.#stay(membership);
  }

  #ownerOf(membership: Membership): ClaimOwner {
    const { options, cluster, group, lane, topicId } = this.#parts;
    const over = this.#over;
    return {
      options,
      cluster,
      group: group.id,
      topicId,
      lane,
      isOverdue: () => this.#isOverdue(),
      commit: async (partition, offset, metadata) => {
        const commit = { partition, offset, metadata };
        await commitOffset(await this.#coordinator(), { group, options }, membership, commit);
      },
      giveUp: (isUncertain) => {
        if (this.#over !== over) return;
        this.#mayHaveCommitted ||= isUncertain;
        over.abort();
      },
    };
  }

  #isOverdue(): boolean {
    return performance.now() - this.#heardAtMs > this.#parts.options.sessionMs;
  }

  async #coordinator(): Promise<Connection> {
    if (!this.#connection?.isConnected())
      this.#connection = await this.#parts.cluster.coordinator(this.#parts.group.id, this.#parts.lane);
    return this.#connection;
  }

  /** Keeps the membership alive; resolves when the group must be joined anew. */
  async #stay({ memberId, generation }: Membership): Promise<void> {
    const { group, options } = this.#parts;
    const everyMs = Math.min(longestHeartbeatMs, options.sessionMs / heartbeatsPerSession);
    const ended = AbortSignal.any([this.#leaving.signal, this.#over.signal]);
    while (!ended.aborted) {
      const sentAtMs = performance.now();
      try {
        await heartbeatV4.api.async(await this.#coordinator(), group.id, generation, memberId, null);
        this.#heardAtMs = sentAtMs;
      } catch (error) {
        const code = faultCode(error);
        if (code === 'UNKNOWN_MEMBER_ID') this.#memberId = '';
        if (this.#isOverdue() || (code !== undefined && !movedCodes.has(code))) return;
        this.#connection = undefined;
      }
      await sleep(everyMs, undefined, { signal: ended }).catch(() => undefined); // the loop looks at the signal
    }
    if (!this.#mayHaveCommitted) return;
    this.#loseAll('the outcome of a commit is unknown');
    await this.#leave().catch(() => undefined); // the session ends by itself
  }

  /** Leaves the group, so that a late copy of a request of this membership is refused. */
  async #leave(): Promise<void> {
    const { cluster, group, lane } = this.#parts;
    const memberId = this.#memberId;
    this.#memberId = '';
    if (memberId === '') return;
    await leaveGroupV4.api.async(await cluster.coordinator(group.id, lane), group.id, [{ memberId }]);
  }

  #loseAll(reason: string): void {
    this.#owned = undefined;
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
