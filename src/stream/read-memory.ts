/** The most memory that is kept from read to read; readers ask for 4 MiB at most, and a single record may be larger. */
const keptBytes = 2 ** 23;

/**
 * Where the reads of one claim put the bytes they lend: one arena, begun anew with every read, so that reading makes no
 * garbage. It grows to what the last read wanted, to 8 MiB at most, and lives as long as the claim; what does not fit
 * gets memory of its own.
 */
export class ReadMemory {
  #arena = Buffer.alloc(0);
  #wantedBytes = 0;
  #used = 0;

  /** Begins a read; what the one before put here may be written over. */
  begin(): void {
    if (this.#wantedBytes > this.#arena.length && this.#wantedBytes <= keptBytes)
      this.#arena = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(this.#wantedBytes)));
    this.#wantedBytes = 0;
    this.#used = 0;
  }

  /** A copy of `bytes`, lent until the next `begin`. */
  copy(bytes: Uint8Array): Buffer {
    this.#wantedBytes += bytes.length;
    const end = this.#used + bytes.length;
    if (end > this.#arena.length) return Buffer.from(bytes);
    this.#arena.set(bytes, this.#used);
    const copy = this.#arena.subarray(this.#used, end);
    this.#used = end;
    return copy;
  }
}
