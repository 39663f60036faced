import { indexWords, mixed, nextWord, RowIndex } from './row-index.ts';
import { packTexts, unpackTexts, type PackedTexts } from './packed-texts.ts';
import { none, Rows, type RowsState } from './rows.ts';
import { word as runWord, type RunTable } from './run-table.ts';

/** Bits of what is known of a span. One that others name as their parent is known before it arrives. */
export const known = {
  arrived: 1,
  /** It says a usage, as a model call or as an agent. */
  modelUsage: 2,
  agentUsage: 4,
  /** It wraps a span that says such a usage. */
  wrapsModel: 8,
  wrapsAgent: 16,
  /** The price of its usage is unknown. */
  unpriced: 32,
  /** A span below it is the topmost one unless this one arrives; and one such failed. */
  aboveTop: 64,
  aboveFailure: 128,
  /** It is a tool call. */
  tool: 256,
  /** A human who was asked about it said no, or said nothing. */
  refused: 512,
  unanswered: 1024,
  /** It is a tool call with a cost; and that is the price that the operator states of calls that ran. */
  toolCost: 2048,
  statedPrice: 4096,
  /** It was made of a log record. */
  log: 8192,
} as const;

/** The bits above those: what was asked of a human, from 1 on; 0 is nothing. */
const requestShift = 14;

const word = { run: indexWords, id0: 3, id1: 4, next: 5, known: 6, call: 7, parent: 8, requestS: 9 } as const;
/** A tool call has no tokens, and its times in their place. */
const cell = { costNanos: 5, inputTokens: 6, outputTokens: 7, callStartMs: 6, callEndMs: 7 } as const;
const cellCount = 8;
const wordCount = 2 * cellCount;

/** Looking through so few spans, which lie side by side, is quicker than finding one by a hash. */
const unindexed = 16;

/** The spans, as a snapshot keeps them. */
export interface SpanTableState {
  readonly rows: RowsState;
  readonly heads: Int32Array;
  readonly tools: PackedTexts;
}

/**
 * The spans that runs remember, chained by run in the order in which they became known. The few spans of a small run
 * are looked through; those of a large one are found by a hash of run and id.
 */
export class SpanTable {
  readonly #rows = new Rows(cellCount);
  readonly #index = new RowIndex(this.#rows, wordCount);
  #tools: string[] = [];
  readonly #runs: RunTable;

  constructor(runs: RunTable) {
    this.#runs = runs;
  }

  /** Spans known, whether they arrived or not. */
  get count(): number {
    return this.#rows.count;
  }

  /** The span of `run` with this id; `none` when nothing is known of it. */
  find(run: number, id0: number, id1: number): number {
    const { words } = this.#rows;
    const isIndexed = this.#isIndexed(run);
    let span = isIndexed ? this.#index.first(hashOf(run, id0, id1)) : this.first(run);
    while (span !== none) {
      const at = span * wordCount;
      if (words[at + word.id1] === id1 && words[at + word.id0] === id0 && words[at + word.run] === run) break;
      span = words[at + (isIndexed ? nextWord : word.next)]!;
    }
    return span;
  }

  /** The same; makes it when nothing is known of it. */
  obtain(run: number, id0: number, id1: number): number {
    const span = this.find(run, id0, id1);
    return span === none ? this.add(run, id0, id1) : span;
  }

  /** Makes the span of `run` with this id, of which nothing is known. */
  add(run: number, id0: number, id1: number): number {
    const span = this.#rows.take();
    const { words } = this.#rows;
    const at = span * wordCount;
    words[at + word.run] = run;
    words[at + word.id0] = id0;
    words[at + word.id1] = id1;
    this.#chain(span, run);
    return span;
  }

