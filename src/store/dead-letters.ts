import type { Sink } from '../core/component.ts';
import type { NewRecord, StreamRecord } from '../core/stream.ts';
import type { Origin } from './place.ts';

/** A record, or one span of a record, that can never be stored. */
export interface DeadLetter {
  readonly record: Pick<StreamRecord, 'offset' | 'headers'>;
  /** The span's index in its record; 0 for a whole record. */
  readonly index: number;
  readonly payload: Uint8Array;
  readonly spans: number;
  /** Why, as one sentence. */
  readonly reason: string;
}

/** What a dead letter says of itself, beside the headers its record had. */
export const deadLetterHeaders = {
  /** `StreamId/partition/offset/index`: the same span has the same key, however often it is sent. */
  key: 'plimsoll.dead.key',
  reason: 'plimsoll.dead.reason',
  /** Which part of the pipeline gave it up. */
  origin: 'plimsoll.dead.origin',
} as const;

/** About how many bytes of letters are sent at once, so that they fit a small stream however many there are. */
const batchBytes = 2 ** 20;

/** Sends what can never be stored to where an operator can look at it. All go to partition 0: their order means nothing. */
export class DeadLetters {
  readonly #sink: Sink<readonly NewRecord[]>;

  constructor(sink: Sink<readonly NewRecord[]>) {
    this.#sink = sink;
  }

  /**
   * Resolves when the letters are durable; a rejection means that their positions must be held, and with an `invalid`
   * Failure that a letter is larger than the dead letters can ever take.
   */
  async send(origin: Origin, letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    let batch: DeadLetter[] = [];
    let bytes = 0;
    for (const letter of letters) {
      if (batch.length > 0 && bytes + letter.payload.length > batchBytes) {
        await this.#send(origin, batch, signal);
        [batch, bytes] = [[], 0];
      }
      batch.push(letter);
      bytes += letter.payload.length;
    }
    await this.#send(origin, batch, signal);
  }

  #send(origin: Origin, letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const records = letters.map(({ record, index, payload, spans, reason }) => ({
      partition: 0,
      payload,
      spans,
      headers: {
        ...record.headers,
        [deadLetterHeaders.key]: `${origin.streamId}/${origin.partition}/${record.offset}/${index}`,
        [deadLetterHeaders.reason]: reason,
        [deadLetterHeaders.origin]: 'store',
      },
    }));
    return this.#sink.consume(records, signal);
  }
}
