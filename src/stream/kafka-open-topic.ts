import { setTimeout as sleep } from 'node:timers/promises';
import { delayMs } from '../core/backoff.ts';
import { Failure } from '../core/failure.ts';
import type { ClaimWorker, Commit, NewRecord, PartitionReader, StreamConsumer } from '../core/stream.ts';
import { Append } from './kafka-append.ts';
import { PartitionAppender } from './kafka-appender.ts';
import { BatchEncoder } from './kafka-batch.ts';
import { KafkaClaim } from './kafka-claim.ts';
import { Cluster } from './kafka-cluster.ts';
import { faultText, isClientFault } from './kafka-fault.ts';
import { committedOffsets } from './kafka-group.ts';
import { KafkaMember } from './kafka-member.ts';
import type { GroupOptions, KafkaOptions } from './kafka-options.ts';
import { TopicWatch } from './kafka-topic-watch.ts';
import { ensureTopic } from './kafka-topic.ts';
import { whenAborted } from './when-aborted.ts';

/** How often is asked who leads, whether the topic is what it was, and where partitions end that nobody reads. */
const watchMs = 5000;
const backoff = { initialMs: 50, maxMs: 1000 };
/** How long the coordinator of a group may take to be found. */
const coordinatorMs = 15_000;

/** A topic of a running cluster, with the connections to it. */
export class OpenTopic {
  readonly #watch: TopicWatch;
  readonly #options: KafkaOptions;
  readonly #cluster: Cluster;
  readonly #appenders: readonly PartitionAppender[];
  readonly #members: KafkaMember[] = [];
  readonly #abandoned = new AbortController();
  #readers = 0;

  readonly #closing = new AbortController();
  #watching: Promise<void> | undefined;

  private constructor(id: string, options: KafkaOptions, cluster: Cluster) {
    this.#watch = new TopicWatch(cluster, options, id);
    this.#options = options;
    this.#cluster = cluster;
    const encoder = new BatchEncoder(options.compression);
    const parts = { options, cluster, encoder, abandoned: this.#abandoned.signal };
    this.#appenders = Array.from(
      { length: options.partitions },
      (_, partition) => new PartitionAppender(parts, partition),
    );
  }

  /** Connects, and creates or checks the topic. */
  static async open(options: KafkaOptions): Promise<OpenTopic> {
    const cluster = new Cluster(options);
    try {
      cluster.open();
      const topic = new OpenTopic(await ensureTopic(cluster, options), options, cluster);
      topic.#watching = topic.#look();
      return topic;
    } catch (error) {
      cluster.close();
      if (!isClientFault(error)) throw error;
      throw new Error(`the topic ${options.topic} cannot be opened: ${faultText(error)}`, { cause: error });
    }
  }

  /** Kafka's id of the topic: another one when it is created anew. */
  get id(): string {
    return this.#watch.id;
  }

  /** Why nothing can be appended; undefined while it can. Members say themselves what is not read. */
  get fault(): Error | undefined {
    return this.#watch.stopped;
  }

  async #look(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleep(watchMs, undefined, { signal }).catch(() => undefined); // the loop looks at the signal
      if (signal.aborted) return;
      await this.#watch.look();
      await Promise.all(this.#members.map(async (member) => member.measure(watchMs)));
    }
  }

  /** Resolves when every record is durable, or rejects when it is known of each whether it is. */
  async append(records: readonly NewRecord[], signal: AbortSignal): Promise<void> {
    const { topic, partitions } = this.#options;
    if (this.#watch.gone) throw new Failure('unavailable', this.#watch.gone.message);
    for (const { partition } of records) {
      if (!this.#appenders[partition])
        throw new Failure('invalid', `the stream ${topic} has ${partitions} partitions and no ${partition}`);
    }
    const append = new Append(records.length, signal);
    for (const record of records) this.#appenders[record.partition]?.add(record, append);
    await append.settled;
  }

  /** A new member of `group`, not started. */
  member(group: GroupOptions, worker: ClaimWorker): StreamConsumer {
    const member = new KafkaMember({
      options: this.#options,
      cluster: this.#cluster,
      watch: this.#watch,
      lane: `member ${this.#members.length}`,
      group,
      worker,
    });
    this.#members.push(member);
    return member;
  }

  /** Reads `partition` for nobody's group. */
  reader(partition: number): PartitionReader {
    const owner = {
      options: this.#options,
      cluster: this.#cluster,
      group: '',
      watch: this.#watch,
      lane: `reader ${this.#readers++}`,
      isOverdue: () => this.#closing.signal.aborted, // nothing else ends its calls
      commit: async () => Promise.reject(new Error('a reader commits nothing')),
      giveUp: () => undefined,
    };
    return new KafkaClaim(owner, partition, undefined);
  }

  /** What `group` has committed of `partition`. A coordinator that moves, or is new, is waited for a while. */
  async committed(group: GroupOptions, partition: number): Promise<Commit | undefined> {
    const at = { group, options: this.#options };
    const untilMs = performance.now() + coordinatorMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const connection = await this.#cluster.coordinator(group.id, 'ask');
        return (await committedOffsets(connection, at, this.id, [partition])).get(partition);
      } catch (error) {
        const waitMs = delayMs(backoff, attempt, 1);
        if (performance.now() + waitMs > untilMs)
          throw new Error(`what the group ${group.id} has committed is not known: ${faultText(error)}`, {
            cause: error,
          });
        await sleep(waitMs);
      }
    }
  }

  /** Stops its members, sends what waits, and disconnects; gives up sending at `deadline`. */
  async close(deadline: AbortSignal): Promise<void> {
    await Promise.all(this.#members.map(async (member) => member.stop(deadline)));
    const sent = Promise.all(this.#appenders.map(async (appender) => appender.close()));
    await Promise.race([sent, whenAborted(deadline)]);
    this.#abandoned.abort();
    this.#closing.abort();
    this.#cluster.close();
    await sent;
    await this.#watching;
  }
}
