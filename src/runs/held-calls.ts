import type { SpanFacts } from '../semconv/span-facts.ts';
import { results, type Result } from '../semconv/vocabulary.ts';
import type { Arrival } from './arrival.ts';
import type { RunSink } from './finished-run.ts';
import { logicalCalls, type CallSpan } from './logical-calls.ts';
import { packTexts, unpackTexts, type PackedTexts } from './packed-texts.ts';
import { none, Rows, type RowsState } from './rows.ts';
import { byte, text, word as runWord, type RunTable } from './run-table.ts';
import { callPrint, known, type SpanTable } from './span-table.ts';

const word = {
  next: 0,
  parent0: 1,
  parent1: 2,
  result: 3,
  id0: 4,
  id1: 5,
  attempt: 6,
  print: 7,
  isLog: 8,
} as const;
const cell = { startMs: 5, endMs: 6, behindMs: 7 } as const;
const cellCount = 8;
const wordCount = 2 * cellCount;

/** A held call, and its row among the spans of its run; `none` when the run does not remember it. */
interface HeldSpan extends CallSpan {
  readonly row: number;
}

/** What a run remembers of the calls with one id. */
interface Named {
  /** What became of them when a human refused them in a log record that names them, whatever else is said of them. */
  answer: Result | undefined;
  /** Spans and log records that tell of one, and are not taken. */
  spans: number;
  logs: number;
}

/** By what stands for the id of a call. */
type ByCall = ReadonlyMap<number, Named>;
const noCalls: ByCall = new Map();

/** The calls that wait, as a snapshot keeps them. */
export interface HeldCallsState {
  readonly rows: RowsState;
  readonly tools: PackedTexts;
  readonly callIds: PackedTexts;
}

/** Tool calls that wait for the labels of their runs, chained by run in the order in which they arrived. */
export class HeldCalls {
  readonly #rows = new Rows(cellCount);
  #tools: string[] = [];
  #callIds: string[] = [];
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

  /** All calls, lent until one changes. */
  save(): HeldCallsState {
    return { rows: this.#rows.save(), tools: packTexts(this.#tools), callIds: packTexts(this.#callIds) };
  }

  /** Makes these the calls that were saved; the runs are restored. */
  restore({ rows, tools, callIds }: HeldCallsState): void {
    this.#rows.restore(rows);
    this.#tools = unpackTexts(tools);
    this.#callIds = unpackTexts(callIds);
  }

  /** Holds the call that is the span which arrived. */
  hold(span: SpanFacts, result: Result, { run, ids, log, startMs, endMs, behindMs }: Arrival): void {
    const call = this.#rows.take();
    const { words, cells } = this.#rows;
    const at = call * wordCount;
    words[at + word.next] = none;
    words[at + word.parent0] = ids.parent0;
    words[at + word.parent1] = ids.parent1;
    words[at + word.result] = results.indexOf(result);
    words[at + word.id0] = ids.span0;
    words[at + word.id1] = ids.span1;
    words[at + word.attempt] = span.attempt;
    words[at + word.print] = span.argumentsPrint;
    words[at + word.isLog] = log ? 1 : 0;
    const cellsAt = call * cellCount;
    cells[cellsAt + cell.startMs] = startMs;
    cells[cellsAt + cell.endMs] = endMs;
    cells[cellsAt + cell.behindMs] = behindMs;
    while (this.#tools.length < call) {
      this.#tools.push(''); // arrays with holes would be slow
      this.#callIds.push('');
    }
    this.#tools[call] = span.tool;
    this.#callIds[call] = span.toolCallId;
    this.#chain(run, call, call, 1);
  }

  /** Appends `count` calls, chained from `first` to `last`, to those of `run`. */
  #chain(run: number, first: number, last: number, count: number): void {
    const { words } = this.#runs;
    const at = this.#runs.wordAt(run);
    if (words[at + runWord.firstCall] === none) words[at + runWord.firstCall] = first;
    else this.#rows.words[words[at + runWord.lastCall]! * wordCount + word.next] = first;
    words[at + runWord.lastCall] = last;
    words[at + runWord.callCount]! += count;
  }

