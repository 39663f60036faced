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
  const calls = areUnrelated(spans) ? spans : outermost(withoutRepeats(spans));
  return attemptsOf(calls.toSorted((a, b) => a.startMs - b.startMs));
}

/** So few are compared each with each, which is quicker than tables are. */
const few = 8;

/** Whether it is seen at once that each of `spans` is a call of its own, as usual. */
function areUnrelated(spans: readonly CallSpan[]): boolean {
  if (spans.length > few) return false;
  for (let i = 1; i < spans.length; i++) {
    const one = spans[i]!;
    for (let j = 0; j < i; j++) {
      const other = spans[j]!;
      if (one.callId !== '' && one.callId === other.callId) return false;
      if (one.parent1 === other.id1 && one.parent0 === other.id0) return false;
      if (other.parent1 === one.id1 && other.parent0 === one.id0) return false;
    }
  }
  return true;
}

/** Spans with one call id that overlap; `log` is the latest record of them. */
interface ToldAttempt {
  readonly spans: CallSpan[];
  readonly startMs: number;
  endMs: number;
  log?: CallSpan;
}

/** The attempts of one call id, and how many of them had begun when the record of now was made. */
interface ToldCall {
  readonly attempts: ToldAttempt[];
  begun: number;
}

/** Records are often of whole milliseconds. */
const logPrecisionMs = 1;

/**
 * The calls without the log records of those that spans tell of, too. Spans know best how long a call took; that it
 * failed or was refused is believed of either. Where attempts share a call id, a record tells of the one with the nearest
 * end among those that had begun; a failure before them all is of an attempt that no span tells of.
 */
function withoutRepeats(spans: readonly CallSpan[]): readonly CallSpan[] {
  const logs = spans.filter(({ isLog, callId }) => isLog && callId !== '').toSorted(byEnd);
  if (logs.length === 0) return spans;
  const told = toldAttempts(spans);
  const repeating = new Set<CallSpan>();
  for (const log of logs) {
    const call = told.get(log.callId);
    const attempt = call && attemptOf(log, call);
    if (!attempt) continue;
    repeating.add(log);
    attempt.log = log;
  }
  for (const { attempts } of told.values()) for (const attempt of attempts) learnOfLog(attempt);
  return spans.filter((span) => !repeating.has(span));
}

/** The attempt of `call` that `log` tells of. Logs are asked about in their order, so that each attempt is looked at once. */
function attemptOf(log: CallSpan, call: ToldCall): ToldAttempt | undefined {
  const { attempts } = call;
  const beganUntilMs = log.endMs + logPrecisionMs;
  while (call.begun < attempts.length && attempts[call.begun]!.startMs <= beganUntilMs) call.begun++;
  if (call.begun === 0) return log.result === 'error' ? undefined : attempts[0];
  const latest = attempts[call.begun - 1]!;
  const before = attempts[call.begun - 2];
  return before && log.endMs - before.endMs <= Math.abs(latest.endMs - log.endMs) ? before : latest;
}

function learnOfLog({ spans, log }: ToldAttempt): void {
  if (!log) return;
  for (const span of spans) {
    span.tool ||= log.tool;
    if (span.result === 'ok') span.result = log.result;
  }
}

/** What spans tell of the attempts of each call id, in their order. */
function toldAttempts(spans: readonly CallSpan[]): ReadonlyMap<string, ToldCall> {
  const told = new Map<string, ToldCall>();
  const calls = spans.filter(({ isLog, callId }) => !isLog && callId !== '');
  for (const span of calls.toSorted((a, b) => a.startMs - b.startMs)) {
    const { callId, startMs, endMs } = span;
    const call = told.get(callId) ?? { attempts: [], begun: 0 };
    const { attempts } = call;
    if (attempts.length === 0) told.set(callId, call);
    const last = attempts.at(-1);
    if (last && (startMs < last.endMs || startMs === last.startMs)) {
      last.spans.push(span);
      last.endMs = Math.max(last.endMs, endMs);
    } else attempts.push({ spans: [span], startMs, endMs });
  }
  return told;
}

function byEnd(a: CallSpan, b: CallSpan): number {
  return a.endMs - b.endMs;
}

/** The spans that are in no other of the same call, with what those in them know better. */
function outermost(spans: readonly CallSpan[]): CallSpan[] {
  const byId = new Map(spans.toReversed().map((span) => [idOf(span.id0, span.id1), span]));
  const around = aroundByCallId(spans);
  const inside = new Map<CallSpan, CallSpan>();
  const last = new Map<CallSpan, CallSpan>();
  const above = new Map<CallSpan, CallSpan>();
  for (const span of spans) {
    const parent = byId.get(idOf(span.parent0, span.parent1));
    const isSame = parent && (span.tool === '' || span.tool === parent.tool);
    const outer = isSame ? parent : around.get(span);
    // Nothing is inside itself, whatever senders say.
    if (!outer || topOf(outer, above) === span) continue;
    inside.set(span, outer);
    above.set(span, outer);
    const before = last.get(outer);
    if (!before || before.endMs < span.endMs) last.set(outer, span);
  }
  const outer = spans.filter((span) => !inside.has(span));
  for (const call of outer) learn(call, last);
  return outer;
}

function idOf(id0: number, id1: number): string {
  return `${id0} ${id1}`;
}

/** What is around all that is around `span`, as known so far; `above` leads there, and is shortened on the way. */
function topOf(span: CallSpan, above: Map<CallSpan, CallSpan>): CallSpan {
  let at = span;
  for (let next = above.get(at); next; next = above.get(at)) {
    const afterNext = above.get(next);
    if (afterNext) above.set(at, afterNext);
    at = next;
  }
  return at;
}

/** What is inside was carried out, and knows how long that took and, unless the call failed around it, how it ended. */
function learn(call: CallSpan, last: ReadonlyMap<CallSpan, CallSpan>): void {
  const chain = [call];
  for (let inner = last.get(call); inner; inner = last.get(inner)) chain.push(inner);
  for (let k = chain.length - 2; k >= 0; k--) {
    const outer = chain[k]!;
    const inner = chain[k + 1]!;
    outer.tool ||= inner.tool;
    outer.durationMs = inner.durationMs;
    if (outer.result === 'ok') outer.result = inner.result;
  }
}

/** For each span that began while others with its call id were going on: the one of them that had begun last. */
function aroundByCallId(spans: readonly CallSpan[]): ReadonlyMap<CallSpan, CallSpan> {
  const byCallId = new Map<string, CallSpan[]>();
  for (const span of spans)
    if (span.callId !== '' && !byCallId.get(span.callId)?.push(span)) byCallId.set(span.callId, [span]);
  const around = new Map<CallSpan, CallSpan>();
  for (const alike of byCallId.values()) if (alike.length > 1) nest(alike, around);
  return around;
}

/** Says `around` which of the spans `alike` in their call id is around which: of several the one that began last. */
export function nest<Timed extends Pick<CallSpan, 'startMs' | 'endMs'>>(
  alike: readonly Timed[],
  around: Map<Timed, Timed>,
): void {
  const goingOn: Timed[] = [];
  for (const span of alike.toSorted((a, b) => a.startMs - b.startMs || b.endMs - a.endMs)) {
    while (goingOn.length > 0 && goingOn.at(-1)!.endMs <= span.startMs) goingOn.pop();
    const before = goingOn.at(-1);
    const isTwin = before?.startMs === span.startMs && before.endMs === span.endMs;
    const outer = before && isTwin ? around.get(before) : before;
    if (outer) around.set(span, outer);
    goingOn.push(span);
  }
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
