import { Failure } from '../core/failure.ts';
import type {
  ClaimWorker,
  Commit,
  NewRecord,
  PartitionReader,
  Stream,
  StreamConsumer,
} from '../core/stream.ts';
import { payloadLimitBytes, type GroupOptions, type KafkaOptions } from './kafka-options.ts';
import type { OpenTopic } from './kafka-open-topic.ts';

/**
 * A topic of Apache Kafka as a stream. Retention is the topic's own and asks no consumer, so a group that is behind it
 * loses records; the driver cannot count appended spans.
 */
export class KafkaStream implements Stream {
  readonly name: string;
  readonly partitions: number;
  readonly recordLimitBytes: number;
  readonly #options: KafkaOptions;
  #topic: OpenTopic | undefined;

  constructor(options: KafkaOptions) {
    this.name = `stream ${options.topic}`;
    this.partitions = options.partitions;
    this.recordLimitBytes = payloadLimitBytes(options.maxRecordBytes);
    this.#options = options;
  }

  get id(): string {
    if (this.#topic) return this.#topic.id;
    throw new Error(`the id of the stream ${this.#options.topic} is known once it has started`);
  }

  get fault(): Error | undefined {
    return this.#topic?.fault;
  }

  async start(): Promise<void> {
    if (this.#topic) return;
    // Loaded only now: the client takes half a second to load, which no command without Kafka should pay.
    const { OpenTopic: opened } = await import('./kafka-open-topic.ts');
    this.#topic = await opened.open(this.#options);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const topic = this.#topic;
    this.#topic = undefined;
    await topic?.close(deadline);
  }

  async consume(records: readonly NewRecord[], signal: AbortSignal): Promise<void> {
    const topic = this.#running();
    if (signal.aborted) throw new Failure('unavailable', 'the append was given up before it began');
    if (records.length > 0) await topic.append(records, signal);
  }

  consumer(group: string, worker: ClaimWorker): StreamConsumer {
    const options = this.#group(group);
    return new KafkaConsumer(`consumer ${group}`, () => this.#running().member(options, worker));
  }

  reader(partition: number): PartitionReader {
    return this.#running().reader(partition);
  }

  async committed(group: string, partition: number): Promise<Commit | undefined> {
    return this.#running().committed(this.#group(group), partition);
  }

  appendedSpans(): undefined {
    return undefined;
  }

  #group(name: string): GroupOptions {
    const { topic, groups } = this.#options;
    const options = groups[name];
    if (options) return options;
    throw new Error(
      `the group ${name} is not among the groups of the stream ${topic} (${Object.keys(groups).join(', ')}): name it there`,
    );
  }

  #running(): OpenTopic {
    if (this.#topic) return this.#topic;
    throw new Failure('unavailable', `the stream ${this.#options.topic} is not running`);
  }
}

/** A member of a consumer group, that joins once the stream runs. */
class KafkaConsumer implements StreamConsumer {
  readonly name: string;
  readonly #join: () => StreamConsumer;
  #member: StreamConsumer | undefined;

  constructor(name: string, join: () => StreamConsumer) {
    this.name = name;
    this.#join = join;
  }

  get fault(): Error | undefined {
    return this.#member?.fault;
  }

  get isSure(): boolean {
    return this.#member?.isSure ?? false;
  }

  get owned(): number | undefined {
    return this.#member?.owned;
  }

  async start(): Promise<void> {
    this.#member ??= this.#join();
    await this.#member.start();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    await this.#member?.stop(deadline);
  }
}
