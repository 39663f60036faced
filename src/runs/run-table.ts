import type { SpanIds } from '../semconv/span-facts.ts';
import { results, unknown, type Result } from '../semconv/vocabulary.ts';
import { indexWords, mixed, RowIndex } from './row-index.ts';
import { packTexts, unpackTexts, type PackedTexts } from './packed-texts.ts';
import { none, Rows, type RowsState } from './rows.ts';

/** 32-bit words of a run's row, after those of the index. */
export const word = {
  /** Four words: the id of its trace; of a run with an id of its own, of the trace that stands for it. */
  trace: indexWords,
  /** In the list that holds the run. */
  previous: 6,
  next: 7,
  /** Chains in the tables of spans and of calls. */
  firstSpan: 8,
  lastSpan: 9,
  firstCall: 10,
  lastCall: 11,
  /** Length of the two chains, and of the spans those that arrived. */
  knownCount: 12,
  callCount: 13,
  spanCount: 14,
  /** Spans added, remembered or not: who has seen more of the run knows it better. */
  version: 15,
  /** Four: the tool calls that were handed on, by their result. */
  toolCalls: 16,
  toolCallAttempts: 20,
} as const;

/** Doubles of a run's row, behind the words. Event times are in milliseconds since the epoch. */
export const cell = {
  startMs: 11,
  lastEndMs: 12,
  /** Of the latest root span. */
  rootEndMs: 13,
  rootBehindMs: 14,
  saidAtMs: 15,
  escalatedAtMs: 16,
  gateAtMs: 17,
  lastWorkStartMs: 18,
  foldedTopMs: 19,
  /** Seven: the start of the span that says each label; then that of the span whose trace stands for the run. */
  labelMs: 20,
  /** Costs are whole billionths of a US dollar, which add up exactly in any order; times of work are milliseconds. */
  reviewCostNanos: 27,
  reviewMs: 28,
  /** End of the latest model call that asked for a tool. */
  toolAskedMs: 29,
  /** End of the latest model call that a log record without a trace told of. */
  toldEndMs: 30,
  /** The rest is as last reported. */
  toolCostNanos: 31,
  closedMs: 32,
  llmCostNanos: 33,
  inputTokens: 34,
  outputTokens: 35,
  /** Three: the most that the run was ever reported to cost, for models, tools and review: what counters have of it. */
  peakCostNanos: 36,
} as const;

/** Bytes of a run's row, behind the cells. One of a vocabulary's words is its place there from 1 on; 0 is none. */
export const byte = {
  state: 312,
  /** Whether a later trace may resume the run: its id is its own. */
  resumable: 313,
  root: 314,
  saidOutcome: 315,
  saidEvidence: 316,
  escalationReason: 317,
  gate: 318,
  foldedTop: 319,
  /** Seven: how badly the span that says each label speaks for the run, from 1 on; then the one of its trace. */
  labelRank: 320,
  unpriced: 327,
  /** Whether log records tell of the run; and how it went, where they belonged to no trace. */
  hasLogs: 328,
  told: 329,
  /** Whether it has a span that makes a run. */
  isWork: 330,
  /** The rest is as last reported. */
  closedBy: 331,
  outcome: 332,
  evidence: 333,
  lowerBound: 334,
  /** Whether what is said of who carries out the run, where and for whom, is not what was reported. */
  isNews: 335,
} as const;

const cellCount = 42;
const wordCount = 2 * cellCount;
const byteCount = 8 * cellCount;

/** Texts of a run: its labels, and its id where that is not a trace's; '' when nobody says. */
export const text = {
  agent: 0,
  release: 1,
  environment: 2,
  session: 3,
  user: 4,
  taskType: 5,
  name: 6,
} as const;
const textCount = 7;

/** The runs, as a snapshot keeps them. */
export interface RunTableState {
  readonly rows: RowsState;
  readonly heads: Int32Array;
  readonly named: ReadonlyMap<string, number>;
  readonly texts: PackedTexts;
  readonly joined: ReadonlyMap<string, number>;
  readonly aliases: ReadonlyMap<number, string>;
}

const isTraceId = /^[0-9a-f]{32}$/;

