import type { Cluster, HeardTopic } from './kafka-cluster.ts';
import { faultCode, faultText } from './kafka-fault.ts';
import type { KafkaOptions } from './kafka-options.ts';

/** What is amiss is believed once it lasts: brokers restart, and one that was cut off tells of what was before. */
const sureMs = 5000;

interface Amiss {
  readonly kind: 'silent' | 'grown' | 'deleted' | 'anew';
  readonly what: string;
}

/** Watches that the brokers of a topic can be reached, and that it stays what it was when the stream started. */
export class TopicWatch {
  /** Kafka's id of the topic: another one when it is created anew. */
  readonly id: string;
  readonly #cluster: Cluster;
  readonly #options: Pick<KafkaOptions, 'topic' | 'partitions'>;
  #amiss: { readonly kind: Amiss['kind']; readonly sinceMs: number } | undefined;
  #fault: Error | undefined;
  #gone: Error | undefined;

  constructor(cluster: Cluster, options: Pick<KafkaOptions, 'topic' | 'partitions'>, id: string) {
    this.#cluster = cluster;
    this.#options = options;
    this.id = id;
  }

  /** Why nothing can be read or written any more; undefined while the topic is there. */
  get gone(): Error | undefined {
    return this.#gone;
  }

  /** The same, or why nothing can be for the time being. */
  get stopped(): Error | undefined {
    return this.#gone ?? (this.#amiss?.kind === 'silent' ? this.#fault : undefined);
  }

  /** The same, or why some of the topic is not read. */
  get fault(): Error | undefined {
    return this.#gone ?? this.#fault;
  }

  /** Asks what the topic is now. `hung` is as in `Cluster.refresh`. Never rejects. */
  async look(hung?: number): Promise<void> {
    const amiss = await this.#cluster.refresh(hung).then(
      () => this.#compare(this.#cluster.topic),
      (error: unknown) => {
        if (faultCode(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return this.#compare(undefined);
        return { kind: 'silent', what: `cannot be reached: ${faultText(error)}` } as const;
      },
    );
    const nowMs = performance.now();
    if (amiss?.kind !== this.#amiss?.kind) {
      this.#amiss = amiss && { kind: amiss.kind, sinceMs: nowMs };
      this.#fault = undefined;
    }
    if (!amiss || nowMs - (this.#amiss?.sinceMs ?? nowMs) < sureMs) return;
    this.#fault = new Error(`the topic ${this.#options.topic} ${amiss.what}`);
    // Ids are never used again: what is gone stays so.
    if (amiss.kind === 'deleted' || amiss.kind === 'anew') this.#gone ??= this.#fault;
  }

  #compare(heard: HeardTopic | undefined): Amiss | undefined {
    const { partitions } = this.#options;
    if (!heard)
      return {
        kind: 'deleted',
        what: 'was deleted, with what was in it: restart, so that it is created anew',
      };
    if (heard.id !== this.id)
      return {
        kind: 'anew',
        what: 'was deleted and created anew while it was in use: its offsets mean other records now; restart, so that what was stored is checked against it',
      };
    if (heard.partitions === partitions) return undefined;
    return {
      kind: 'grown',
      what: `has ${heard.partitions} partitions now and was started with ${partitions}: nobody reads the others; set partitions: ${heard.partitions} in every role and restart`,
    };
  }
}
