import type { RunStart } from './finished-run.ts';
import { cell, word, type RunTable } from './run-table.ts';

/** Where runs begin: on one partition at first, and perhaps on others. */
export class RunStarts {
  readonly #runs: RunTable;
  /** On others than the first, of the few runs that have any. */
  readonly #others = new Map<number, readonly RunStart[]>();

  constructor(runs: RunTable) {
    this.#runs = runs;
  }

  /** A run begins, on `partition` at `offset`. */
  begin(run: number, partition: number, offset: number): void {
    this.#runs.words[this.#runs.wordAt(run) + word.partition] = partition;
    this.#runs.cells[this.#runs.cellAt(run) + cell.offset] = offset;
  }

  /** Notes that `run` has a span on `partition` at `offset`, after those that are known. Whether it is the first one there. */
  add(run: number, partition: number, offset: number): boolean {
    if (this.on(run, partition) !== undefined) return false;
    this.#others.set(run, [...(this.#others.get(run) ?? []), { partition, offset }]);
    return true;
  }

  /** The offset at which `run` begins on `partition`; undefined when it has no span there. */
  on(run: number, partition: number): number | undefined {
    const { words, cells } = this.#runs;
    if (words[this.#runs.wordAt(run) + word.partition] === partition)
      return cells[this.#runs.cellAt(run) + cell.offset];
    return this.#others.get(run)?.find((start) => start.partition === partition)?.offset;
  }

  /** One for each partition on which `run` has spans. */
  of(run: number): readonly RunStart[] {
    const partition = this.#runs.words[this.#runs.wordAt(run) + word.partition]!;
    const first = { partition, offset: this.#runs.cells[this.#runs.cellAt(run) + cell.offset]! };
    const others = this.#others.size === 0 ? undefined : this.#others.get(run);
    return others ? [first, ...others] : [first];
  }

  /** Lets `into` begin where `from` does, if that is before. */
  merge(from: number, into: number): void {
    for (const { partition, offset } of this.of(from)) {
      const known = this.on(into, partition);
      if (known === undefined) this.add(into, partition, offset);
      else if (offset < known) this.#move(into, partition, offset);
    }
  }

  #move(run: number, partition: number, offset: number): void {
    const others = this.#others.get(run)?.filter((start) => start.partition !== partition) ?? [];
    const isFirst = this.#runs.words[this.#runs.wordAt(run) + word.partition] === partition;
    if (isFirst) this.#runs.cells[this.#runs.cellAt(run) + cell.offset] = offset;
    else this.#others.set(run, [...others, { partition, offset }]);
  }

  drop(run: number): void {
    if (this.#others.size > 0) this.#others.delete(run);
  }
}
