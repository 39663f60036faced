/** The smallest memory that is kept, as a power of two. */
const leastBits = 12;

/**
 * Memory of written requests, used again. Fresh memory costs as much as all other work on a request: the system has
 * to clear its pages, and every 32 MB the garbage collector walks the heap. Memory comes back only when its owner
 * says so; what nobody gives back is the garbage collector's.
 */
export class PayloadPool {
  readonly #limitBytes: number;
  /** By the power of two that is their size. */
  readonly #kept = new Map<number, ArrayBuffer[]>();
  #keptBytes = 0;
  /** What may be given back, once. */
  readonly #taken = new WeakSet<ArrayBuffer>();

  /** Keeps at most `limitBytes` for later; with 0 all memory is fresh. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Memory of at least `bytes`, with any content; the caller's own until it gives it back. */
  take(bytes: number): Buffer<ArrayBuffer> {
    if (this.#limitBytes === 0) return Buffer.allocUnsafeSlow(bytes);
    const bits = Math.max(leastBits, Math.ceil(Math.log2(bytes)));
    const kept = this.#kept.get(bits)?.pop();
    const taken = kept ? Buffer.from(kept) : Buffer.allocUnsafeSlow(2 ** bits);
    if (kept) this.#keptBytes -= kept.byteLength;
    this.#taken.add(taken.buffer);
    return taken;
  }

  /** Takes back the memory behind `payload`, which nobody may read from now on; anything not taken here is left alone. */
  give(payload: Buffer<ArrayBuffer>): void {
    const memory = payload.buffer;
    if (!this.#taken.delete(memory) || this.#keptBytes + memory.byteLength > this.#limitBytes) return;
    this.#keptBytes += memory.byteLength;
    const bits = Math.log2(memory.byteLength);
    const kept = this.#kept.get(bits);
    if (kept) kept.push(memory);
    else this.#kept.set(bits, [memory]);
  }
}