  #chain(span: number, run: number): void {
    const { words } = this.#rows;
    words[span * wordCount + word.next] = none;
    const runWords = this.#runs.words;
    const runAt = this.#runs.wordAt(run);
    if (runWords[runAt + runWord.firstSpan] === none) runWords[runAt + runWord.firstSpan] = span;
    else words[runWords[runAt + runWord.lastSpan]! * wordCount + word.next] = span;
    runWords[runAt + runWord.lastSpan] = span;
    const count = runWords[runAt + runWord.knownCount]! + 1;
    runWords[runAt + runWord.knownCount] = count;
    if (count > unindexed + 1) this.#indexSpan(span);
    else if (count > unindexed) this.#indexAll(run);
  }

  /** Makes the spans of `from`, of which `into` knows none, spans of `into`. */
  move(from: number, into: number): void {
    const isIndexed = this.#isIndexed(from);
    for (let span = this.first(from); span !== none;) {
      const next = this.after(span);
      if (isIndexed) this.#index.remove(span);
      this.#rows.words[span * wordCount + word.run] = into;
      this.#chain(span, into);
      span = next;
    }
    this.#empty(from);
  }

  #empty(run: number): void {
    const at = this.#runs.wordAt(run);
    this.#runs.words[at + runWord.firstSpan] = none;
    this.#runs.words[at + runWord.knownCount] = 0;
  }

  #isIndexed(run: number): boolean {
    return this.#runs.words[this.#runs.wordAt(run) + runWord.knownCount]! > unindexed;
  }

  #indexAll(run: number): void {
    for (let span = this.first(run); span !== none; span = this.after(span)) this.#indexSpan(span);
  }

  #indexSpan(span: number): void {
    this.#index.add(span, this.#hashOf(span));
  }

  #hashOf(span: number): number {
    const { words } = this.#rows;
    const at = span * wordCount;
    return hashOf(words[at + word.run]!, words[at + word.id0]!, words[at + word.id1]!);
  }

  /** The first span of `run`, or `none`. */
  first(run: number): number {
    return this.#runs.words[this.#runs.wordAt(run) + runWord.firstSpan]!;
  }

  /** The next span of the same run, or `none`. */
  after(span: number): number {
    return this.#rows.words[span * wordCount + word.next]!;
  }

  /** What is known of `span`: bits of `known`. */
  known(span: number): number {
    return this.#rows.words[span * wordCount + word.known]!;
  }

  learn(span: number, bits: number): void {
    this.#rows.words[span * wordCount + word.known]! |= bits;
  }

  setKnown(span: number, bits: number): void {
    this.#rows.words[span * wordCount + word.known] = bits;
  }

  /** What was asked of a human at `span`, as `setRequest` said; 0 when nothing was. */
  request(span: number): number {
    return this.known(span) >> requestShift;
  }

  /** The second since the epoch of which `setRequest` told. */
  requestS(span: number): number {
    return this.#rows.words[span * wordCount + word.requestS]! >>> 0;
  }

  /** Sets once what was asked of a human at `span`, a small number above 0, and an event time of it. */
  setRequest(span: number, request: number, atMs: number): void {
    this.learn(span, request << requestShift);
    this.#rows.words[span * wordCount + word.requestS] = Math.floor(atMs / 1000);
  }

  /** In billionths of a US dollar. */
  costNanos(span: number): number {
    return this.#rows.cells[span * cellCount + cell.costNanos]!;
  }

  inputTokens(span: number): number {
    return this.#rows.cells[span * cellCount + cell.inputTokens]!;
  }

  outputTokens(span: number): number {
    return this.#rows.cells[span * cellCount + cell.outputTokens]!;
  }

  setUsage(span: number, costNanos: number, inputTokens: number, outputTokens: number): void {
    const { cells } = this.#rows;
    const at = span * cellCount;
    cells[at + cell.costNanos] = costNanos;
    cells[at + cell.inputTokens] = inputTokens;
    cells[at + cell.outputTokens] = outputTokens;
  }

  /** Event times of `span`. Asked of tool calls of which `setCallCost` told. */
  callStartMs(span: number): number {
    return this.#rows.cells[span * cellCount + cell.callStartMs]!;
  }

  callEndMs(span: number): number {
    return this.#rows.cells[span * cellCount + cell.callEndMs]!;
  }

  setCallCost(span: number, costNanos: number, startMs: number, endMs: number): void {
    const { cells } = this.#rows;
    const at = span * cellCount;
    cells[at + cell.costNanos] = costNanos;
    cells[at + cell.callStartMs] = startMs;
    cells[at + cell.callEndMs] = endMs;
  }

  /** The span that `span` said is around it, or `none`. Asked of spans of which `setParent` told. */
  parent(span: number): number {
    return this.#rows.words[span * wordCount + word.parent]!;
  }

  setParent(span: number, parent: number): void {
    this.#rows.words[span * wordCount + word.parent] = parent;
  }

  /** The tool that `span` called; undefined when it is no tool call. */
  tool(span: number): string | undefined {
    return (this.known(span) & known.tool) === 0 ? undefined : this.#tools[span];
  }

  /** What stands for the call id of `span`; 0 when it tells of no call. */
  call(span: number): number {
    return this.#rows.words[span * wordCount + word.call]!;
  }

  /** Sets that `span` tells of the call with this id, if it has one. */
  setCall(span: number, callId: string): void {
    this.#rows.words[span * wordCount + word.call] = callPrint(callId);
  }

  setTool(span: number, tool: string): void {
    this.learn(span, known.tool);
    while (this.#tools.length < span) this.#tools.push(''); // an array with holes would be slow
    this.#tools[span] = tool;
  }

  /** All spans, lent until one changes. */
  save(): SpanTableState {
    return { rows: this.#rows.save(), heads: this.#index.save(), tools: packTexts(this.#tools) };
  }

  /** Makes this the table that was saved; the runs are restored. */
  restore({ rows, heads, tools }: SpanTableState): void {
    this.#rows.restore(rows);
    this.#index.restore(heads, (span) => this.#hashOf(span));
    this.#tools = unpackTexts(tools);
  }

  /** Forgets the spans of `run`. */
  forget(run: number): void {
    const isIndexed = this.#isIndexed(run);
    for (let span = this.first(run); span !== none;) {
      const next = this.after(span);
      if (isIndexed) this.#index.remove(span);
      this.#rows.give(span);
      span = next;
    }
    this.#empty(run);
  }
}

function hashOf(run: number, id0: number, id1: number): number {
  return mixed(id0 ^ Math.imul(run, 0x27d4eb2f), id1);
}

/** What stands for a call id: 32 bits, 0 for ''. */
export function callPrint(callId: string): number {
  let print = 0;
  for (let k = 0; k < callId.length; k++) print = Math.imul(print ^ callId.charCodeAt(k), 0x01000193) + 1;
  return callId === '' ? 0 : print || 1;
}
