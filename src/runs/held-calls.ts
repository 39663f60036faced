import { results, type Result } from '../semconv/vocabulary.ts';
import type { Arrival } from './arrival.ts';
import type { RunSink } from './finished-run.ts';
import { none, Rows } from './rows.ts';
import { text, word as runWord, type RunTable } from './run-table.ts';
import type { SpanTable } from './span-table.ts';

const word = { next: 0, parent0: 1, parent1: 2, result: 3 } as const;
const cell = { endMs: 2, durationMs: 3, behindMs: 4 } as const;
const cellCount = 5;
const wordCount = 2 * cellCount;

/** Tool calls that wait for the labels of their runs, chained by run in the order in which they arrived. */
export class HeldCalls {
  readonly #rows = new Rows(cellCount);
  readonly #tools: string[] = [];
  readonly #runs: RunTable;
  readonly #spans: SpanTable;

  constructor(runs: RunTable, spans: SpanTable) {
    this.#runs = runs;
    this.#spans = spans;
  }

  /** Calls held, over all runs. */
  get count(): number {
    return this.#rows.count;
  }

  /** Holds the call that is the span which arrived. */
  hold(tool: string, result: Result, { run, ids, startMs, endMs, behindMs }: Arrival): void {
    const call = this.#rows.take();
    const { words, cells } = this.#rows;
    const at = call * wordCount;
    words[at + word.next] = none;
    words[at + word.parent0] = ids.parent0;
    words[at + word.parent1] = ids.parent1;
    words[at + word.result] = results.indexOf(result);
    const cellsAt = call * cellCount;
    cells[cellsAt + cell.endMs] = endMs;
    cells[cellsAt + cell.durationMs] = endMs - startMs;
    cells[cellsAt + cell.behindMs] = behindMs;
    this.#tools[call] = tool;
    const runWords = this.#runs.words;
    const runAt = this.#runs.wordAt(run);
    if (runWords[runAt + runWord.firstCall] === none) runWords[runAt + runWord.firstCall] = call;
    else words[runWords[runAt + runWord.lastCall]! * wordCount + word.next] = call;
    runWords[runAt + runWord.lastCall] = call;
    runWords[runAt + runWord.callCount]! += 1;
  }

  /** Calls of `run` that are held. */
  countOf(run: number): number {
    return this.#runs.words[this.#runs.wordAt(run) + runWord.callCount]!;
  }

  /** Event time of the first call of `run` that is held; Infinity when none is. */
  sinceMs(run: number): number {
    const call = this.#runs.words[this.#runs.wordAt(run) + runWord.firstCall]!;
    return call === none ? Number.POSITIVE_INFINITY : this.#rows.cells[call * cellCount + cell.endMs]!;
  }

  /** Hands the calls of `run` held so far to `sink`, with its labels as known now. A call inside a call of the same tool is that call. */
  release(run: number, sink: RunSink, live: boolean): void {
    const runs = this.#runs;
    const runAt = runs.wordAt(run);
    let call = runs.words[runAt + runWord.firstCall]!;
    if (call === none) return;
    const agent = runs.label(run, text.agent);
    const release = runs.label(run, text.release);
    const environment = runs.label(run, text.environment);
    const { words, cells } = this.#rows;
    while (call !== none) {
      const at = call * wordCount;
      const tool = this.#tools[call]!;
      if (!this.#isInside(run, words[at + word.parent0]!, words[at + word.parent1]!, tool)) {
        const cellsAt = call * cellCount;
        const result = results[words[at + word.result]!]!;
        const endMs = cells[cellsAt + cell.endMs]!;
        const durationMs = cells[cellsAt + cell.durationMs]!;
        const behindMs = cells[cellsAt + cell.behindMs]!;
        sink.toolCall({ agent, release, environment, tool, result, endMs, durationMs, behindMs }, live);
      }
      const next = words[at + word.next]!;
      this.#rows.give(call);
      call = next;
    }
    runs.words[runAt + runWord.firstCall] = none;
    runs.words[runAt + runWord.callCount] = 0;
  }

  #isInside(run: number, parent0: number, parent1: number, tool: string): boolean {
    const spans = this.#spans;
    const parent = spans.find(run, parent0, parent1);
    return parent !== none && spans.tool(parent) === tool;
  }
}
