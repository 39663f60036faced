import type { Claim, StreamRecord } from '../../src/core/stream.ts';
import { MemoryPartition } from '../assess/memory-partition.ts';

/** After so many reads without a record, whoever reads has done all there is to do. */
const quietReads = 3;

/** A partition in memory that hands out as many records as it is told to, one by one; all at first. */
export class MeteredPartition extends MemoryPartition {
  #allowed = Number.POSITIVE_INFINITY;
  #moved = Promise.withResolvers<void>();
  /** Reads in a row that began after one without a record, since `settled` was called last. */
  #quiet = 0;
  #isHeld = false;
  #settled = Promise.withResolvers<void>();

  /** From now on hands out so many records. */
  allow(records: number): void {
    this.#allowed = records;
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }

  /** Resolves when whoever reads has taken all that is there and allowed. */
  async settled(): Promise<void> {
    this.#quiet = 0;
    this.#settled = Promise.withResolvers();
    if (this.#isHeld && this.#allowed === 0) return;
    await this.#settled.promise;
  }

  /** As `claim`; its reads end when `over` aborts, too. */
  metered(lost: AbortSignal, over: AbortSignal): Claim {
    const { claim } = this.claim(lost);
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    for (const signal of [over, lost]) signal.addEventListener('abort', () => resolve(), { once: true });
    let last: readonly StreamRecord[] = [];
    const read: Claim['read'] = async (offset, limitBytes, waitMs) => {
      this.#quiet = last.length === 0 ? this.#quiet + 1 : 0;
      if (this.#quiet > quietReads) this.#settled.resolve();
      while (this.#allowed === 0 && !over.aborted && !lost.aborted) {
        this.#isHeld = true;
        this.#settled.resolve();
        await Promise.race([this.#moved.promise, ended]);
        this.#isHeld = false;
      }
      if (this.#allowed === 0) return [];
      const isMetered = this.#allowed !== Number.POSITIVE_INFINITY;
      last = await claim.read(offset, isMetered ? 1 : limitBytes, waitMs);
      this.#allowed -= last.length;
      return last;
    };
    return { ...claim, read };
  }
}
