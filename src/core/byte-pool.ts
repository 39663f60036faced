/** The smallest memory that is kept, as a power of two. */
const leastBits = 14;

/**
 * Memory for large payloads, used again. Fresh memory is dear: the system has to clear its pages, and every 64 MB of
 * it make the garbage collector walk the heap. Memory comes back only when its owner says so; what nobody gives back
 * is the garbage collector's.
 */
export class BytePool {
  readonly #limitBytes: number;
  /** By the power of two that is their size. */
  readonly #kept = new Map<number, ArrayBuffer[]>();
  /** What may be given back, once. */
  readonly #taken = new WeakSet<ArrayBufferLike>();
  #keptBytes = 0;

  /** Keeps at most `limitBytes` for later. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Memory of `bytes`, with any content; the caller's own until it gives it back. */
  take(bytes: number): Buffer<ArrayBuffer> {
    const bits = Math.ceil(Math.log2(bytes));
    if (bits < leastBits) return Buffer.allocUnsafe(bytes); // the allocator's own pool is cheaper
    const kept = this.#kept.get(bits)?.pop();
    if (kept) this.#keptBytes -= kept.byteLength;
    const memory = kept ?? Buffer.allocUnsafeSlow(2 ** bits).buffer;
    this.#taken.add(memory);
    return Buffer.from(memory, 0, bytes);
  }

  /** Takes back the memory behind `bytes`, which nobody may read from now on. What was not taken here is left alone. */
  give(bytes: Uint8Array): void {
    const memory = bytes.buffer;
    if (!(memory instanceof ArrayBuffer) || !this.#taken.delete(memory)) return;
    if (this.#keptBytes + memory.byteLength > this.#limitBytes) return;
    this.#keptBytes += memory.byteLength;
    const bits = Math.log2(memory.byteLength);
    const kept = this.#kept.get(bits);
    if (kept) kept.push(memory);
    else this.#kept.set(bits, [memory]);
  }
}