  /** Makes the calls held of `from` calls of `into`. */
  move(from: number, into: number): void {
    const { words } = this.#runs;
    const at = this.#runs.wordAt(from);
    const count = words[at + runWord.callCount]!;
    if (count === 0) return;
    this.#chain(into, words[at + runWord.firstCall]!, words[at + runWord.lastCall]!, count);
    words[at + runWord.firstCall] = none;
    words[at + runWord.callCount] = 0;
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

  /**
   * Hands the calls of `run` held so far to `sink`, with its labels as known now. What comes later of the same call
   * changes nothing: a span below it is left out, and a repetition is a call of its own. The run counts what it hands on.
   */
  release(run: number, sink: RunSink): void {
    const spans = this.#take(run);
    if (spans.length === 0) return;
    const runs = this.#runs;
    const agent = runs.label(run, text.agent);
    const release = runs.label(run, text.release);
    const environment = runs.label(run, text.environment);
    const traceId = runs.traceId(run);
    for (const { last, attempts } of logicalCalls(spans)) {
      const { tool, result, endMs, durationMs, behindMs } = last;
      runs.addToolCall(run, result, attempts);
      sink.toolCall({
        traceId,
        agent,
        release,
        environment,
        tool,
        result,
        attempts,
        endMs,
        durationMs,
        behindMs,
      });
    }
  }

  /** Takes the held calls of `run`, but for those inside calls, or told of calls, that were released before. */
  #take(run: number): HeldSpan[] {
    const runs = this.#runs;
    const runAt = runs.wordAt(run);
    const hasLogs = runs.bytes[runs.byteAt(run) + byte.hasLogs] !== 0;
    const byCall = hasLogs ? this.#byCall(run) : noCalls;
    const taken: HeldSpan[] = [];
    let call = runs.words[runAt + runWord.firstCall]!;
    while (call !== none) {
      taken.push(this.#spanOf(run, call, byCall));
      const next = this.#rows.words[call * wordCount + word.next]!;
      this.#rows.give(call);
      call = next;
    }
    runs.words[runAt + runWord.firstCall] = none;
    runs.words[runAt + runWord.callCount] = 0;
    const fresh = hasLogs ? this.#neverReleased(taken, byCall) : taken;
    const rows = new Set(fresh.map(({ row }) => row));
    return fresh.filter((span) => !this.#isOfReleased(run, span, rows));
  }

  /** What `run` remembers of calls that have an id. */
  #byCall(run: number): ByCall {
    const spans = this.#spans;
    const byCall = new Map<number, Named>();
    for (let span = spans.first(run); span !== none; span = spans.after(span)) {
      const print = spans.call(span);
      if (print === 0) continue;
      let named = byCall.get(print);
      if (!named) byCall.set(print, (named = { answer: undefined, spans: 0, logs: 0 }));
      const facts = spans.known(span);
      if ((facts & known.tool) === 0) named.answer ??= refusalOf(facts);
      else if ((facts & known.log) === 0) named.spans++;
      else named.logs++;
    }
    return byCall;
  }

  /** The calls but those of which a log record told, or of a log record those of which a span told, that were released before. */
  #neverReleased(taken: readonly HeldSpan[], byCall: ByCall): HeldSpan[] {
    for (const { row, callId, isLog } of taken) {
      const named = byCall.get(callPrint(callId));
      if (!named || row === none || this.#spans.tool(row) === undefined) continue;
      if (isLog) named.logs--;
      else named.spans--;
    }
    return taken.filter(({ callId, isLog }) => {
      const named = byCall.get(callPrint(callId));
      return !named || (isLog ? named.spans : named.logs) === 0;
    });
  }

  #spanOf(run: number, call: number, byCall: ByCall): HeldSpan {
    const { words, cells } = this.#rows;
    const at = call * wordCount;
    const cellsAt = call * cellCount;
    const startMs = cells[cellsAt + cell.startMs]!;
    const endMs = cells[cellsAt + cell.endMs]!;
    const id0 = words[at + word.id0]!;
    const id1 = words[at + word.id1]!;
    const row = this.#spans.find(run, id0, id1);
    const callId = this.#callIds[call]!;
    return {
      row,
      id0,
      id1,
      parent0: words[at + word.parent0]!,
      parent1: words[at + word.parent1]!,
      tool: this.#tools[call]!,
      callId,
      result:
        byCall.get(callPrint(callId))?.answer ?? this.#resultOf(row, results[words[at + word.result]!]!),
      startMs,
      endMs,
      durationMs: endMs - startMs,
      behindMs: cells[cellsAt + cell.behindMs]!,
      attempt: words[at + word.attempt]!,
      print: words[at + word.print]!,
      isLog: words[at + word.isLog] !== 0,
    };
  }

  /** A call that a human refused, in a span below it, did not run, though its own span does not say so. */
  #resultOf(span: number, result: Result): Result {
    if (span === none || result !== 'ok') return result;
    return refusalOf(this.#spans.known(span)) ?? result;
  }

  /** Whether the call is inside one that is not among the `rows` taken with it. */
  #isOfReleased(run: number, { parent0, parent1, tool }: CallSpan, rows: ReadonlySet<number>): boolean {
    const parent = this.#spans.find(run, parent0, parent1);
    const outer = parent === none ? undefined : this.#spans.tool(parent);
    return outer !== undefined && (tool === '' || outer === tool) && !rows.has(parent);
  }
}

function refusalOf(facts: number): Result | undefined {
  if ((facts & known.refused) !== 0) return 'rejected';
  return (facts & known.unanswered) === 0 ? undefined : 'cancelled';
}
