interface Entry {
  readonly run: number;
  readonly start: number;
}

/** So many entries that are out of date do no harm. */
const slack = 64;

/** Runs and where they start, which may be told in any order: the run that starts first is found without looking through all. */
export class StartQueue {
  readonly #starts = new Map<number, number>();
  /** A binary heap by start. It keeps entries that are out of date: of runs that were removed, or start earlier now. */
  #heap: Entry[] = [];

  /** The runs; they may be removed meanwhile. */
  runs(): Iterable<number> {
    return this.#starts.keys();
  }

  /** Adds `run`, or lets it start earlier. */
  add(run: number, start: number): void {
    const known = this.#starts.get(run);
    if (known !== undefined && known <= start) return;
    this.#starts.set(run, start);
    this.#push({ run, start });
  }

  /** Whether `run` was there. */
  remove(run: number): boolean {
    if (!this.#starts.delete(run)) return false;
    if (this.#heap.length > 2 * this.#starts.size + slack) this.#heap = this.#current();
    return true;
  }

  /** Where the run that starts first does; undefined when there is none. */
  first(): Entry | undefined {
    while (this.#heap.length > 0) {
      const entry = this.#heap[0]!;
      if (this.#starts.get(entry.run) === entry.start) return entry;
      this.#pop();
    }
    return undefined;
  }

  /** The heap without what is out of date. */
  #current(): Entry[] {
    return Array.from(this.#starts, ([run, start]) => ({ run, start })).toSorted((a, b) => a.start - b.start);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (heap[above]!.start <= entry.start) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = entry;
  }

  /** Takes the first entry off. */
  #pop(): void {
    const heap = this.#heap;
    const entry = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below + 1 < heap.length && heap[below + 1]!.start < heap[below]!.start) below++;
      if (below >= heap.length || heap[below]!.start >= entry.start) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = entry;
  }
}
