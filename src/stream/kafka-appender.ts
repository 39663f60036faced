import { setTimeout as sleep } from 'node:timers/promises';
import { createAPI, initProducerIdV4, produceV9, Writer } from '@platformatic/kafka';
import { delayMs } from '../core/backoff.ts';
import { Failure } from '../core/failure.ts';
import type { NewRecord } from '../core/stream.ts';
import type { BatchEncoder, BatchOrigin } from './kafka-batch.ts';
import type { Cluster } from './kafka-cluster.ts';
import { faultCode, faultText } from './kafka-fault.ts';
import type { KafkaOptions } from './kafka-options.ts';

const backoff = { initialMs: 50, maxMs: 1000 };
/** How long the leader may wait for its followers before it answers. */
const followersMs = 5000;
/** A leader that takes longer hangs: by then another may lead. */
const leaderMs = followersMs + 1000;
const noTransaction = null;
const allReplicas = -1;

/** About the most bytes of one batch before compression: beyond, a batch is not packed any better and only stalls. */
const batchBytes = 2 ** 20;
const sequences = 2 ** 31;
/** Partitions share so many connections: a broker answers those of one connection one after another. */
const lanes = 8;

/** Codes that no retry of the same batch can cure. */
const finalCodes: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_REQUIRED_ACKS',
  'UNSUPPORTED_VERSION',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'POLICY_VIOLATION',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
]);
const tooLargeCodes: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** One append: settles when each of its records has, in whichever partition, because until then their memory is lent. */
export class Append {
  readonly signal: AbortSignal;
  readonly settled: Promise<void>;
  readonly #settle: { resolve: () => void; reject: (reason: Failure) => void };
  #left: number;
  #failure: Failure | undefined;

