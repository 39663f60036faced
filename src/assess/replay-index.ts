/** Records and endings this close together share an entry. */
const spacingMs = 5000;

/**
 * Knows, for one partition, the oldest offset from which everything inside the longest window can be rebuilt:
 * records younger than `keepMs`, and the beginnings of runs that ended within `windowMs`, however long they took.
 */
export class ReplayIndex {
  readonly #keepMs: number;
  readonly #windowMs: number;
  readonly #records: { readonly offset: number; readonly timeMs: number }[] = [];
  /** Smallest beginning of the runs that ended in each `spacingMs` of event time. */
  readonly #endings = new Map<number, number>();
  #newestRecordMs = Number.NEGATIVE_INFINITY;

  constructor(keepMs: number, windowMs: number) {
    this.#keepMs = keepMs;
    this.#windowMs = windowMs;
  }

  /** A record appended at `timeMs` was read. */
  addRecord(offset: number, timeMs: number): void {
    const last = this.#records.at(-1);
    if (!last || timeMs - last.timeMs >= spacingMs) this.#records.push({ offset, timeMs });
    if (timeMs > this.#newestRecordMs) this.#newestRecordMs = timeMs;
  }

  /** A run that begins at `offset` ended at event time `closedMs`. */
  addEnding(offset: number, closedMs: number): void {
    const slot = Math.floor(closedMs / spacingMs);
    const known = this.#endings.get(slot);
    if (known === undefined || offset < known) this.#endings.set(slot, offset);
  }

  /** The offset to replay from, when `next` is the next offset to read; forgets what is no longer needed. */
  position(nowMs: number, watermarkMs: number, next: number): number {
    const oldestMs = nowMs - this.#keepMs;
    if (this.#newestRecordMs < oldestMs) this.#records.length = 0;
    while ((this.#records[1]?.timeMs ?? Number.POSITIVE_INFINITY) <= oldestMs) this.#records.shift();
    let position = Math.min(next, this.#records[0]?.offset ?? next);
    const oldestSlot = Math.floor((watermarkMs - this.#windowMs) / spacingMs) - 1;
    for (const [slot, offset] of this.#endings) {
      if (slot < oldestSlot) this.#endings.delete(slot);
      else if (offset < position) position = offset;
    }
    return position;
  }
}
