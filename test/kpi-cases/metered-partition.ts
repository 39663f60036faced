import type { Claim, StreamRecord } from '../../src/core/stream.ts';
import { MemoryPartition } from '../assess/memory-partition.ts';

/** After so many reads without a record, whoever reads has done all there is to do. */
const quietReads = 3;

/** A partition in memory that hands out as many records as it is told to, one by one; all at first. Reads of what it does not hand out wait, or find nothing. */
export class MeteredPartition extends MemoryPartition {
  #allowed = Number.POSITIVE_INFINITY;
  #isMute = false;
  /** Records that were handed out. */
  #handedOut = 0;
  #moved = Promise.withResolvers<void>();
  /** Reads in a row that began after one without a record, since `settled` was called last. */
  #quiet = 0;
  #isHeld = false;
  #settled = Promise.withResolvers<void>();

  /** The records that somebody has read. */
  get read(): readonly StreamRecord[] {
    return this.records.slice(0, this.#handedOut);
  }

  /** From now on reads find nothing, whatever there is. */
  mute(): void {
    this.#isMute = true;
  }

  /** From now on hands out so many records. */
  allow(records: number): void {
    this.#isMute = false;
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
      const from = this.#isMute ? this.records.length : offset;
      const readOnce = async (): Promise<readonly StreamRecord[]> =>
        claim.read(from, isMetered ? 1 : limitBytes, waitMs);
      last = await readOnce();
      // The clock jumps with what comes: a read that waited meanwhile must not say, by the new time, that there is nothing.
      if (last.length === 0 && this.records.length > from && !this.#isMute) last = await readOnce();
      this.#allowed -= last.length;
      this.#handedOut = Math.max(this.#handedOut, (last.at(-1)?.offset ?? -1) + 1);
      return last;
    };
    return { ...claim, read };
  }
}
