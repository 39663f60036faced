import { setTimeout as sleep } from 'node:timers/promises';
import { initProducerIdV4 } from '@platformatic/kafka';
import { delayMs } from '../core/backoff.ts';
import { Failure } from '../core/failure.ts';
import type { NewRecord } from '../core/stream.ts';
import type { Append } from './kafka-append.ts';
import type { BatchEncoder, BatchOrigin } from './kafka-batch.ts';
import type { Cluster } from './kafka-cluster.ts';
import { faultCode, faultText } from './kafka-fault.ts';
import { payloadLimitBytes, type KafkaOptions } from './kafka-options.ts';
import { leaderMs, produce } from './kafka-produce.ts';

const backoff = { initialMs: 50, maxMs: 1000 };
const noTransaction = null;

/** About the most bytes of one batch before compression, if the topic takes so many: beyond, a batch is not packed any better and only stalls. */
const largeBatchBytes = 2 ** 20;
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

/**
 * Appends to one partition, one batch at a time, as a producer of its own. A batch whose outcome is unknown is sent again
 * byte for byte, under its sequence number, so that the broker keeps one of the copies; when it is given up, so is
 * the producer: a later batch under the same number would pass for a copy of it.
 */
export class PartitionAppender {
  readonly #parts: AppenderParts;
  readonly #partition: number;
  readonly #batchBytes: number;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #origin: BatchOrigin | undefined;
  #running: Promise<void> | undefined;
  /** What went wrong last, for those who never got their turn. */
  #fault: unknown;
  #hurry = new AbortController();
  #closing = false;

  constructor(parts: AppenderParts, partition: number) {
    this.#parts = parts;
    this.#partition = partition;
    this.#batchBytes = Math.min(largeBatchBytes, payloadLimitBytes(parts.options.maxRecordBytes));
  }

  /** Takes a record; settles `append` for it once it is durable or given up. */
  add(record: NewRecord, append: Append): void {
    this.#waiting.push({ record, append, sinceMs: performance.now() });
    this.#waitingBytes += record.payload.length;
    if (this.#waitingBytes >= this.#batchBytes) this.#hurry.abort();
    this.#running ??= this.#run();
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
      const [oldest] = batch;
      if (oldest) await this.#send(batch, oldest.sinceMs + this.#parts.options.deliveryMs);
    }
    this.#running = undefined; // in the same breath as the look at what waits: whoever comes next begins anew
  }

  async #linger(ms: number): Promise<void> {
    if (ms <= 0 || this.#closing || this.#waitingBytes >= this.#batchBytes) return;
    this.#hurry = new AbortController();
    await sleep(ms, undefined, { signal: this.#hurry.signal }).catch(() => undefined); // enough has come to go at once
  }

  /** Takes the records of the next batch; those that nobody waits for, or that waited too long, are settled instead. */
  #take(): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    let taken = 0;
    for (const waiting of this.#waiting) {
      const { payload } = waiting.record;
      if (batch.length > 0 && bytes + payload.length > this.#batchBytes) break;
      taken++;
      this.#waitingBytes -= payload.length;
      const failure = this.#refusal(waiting);
      if (failure) {
        waiting.append.settle(failure);
        continue;
      }
      batch.push(waiting);
      bytes += payload.length;
    }
    this.#waiting.splice(0, taken);
    return batch;
  }

  #refusal({ append, sinceMs }: Waiting): Failure | undefined {
    if (append.signal.aborted) return new Failure('unavailable', 'the append was given up before it began');
    const waitedMs = performance.now() - sinceMs;
    if (waitedMs <= this.#parts.options.deliveryMs) return undefined;
    const { topic } = this.#parts.options;
    const why = this.#fault === undefined ? '' : `: ${faultText(this.#fault)}`;
    return new Failure(
      'unavailable',
      `the topic ${topic} could not be appended to for ${Math.round(waitedMs)} ms${why}`,
    );
  }

  async #send(batch: readonly Waiting[], untilMs: number): Promise<void> {
    const { options, cluster, encoder, abandoned } = this.#parts;
    let encoded: { readonly bytes: Buffer; readonly origin: BatchOrigin } | undefined;
    for (let attempt = 0; ; attempt++) {
      try {
        encoded ??= await this.#encode(batch, encoder);
        this.#conclude(batch, encoded.origin, await this.#produce(encoded.bytes));
        return;
      } catch (error) {
        this.#fault = error;
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
        const hung = code === '' ? this.#partition : undefined;
        await cluster.refresh(hung).catch(() => undefined); // the next try fails if that matters
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
  async #produce(batch: Buffer): Promise<number> {
    const { cluster, options, abandoned } = this.#parts;
    const partition = this.#partition;
    const connection = await cluster.leader(partition, `append ${partition % lanes}`, leaderMs);
    return produce(connection, { topic: options.topic, partition }, batch, abandoned);
  }

  #conclude(batch: readonly Waiting[], origin: BatchOrigin, offset: number | undefined): void {
    const { topic, telemetry } = this.#parts.options;
    this.#origin = { ...origin, sequence: (origin.sequence + batch.length) % sequences };
    this.#fault = undefined;
    telemetry.count('plimsoll_stream_records_total', batch.length, { topic });
    const partition = String(this.#partition);
    if (offset !== undefined && offset >= 0)
      telemetry.set('plimsoll_stream_end_offset', offset + batch.length, { topic, partition });
    for (const { append } of batch) append.settle(undefined);
  }

  /**
   * Sends the halves of a batch that the topic does not take whole. By another producer: should an earlier try have been
   * taken after all, what follows under its number would pass for a copy of it.
   */
  async #sendSmaller(batch: readonly Waiting[], untilMs: number): Promise<void> {
    this.#origin = undefined;
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
