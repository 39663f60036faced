import { Failure } from '../core/failure.ts';
import type { NewRecord } from '../core/stream.ts';
import type { MemoryStream } from './memory-stream.ts';

/**
 * The journal as a process sees it that dies when it has written an event: what the event announces may still happen, and
 * nobody writes that down.
 */
export class MortalJournal {
  readonly #stream: MemoryStream;
  readonly #lastEvent: string | undefined;
  #isDead = false;

  /** The process dies after an event with the name `lastEvent`; never without one. */
  constructor(stream: MemoryStream, lastEvent?: string) {
    this.#stream = stream;
    this.#lastEvent = lastEvent;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Rejects with an `unavailable` Failure once the process is dead. */
  async consume(batch: readonly NewRecord[]): Promise<void> {
    if (this.#isDead) throw new Failure('unavailable', 'the process was killed');
    await this.#stream.consume(batch);
    const last = this.#lastEvent;
    const isLast = ({ payload }: NewRecord): boolean => Buffer.from(payload).includes(`"event":"${last}"`);
    if (last !== undefined && batch.some(isLast)) this.#isDead = true;
  }

  reader(partition: number): ReturnType<MemoryStream['reader']> {
    return this.#stream.reader(partition);
  }
}