/** The runs in memory, found by their ids. `cells`, `words` and `bytes` are replaced when a run begins. */
export class RunTable {
  /** What the sink keeps with each run. */
  places: unknown[] = [];
  readonly #rows = new Rows(cellCount);
  readonly #index = new RowIndex(this.#rows, wordCount);
  #named = new Map<string, number>();
  #texts: string[] = [];
  /** Runs by the traces that belong to them and are not their id, in the order in which they joined; and those traces by run. */
  readonly #joined = new Map<string, number>();
  readonly #traces = new Map<number, Set<string>>();
  /** Further ids of runs whose id is that of a trace. */
  #aliases = new Map<number, string>();
  readonly #limitTraces: number;
  /** The id looked for last, when it is that of a trace. */
  readonly #trace = new Int32Array(4);
  readonly #traceBytes = Buffer.from(this.#trace.buffer);

  /** Of traces that belong to runs with another id, `limitTraces` are known; more, and the ones that joined first are forgotten. */
  constructor(limitTraces: number) {
    this.#limitTraces = limitTraces;
  }

  get cells(): Float64Array {
    return this.#rows.cells;
  }

  get words(): Int32Array {
    return this.#rows.words;
  }

  get bytes(): Buffer {
    return this.#rows.bytes;
  }

  get count(): number {
    return this.#rows.count;
  }

  /** Where the cells of `run` begin. */
  cellAt(run: number): number {
    return run * cellCount;
  }

  /** Where the words of `run` begin. */
  wordAt(run: number): number {
    return run * wordCount;
  }

  /** Where the bytes of `run` begin. */
  byteAt(run: number): number {
    return run * byteCount;
  }

  /** What `run` says; `which` is one of `text`. */
  text(run: number, which: number): string {
    return this.#texts[run * textCount + which]!;
  }

  /** A label of `run`: 'unknown' when nobody says. */
  label(run: number, which: number): string {
    return this.text(run, which) || unknown;
  }

  setText(run: number, which: number, value: string): void {
    this.#texts[run * textCount + which] = value;
  }

  /** The run of a span with `ids`; `none` when it is not here. */
  find(ids: SpanIds): number {
    if (this.#isNamed(ids)) return this.#named.get(ids.run) ?? none;
    const run = this.#findTrace();
    return run === none && this.#joined.size > 0 ? (this.#joined.get(this.#traceKey()) ?? none) : run;
  }

  /** The run whose id is `#trace`. */
  #findTrace(): number {
    const trace = this.#trace;
    const { words } = this.#rows;
    let run = this.#index.first(hashOf(trace, 0));
    while (run !== none) {
      const at = run * wordCount + word.trace;
      if (
        words[at] === trace[0] &&
        words[at + 1] === trace[1] &&
        words[at + 2] === trace[2] &&
        words[at + 3] === trace[3]
      ) {
        return run;
      }
      run = this.#index.after(run);
    }
    return none;
  }

  /** Begins the run of a span with `ids`: a row of zeros and empty texts. */
  begin(ids: SpanIds): number {
    const run = this.#rows.take();
    const { words } = this.#rows;
    const at = run * wordCount;
    for (let which = 0; which < textCount; which++) this.setText(run, which, '');
    words[at + word.firstSpan] = none;
    words[at + word.firstCall] = none;
    this.#setId(run, ids);
    return run;
  }

  #setId(run: number, ids: SpanIds): void {
    const { words, bytes } = this.#rows;
    const isNamed = this.#isNamed(ids);
    bytes[run * byteCount + byte.resumable] = isNamed || !this.#isOwnTrace(ids) ? 1 : 0;
    if (isNamed) {
      this.setText(run, text.name, ids.run);
      this.#named.set(ids.run, run);
    } else {
      words.set(this.#trace, run * wordCount + word.trace);
      this.#index.add(run, hashOf(this.#trace, 0));
    }
  }

  /** Gives `run`, whose id is that of a trace, the id that `ids` name. */
  rename(run: number, ids: SpanIds): void {
    this.#index.remove(run);
    this.#setId(run, ids);
  }

