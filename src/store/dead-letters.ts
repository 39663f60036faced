import type { Sink } from '../core/component.ts';
import type { NewRecord, Position, StreamRecord } from '../core/stream.ts';
import type { Origin } from './place.ts';

/** A record, or one span of a record, that can never be stored. */
export interface DeadLetter {
  readonly record: Pick<StreamRecord, 'offset' | 'timeMs' | 'headers'>;
  /** The span's index in its record; 0 for a whole record. */
  readonly index: number;
  readonly payload: Uint8Array;
  readonly spans: number;
  /** Why, as one sentence. */
  readonly reason: string;
  /** How often it has been given up: 1 by the store, one more by each replay. */
  readonly attempt: number;
}

/** What a dead letter says of itself, beside the headers its record had. Times are ISO 8601 in UTC. */
export const deadLetterHeaders = {
  /** `StreamId/partition/offset/index`: the same span has the same key, however often it is sent. */
  key: 'plimsoll.dead.key',
  reason: 'plimsoll.dead.reason',
  /** Which part of the pipeline gave it up: `store`, or `replay` when that failed too. */
  origin: 'plimsoll.dead.origin',
  attempt: 'plimsoll.dead.attempt',
  /** When it was given up. */
  time: 'plimsoll.dead.time',
  /** When its record was written: a row depends on that. */
  recordTime: 'plimsoll.dead.record_time',
} as const;

/** Who gives up the letters that are sent together, and when. */
export interface Giver {
  readonly part: 'store' | 'replay';
  readonly nowMs: number;
}

/** The name of a span, or of a record by its first span, wherever it goes. */
export function letterKey({ streamId, partition }: Origin, { offset, index }: Position): string {
  return `${streamId}/${partition}/${offset}/${index}`;
}

/** About how many bytes of letters are sent at once, so that they fit a small stream however many there are. */
const batchBytes = 2 ** 20;

/** Sends what can never be stored to where an operator can look at it. All go to partition 0: their order means nothing. */
export class DeadLetters {
  readonly #sink: Sink<readonly NewRecord[]>;

  constructor(sink: Sink<readonly NewRecord[]>) {
    this.#sink = sink;
  }

  /**
   * Resolves when the letters are durable; a rejection means that some may not be, and with an `invalid` Failure that
   * one is larger than the dead letters take as they are now.
   */
  async send(
    origin: Origin,
    letters: readonly DeadLetter[],
    giver: Giver,
    signal: AbortSignal,
  ): Promise<void> {
    let batch: NewRecord[] = [];
    let bytes = 0;
    for (const letter of letters) {
      if (batch.length > 0 && bytes + letter.payload.length > batchBytes) {
        await this.#sink.consume(batch, signal);
        [batch, bytes] = [[], 0];
      }
      batch.push(recordOf(origin, letter, giver));
      bytes += letter.payload.length;
    }
    await this.#sink.consume(batch, signal);
  }
}

function recordOf(origin: Origin, letter: DeadLetter, { part, nowMs }: Giver): NewRecord {
  const { record, index, payload, spans, reason, attempt } = letter;
  const headers = {
    ...record.headers,
    [deadLetterHeaders.key]: letterKey(origin, { offset: record.offset, index }),
    [deadLetterHeaders.reason]: reason,
    [deadLetterHeaders.origin]: part,
    [deadLetterHeaders.attempt]: String(attempt),
    [deadLetterHeaders.time]: new Date(nowMs).toISOString(),
    [deadLetterHeaders.recordTime]: new Date(record.timeMs).toISOString(),
  };
  return { partition: 0, payload, spans, headers };
}
