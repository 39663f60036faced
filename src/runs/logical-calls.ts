import type { Result } from '../semconv/vocabulary.ts';

/** One span of a tool call, with those that turned out to be the same call. Times are event times in milliseconds. */
export interface CallSpan {
  /** The two words of its id and of its parent's. */
  readonly id0: number;
  readonly id1: number;
  readonly parent0: number;
  readonly parent1: number;
  /** '' on a span that only its parent names. */
  tool: string;
  /** '' when nobody says. */
  readonly callId: string;
  result: Result;
  readonly startMs: number;
  readonly endMs: number;
  /** Of the innermost span: what is around it may have waited for a human. */
  durationMs: number;
  readonly behindMs: number;
  /** What the sender says; 1 when nobody does. */
  readonly attempt: number;
  /** Equal for equal arguments; 0 when nothing is known of them. */
  readonly print: number;
  /** It was made of a log record. */
  readonly isLog: boolean;
}

/** One call as an agent means it: its last attempt, and how many there were. */
export interface LogicalCall {
  last: CallSpan;
  attempts: number;
}

/** A failed call that is made again later than this is made anew. */
const retryWindowMs = 300_000;

/**
 * Joins the spans that tell of one call, and the attempts of one call. A log record with the call id of a span, a span below one of the same tool, or with the
 * call id of one around it, is that call; one with the arguments or the id of a failed call before it, or that says it
 * is no first attempt, repeats that. In the order in which the calls were first made.
 */
export function logicalCalls(spans: readonly CallSpan[]): readonly LogicalCall[] {
  if (spans.length === 1) return [{ last: spans[0]!, attempts: spans[0]!.attempt }];
  return attemptsOf(outermost(withoutRepeats(spans)).toSorted((a, b) => a.startMs - b.startMs));
}

/**
 * The calls without the log records of those that spans tell of, too. Spans know best how long a call took; that it
 * failed or was refused is believed of either.
 */
function withoutRepeats(spans: readonly CallSpan[]): readonly CallSpan[] {
  const logs = spans.filter(({ isLog, callId }) => isLog && callId !== '');
  if (logs.length === 0) return spans;
  const told = new Map<string, CallSpan>();
  for (const log of logs.toSorted((a, b) => a.endMs - b.endMs)) told.set(log.callId, log);
  const seen = new Set<string>();
  for (const span of spans) {
    const log = span.isLog ? undefined : told.get(span.callId);
    if (!log) continue;
    seen.add(span.callId);
    span.tool ||= log.tool;
    if (span.result === 'ok') span.result = log.result;
  }
  return spans.filter(({ isLog, callId }) => !isLog || !seen.has(callId));
}

/** The spans that are in no other of the same call, with what those in them know better. */
function outermost(spans: readonly CallSpan[]): CallSpan[] {
  const inside = new Map<CallSpan, CallSpan>();
  const last = new Map<CallSpan, CallSpan>();
  for (const span of spans) {
    const outer =
      spans.find((other) => isParent(other, span)) ?? spans.find((other) => isAround(other, span));
    if (!outer || isWithin(outer, span, inside)) continue;
    inside.set(span, outer);
    const before = last.get(outer);
    if (!before || before.endMs < span.endMs) last.set(outer, span);
  }
  const outer = spans.filter((span) => !inside.has(span));
  for (const call of outer) learn(call, last);
  return outer;
}

/** What is inside was carried out, and knows how long that took and, unless the call failed around it, how it ended. */
function learn(call: CallSpan, last: ReadonlyMap<CallSpan, CallSpan>): void {
  const inner = last.get(call);
  if (!inner) return;
  learn(inner, last);
  call.tool ||= inner.tool;
  call.durationMs = inner.durationMs;
  if (call.result === 'ok') call.result = inner.result;
}

/** Whether `outer` is the parent of `span` and calls the same tool. */
function isParent(outer: CallSpan, span: CallSpan): boolean {
  if (outer.id1 !== span.parent1 || outer.id0 !== span.parent0) return false;
  return span.tool === '' || span.tool === outer.tool;
}

/** Whether `outer` has the call id of `span` and was going on when that began. */
function isAround(outer: CallSpan, span: CallSpan): boolean {
  if (outer === span || span.callId === '' || outer.callId !== span.callId) return false;
  return outer.startMs < span.startMs
    ? span.startMs < outer.endMs
    : outer.startMs === span.startMs && outer.endMs > span.endMs;
}

/** Whether `span` is `outer` or around it, as known so far: nothing is inside itself, whatever senders say. */
function isWithin(span: CallSpan, outer: CallSpan, inside: ReadonlyMap<CallSpan, CallSpan>): boolean {
  for (let at: CallSpan | undefined = span; at; at = inside.get(at)) if (at === outer) return true;
  return false;
}

function attemptsOf(calls: readonly CallSpan[]): LogicalCall[] {
  const logical: LogicalCall[] = [];
  const failed = new Map<string, LogicalCall>();
  for (const call of calls) {
    const before = failed.get(call.tool);
    const one = before && repeats(call, before.last) ? before : { last: call, attempts: 0 };
    if (one.attempts === 0) logical.push(one);
    one.last = call;
    one.attempts = Math.max(one.attempts + 1, call.attempt);
    if (call.result === 'error') failed.set(call.tool, one);
    else if (one === before) failed.delete(call.tool);
  }
  return logical;
}

function repeats(call: CallSpan, failed: CallSpan): boolean {
  const afterMs = call.startMs - failed.endMs;
  if (afterMs < 0 || afterMs > retryWindowMs) return false;
  const isAlike = call.print !== 0 && call.print === failed.print;
  return isAlike || call.attempt > 1 || (call.callId !== '' && call.callId === failed.callId);
}