  /** Whether a span with `ids` says, as the first one of its trace, that its trace belongs to a run with another id. */
  joins(ids: SpanIds): boolean {
    if (ids.run === '' || (!this.#isNamed(ids) && this.#isOwnTrace(ids))) return false;
    this.#readTrace(ids);
    return !this.#joined.has(this.#traceKey());
  }

  /** The run of which the id is the trace of `ids`; `none` when no span of it came without another run's id. */
  nameless(ids: SpanIds): number {
    this.#readTrace(ids);
    return this.#findTrace();
  }

  /** Notes that the trace of `ids` belongs to `run`: its spans that name no run are found there from now on. */
  join(ids: SpanIds, run: number): void {
    this.#readTrace(ids);
    this.#note(this.#traceKey(), run);
    if (this.#joined.size > this.#limitTraces) this.#forgetTrace();
  }

  #note(key: string, run: number): void {
    this.#joined.set(key, run);
    const traces = this.#traces.get(run);
    if (traces) traces.add(key);
    else this.#traces.set(run, new Set([key]));
  }

  #forgetTrace(): void {
    for (const [key, run] of this.#joined) {
      this.#joined.delete(key);
      this.#traces.get(run)?.delete(key);
      return;
    }
  }

  /** Lets the id that `ids` name lead to `run`, whose id is that of a trace and stays it, unless another id does. */
  alias(ids: SpanIds, run: number): void {
    if (!this.#isNamed(ids) || this.#aliases.has(run)) return;
    this.#named.set(ids.run, run);
    this.#aliases.set(run, ids.run);
  }

  /** Forgets `run`; another one may take its row. */
  drop(run: number): void {
    const name = this.text(run, text.name);
    if (name === '') this.#index.remove(run);
    else this.#named.delete(name);
    for (const key of this.#traces.get(run) ?? []) this.#joined.delete(key);
    this.#traces.delete(run);
    const alias = this.#aliases.get(run);
    if (alias !== undefined) this.#named.delete(alias);
    this.#aliases.delete(run);
    this.places[run] = undefined;
    this.#rows.give(run);
  }

  /** The id of `run`. */
  id(run: number): string {
    const name = this.text(run, text.name);
    return name === '' ? this.traceId(run) : name;
  }

  /** The id of its trace, or of the one that stands for it, in hex. */
  traceId(run: number): string {
    const at = 4 * (run * wordCount + word.trace);
    return this.#rows.bytes.toString('hex', at, at + 16);
  }

  /** Whether the id of `run` is not that of a trace. */
  isNamed(run: number): boolean {
    return this.text(run, text.name) !== '';
  }

  /** Adds a tool call that was handed on. */
  addToolCall(run: number, result: Result, attempts: number): void {
    const { words } = this.#rows;
    const at = run * wordCount;
    words[at + word.toolCalls + results.indexOf(result)]! += 1;
    words[at + word.toolCallAttempts]! += attempts;
  }

  /** All runs but what the sink keeps with them, lent until one changes. */
  save(): RunTableState {
    return {
      rows: this.#rows.save(),
      heads: this.#index.save(),
      named: this.#named,
      texts: packTexts(this.#texts),
      joined: this.#joined,
      aliases: this.#aliases,
    };
  }

  /** Makes this the table that was saved, whose runs the sink keeps `places` with. */
  restore({ rows, heads, named, texts, joined, aliases }: RunTableState, places: unknown[]): void {
    this.#rows.restore(rows);
    this.#index.restore(heads, (run) => hashOf(this.words, run * wordCount + word.trace));
    this.#named = new Map(named);
    this.#texts = unpackTexts(texts);
    this.#joined.clear();
    this.#traces.clear();
    for (const [key, run] of joined) this.#note(key, run);
    this.#aliases = new Map(aliases);
    this.places = places;
  }

  /** Whether `ids` name a run by other than the id of a trace; `#trace` is that id else. */
  #isNamed(ids: SpanIds): boolean {
    if (ids.run === '') {
      this.#readTrace(ids);
      return false;
    }
    if (!isTraceId.test(ids.run)) return true;
    this.#traceBytes.write(ids.run, 'hex');
    return false;
  }

  #readTrace({ trace0, trace1, trace2, trace3 }: SpanIds): void {
    const trace = this.#trace;
    trace[0] = trace0;
    trace[1] = trace1;
    trace[2] = trace2;
    trace[3] = trace3;
  }

  /** Whether `#trace` is the trace of `ids`. */
  #isOwnTrace({ trace0, trace1, trace2, trace3 }: SpanIds): boolean {
    const trace = this.#trace;
    return trace[0] === trace0 && trace[1] === trace1 && trace[2] === trace2 && trace[3] === trace3;
  }

  #traceKey(): string {
    return this.#traceBytes.toString('latin1');
  }
}

function hashOf(words: Int32Array, at: number): number {
  return mixed(mixed(words[at]!, words[at + 1]!), mixed(words[at + 2]!, words[at + 3]!));
}