  constructor(records: number, signal: AbortSignal) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.settled = promise;
    this.#settle = { resolve, reject };
    this.#left = records;
    this.signal = signal;
  }

  /** Settles one record: durable, or not because of `failure`. */
  settle(failure: Failure | undefined): void {
    this.#failure ??= failure;
    if (--this.#left > 0) return;
    if (this.#failure) this.#settle.reject(this.#failure);
    else this.#settle.resolve();
  }
}

interface Waiting {
  readonly record: NewRecord;
  readonly append: Append;
  readonly sinceMs: number;
}

/** Everything appenders share. */
export interface AppenderParts {
  readonly options: KafkaOptions;
  readonly cluster: Cluster;
  readonly encoder: BatchEncoder;
  /** Aborts when what is still to be sent is given up. */
  readonly abandoned: AbortSignal;
}

/** Produces a batch that is ready, unlike the API of the package, which makes and packs it again for every try. */
const produce = createAPI<[topic: string, partition: number, batch: Buffer], produceV9.ProduceResponse>(
  0,
  9,
  (topic: string, partition: number, batch: Buffer) =>
    Writer.create()
      .appendString(noTransaction)
      .appendInt16(allReplicas)
      .appendInt32(followersMs)
      .appendArray([topic], (topics, name) =>
        topics.appendString(name).appendArray([partition], (partitions, number) => {
          partitions
            .appendInt32(number)
            .appendUnsignedVarInt(batch.length + 1)
            .append(batch);
        }),
      )
      .appendTaggedFields(),
  produceV9.parseResponse,
);

/**
 * Appends to one partition, one batch at a time, as a producer of its own. A batch whose outcome is unknown is sent again
 * byte for byte, under its sequence number, so that the broker keeps one of the copies; when it is given up, so is
 * the producer: a later batch under the same number would pass for a copy of it.
 */
export class PartitionAppender {
  readonly #parts: AppenderParts;
  readonly #partition: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #origin: BatchOrigin | undefined;
  #running: Promise<void> | undefined;
  #hurry = new AbortController();
  #closing = false;

  constructor(parts: AppenderParts, partition: number) {
    this.#parts = parts;
    this.#partition = partition;
  }

  /** Takes a record; settles `append` for it once it is durable or given up. */
  add(record: NewRecord, append: Append): void {
    this.#waiting.push({ record, append, sinceMs: performance.now() });
    this.#waitingBytes += record.payload.length;
    if (this.#waitingBytes >= batchBytes) this.#hurry.abort();
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  /** Sends what waits without waiting for more; resolves when everything has settled. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#hurry.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      await this.#linger(first.sinceMs + this.#parts.options.lingerMs - performance.now());
      const batch = this.#take();
      if (batch.length > 0) await this.#send(batch, performance.now() + this.#parts.options.deliveryMs);
    }
  }

  async #linger(ms: number): Promise<void> {
    if (ms <= 0 || this.#closing || this.#waitingBytes >= batchBytes) return;
    this.#hurry = new AbortController();
    await sleep(ms, undefined, { signal: this.#hurry.signal }).catch(() => undefined); // enough has come to go at once
  }

  /** Takes the records of the next batch; those whose append was given up are settled instead. */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    let taken = 0;
    for (const waiting of this.#waiting) {
      const { payload } = waiting.record;
      if (batch.length > 0 && bytes + payload.length > batchBytes) break;
      taken++;
      this.#waitingBytes -= payload.length;
      if (waiting.append.signal.aborted) {
        waiting.append.settle(new Failure('unavailable', 'the append was given up before it began'));
        continue;
      }
      batch.push(waiting);
      bytes += payload.length;
    }
    this.#waiting.splice(0, taken);
    return batch;
  }

  async #send(batch: readonly Waiting[], untilMs: number): Promise<void> {
    const { options, cluster, encoder, abandoned } = this.#parts;
    let encoded: { readonly bytes: Buffer; readonly origin: BatchOrigin } | undefined;
    for (let attempt = 0; ; attempt++) {
      try {
        encoded ??= await this.#encode(batch, encoder);
        const offset = await this.#produce(encoded.bytes);
        this.#conclude(batch, encoded.origin, offset);
        return;
      } catch (error) {
        const code = faultCode(error) ?? '';
        if (encoded && code === 'DUPLICATE_SEQUENCE_NUMBER') {
          this.#conclude(batch, encoded.origin, undefined);
          return;
        }
        if (tooLargeCodes.has(code)) {
          await this.#sendSmaller(batch, untilMs);
          return;
        }
        const waitMs = delayMs(backoff, attempt, 0.5 + Math.random() / 2);
        if (finalCodes.has(code) || abandoned.aborted || performance.now() + waitMs > untilMs) {
          this.#giveUp(batch, error);
          return;
        }
        const { topic } = options;
        options.log.debug(
          { topic, partition: this.#partition, attempt, err: error },
          'append will be retried',
        );
        options.telemetry.count('plimsoll_stream_append_retries_total', 1, { topic });
        await sleep(waitMs, undefined, { signal: abandoned }).catch(() => undefined); // then one last try
        await cluster.refresh().catch(() => undefined); // the next try fails if that matters
      }
    }
  }

  async #encode(batch: readonly Waiting[], encoder: BatchEncoder) {
    const { clock } = this.#parts.options;
    const origin = (this.#origin ??= await this.#newProducer());
    const records = batch.map(({ record }) => record);
    return { origin, bytes: encoder.encode(records, clock.nowMs(), origin) };
  }

  async #newProducer(): Promise<BatchOrigin> {
    const answer = await this.#parts.cluster.ask((connection) =>
      initProducerIdV4.api.async(connection, noTransaction, 0, -1n, -1),
    );
    return { producerId: answer.producerId, producerEpoch: answer.producerEpoch, sequence: 0 };
  }

  /** Resolves with the offset of the batch when the broker holds it on every replica in sync. */
  async #produce(batch: Buffer): Promise<number | undefined> {
    const { cluster, options } = this.#parts;
    const lane = `append ${this.#partition % lanes}`;
    const connection = await cluster.leader(this.#partition, lane, leaderMs);
    const { responses } = await produce.async(connection, options.topic, this.#partition, batch);
    const offset = responses[0]?.partitionResponses[0]?.baseOffset;
    return offset === undefined ? undefined : Number(offset);
  }

  #conclude(batch: readonly Waiting[], origin: BatchOrigin, offset: number | undefined): void {
    const { topic, telemetry } = this.#parts.options;
    this.#origin = { ...origin, sequence: (origin.sequence + batch.length) % sequences };
    telemetry.count('plimsoll_stream_records_total', batch.length, { topic });
    const partition = String(this.#partition);
    if (offset !== undefined && offset >= 0)
      telemetry.set('plimsoll_stream_end_offset', offset + batch.length, { topic, partition });
    for (const { append } of batch) append.settle(undefined);
  }

  /** Sends the halves of a batch that the topic does not take whole; nothing of it was stored. */
  async #sendSmaller(batch: readonly Waiting[], untilMs: number): Promise<void> {
    if (batch.length > 1) {
      const half = Math.ceil(batch.length / 2);
      await this.#send(batch.slice(0, half), untilMs);
      await this.#send(batch.slice(half), untilMs);
      return;
    }
    const [only] = batch;
    const bytes = only?.record.payload.length ?? 0;
    const message = `the topic ${this.#parts.options.topic} does not take a record of ${bytes} bytes: send smaller batches, or raise the topic's max.message.bytes`;
    only?.append.settle(new Failure('invalid', message));
  }

  #giveUp(batch: readonly Waiting[], error: unknown): void {
    const { topic, log } = this.#parts.options;
    this.#origin = undefined;
    const why = `the topic ${topic} cannot be appended to: ${faultText(error)}`;
    log.warn({ topic, partition: this.#partition, records: batch.length, err: error }, 'append was given up');
    for (const { append } of batch) append.settle(new Failure('unavailable', why, { cause: error }));
  }
}
