import type { Claim } from '../../src/core/stream.ts';
import { MemoryPartition } from '../assess/memory-partition.ts';

/** A partition in memory that hands out as many records as it is told to, one by one; all at first. */
export class MeteredPartition extends MemoryPartition {
  #allowed = Number.POSITIVE_INFINITY;
  #waiting = false;
  #moved = Promise.withResolvers<void>();

  /** From now on hands out so many records. */
  allow(records: number): void {
    this.#allowed = records;
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }

  /** Whether nothing happens until more is allowed. */
  get isHeld(): boolean {
    return this.#waiting && this.#allowed === 0;
  }

  /** As `claim`; its reads end when `over` aborts, too. */
  metered(lost: AbortSignal, over: AbortSignal): Claim {
    const { claim } = this.claim(lost);
    const ended = new Promise<void>((resolve) => {
      over.addEventListener('abort', () => resolve(), { once: true });
      lost.addEventListener('abort', () => resolve(), { once: true });
    });
    const read: Claim['read'] = async (offset, limitBytes, waitMs) => {
      while (this.#allowed === 0 && !over.aborted && !lost.aborted) {
        this.#waiting = true;
        await Promise.race([this.#moved.promise, ended]);
        this.#waiting = false;
      }
      if (this.#allowed === 0) return [];
      const isMetered = this.#allowed !== Number.POSITIVE_INFINITY;
      const records = await claim.read(offset, isMetered ? 1 : limitBytes, waitMs);
      this.#allowed -= records.length;
      return records;
    };
    return { ...claim, read };
  }
}
