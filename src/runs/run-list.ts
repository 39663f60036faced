import { none } from './rows.ts';
import { word, type RunTable } from './run-table.ts';

/** A list, as a snapshot keeps it; what is between its ends is in the rows of the runs. */
export interface RunListState {
  readonly first: number;
  readonly last: number;
  readonly size: number;
}

/** Runs in the order in which they were added. A run is in one list at a time; adding and removing take no memory. */
export class RunList {
  readonly #runs: RunTable;
  #first = none;
  #last = none;
  #size = 0;

  constructor(runs: RunTable) {
    this.#runs = runs;
  }

  save(): RunListState {
    return { first: this.#first, last: this.#last, size: this.#size };
  }

  /** Makes this the list that was saved; its runs are restored. */
  restore({ first, last, size }: RunListState): void {
    this.#first = first;
    this.#last = last;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /** The run that was added before the others, or `none`. */
  get first(): number {
    return this.#first;
  }

  /** The run that was added after `run`, or `none`. */
  after(run: number): number {
    return this.#runs.words[this.#runs.wordAt(run) + word.next]!;
  }

  add(run: number): void {
    const { words } = this.#runs;
    const at = this.#runs.wordAt(run);
    words[at + word.previous] = this.#last;
    words[at + word.next] = none;
    if (this.#last === none) this.#first = run;
    else words[this.#runs.wordAt(this.#last) + word.next] = run;
    this.#last = run;
    this.#size++;
  }

  remove(run: number): void {
    const { words } = this.#runs;
    const at = this.#runs.wordAt(run);
    const previous = words[at + word.previous]!;
    const next = words[at + word.next]!;
    if (previous === none) this.#first = next;
    else words[this.#runs.wordAt(previous) + word.next] = next;
    if (next === none) this.#last = previous;
    else words[this.#runs.wordAt(next) + word.previous] = previous;
    this.#size--;
  }
}
