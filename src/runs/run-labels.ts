import type { SpanFacts } from '../semconv/span-facts.ts';
import { unknown } from '../semconv/vocabulary.ts';
import type { Arrival } from './arrival.ts';
import { byte, cell, text, word, type RunTable } from './run-table.ts';

/** How well a span speaks for its run; smaller is better, and 0 is nobody. */
const rank = { root: 1, agent: 2, other: 3 } as const;

/** What a service's name is worse by than an agent's: a server's root span must not hide the agents that it runs. */
const onlyService = 3;

const labelCount = 6;

/** Which trace stands for a run is said as the labels are, after them. */
const traceLabel = labelCount;

/**
 * Adds what `span` says of who carried out its run, where and for whom: the root span says it best, else the earliest
 * agent span, else the earliest span that says it, whatever the order in which they arrive. An agent is its service only
 * where no span names it.
 */
export function addLabels(runs: RunTable, span: SpanFacts, arrival: Arrival): void {
  const { run, startMs } = arrival;
  const place = rankOf(arrival);
  for (let label = 0; label < labelCount; label++) {
    const own = label === text.agent && !span.namesAgent ? place + onlyService : place;
    if (!isBetter(runs, run, label, own, startMs)) continue;
    const value = saidBy(span, label);
    if (value !== unknown && value !== '') offer(runs, run, label, own, startMs, value);
  }
}

/** Adds what the spans of `from` say of that to what those of `into` do. */
export function mergeLabels(runs: RunTable, from: number, into: number): void {
  for (let label = 0; label < labelCount; label++) {
    const own = runs.bytes[runs.byteAt(from) + byte.labelRank + label]!;
    const startMs = runs.cells[runs.cellAt(from) + cell.labelMs + label]!;
    if (own !== 0 && isBetter(runs, into, label, own, startMs))
      offer(runs, into, label, own, startMs, runs.text(from, label));
  }
}

/** Whether a span of rank `own` that began at `startMs` speaks as well for `run` as who says its `label`, or better. */
function isBetter(runs: RunTable, run: number, label: number, own: number, startMs: number): boolean {
  const best = runs.bytes[runs.byteAt(run) + byte.labelRank + label]!;
  if (best === 0 || own < best) return true;
  return own === best && startMs <= runs.cells[runs.cellAt(run) + cell.labelMs + label]!;
}

/** Of those that speak equally well the least word wins, whatever came first. */
function offer(
  runs: RunTable,
  run: number,
  label: number,
  own: number,
  startMs: number,
  value: string,
): void {
  if (isTie(runs, run, label, own, startMs) && value >= runs.text(run, label)) return;
  if (label < text.taskType && value !== runs.text(run, label))
    runs.bytes[runs.byteAt(run) + byte.isNews] = 1;
  runs.setText(run, label, value);
  note(runs, run, label, own, startMs);
}

/** Whether who says the `label` of `run` has this rank and began then. */
function isTie(runs: RunTable, run: number, label: number, own: number, startMs: number): boolean {
  return (
    own === runs.bytes[runs.byteAt(run) + byte.labelRank + label] &&
    startMs === runs.cells[runs.cellAt(run) + cell.labelMs + label]
  );
}

function note(runs: RunTable, run: number, label: number, own: number, startMs: number): void {
  runs.bytes[runs.byteAt(run) + byte.labelRank + label] = own;
  runs.cells[runs.cellAt(run) + cell.labelMs + label] = startMs;
}

/** Lets the trace of the span that arrived stand for its run if that span speaks best for it. */
export function addTrace(runs: RunTable, arrival: Arrival): void {
  const { run, startMs, ids } = arrival;
  const own = rankOf(arrival);
  if (!isBetter(runs, run, traceLabel, own, startMs)) return;
  offerTrace(runs, run, own, startMs, [ids.trace0, ids.trace1, ids.trace2, ids.trace3]);
}

/** Lets the trace that stands for `from` stand for `into` if the span that says so speaks better for it. */
export function mergeTrace(runs: RunTable, from: number, into: number): void {
  const own = runs.bytes[runs.byteAt(from) + byte.labelRank + traceLabel]!;
  const startMs = runs.cells[runs.cellAt(from) + cell.labelMs + traceLabel]!;
  const traceAt = runs.wordAt(from) + word.trace;
  if (own === 0 || !isBetter(runs, into, traceLabel, own, startMs)) return;
  offerTrace(runs, into, own, startMs, [...runs.words.subarray(traceAt, traceAt + 4)]);
}

/** The id of a run that is a trace's stays; of traces that stand equally well for another one the least does. */
function offerTrace(
  runs: RunTable,
  run: number,
  own: number,
  startMs: number,
  trace: readonly number[],
): void {
  const traceAt = runs.wordAt(run) + word.trace;
  if (isTie(runs, run, traceLabel, own, startMs) && !isLess(trace, runs.words, traceAt)) return;
  if (runs.isNamed(run)) runs.words.set(trace, traceAt);
  note(runs, run, traceLabel, own, startMs);
}

function rankOf({ isRoot, step }: Arrival): number {
  return isRoot ? rank.root : step === 'agent' ? rank.agent : rank.other;
}

function isLess(trace: readonly number[], words: Int32Array, at: number): boolean {
  const i = trace.findIndex((part, k) => part !== words[at + k]);
  return i >= 0 && trace[i]! < words[at + i]!;
}

function saidBy(span: SpanFacts, label: number): string {
  switch (label) {
    case text.agent:
      return span.agent;
    case text.release:
      return span.release;
    case text.environment:
      return span.environment;
    case text.session:
      return span.sessionId;
    case text.user:
      return span.userId;
    default:
      return span.taskType;
  }
}
