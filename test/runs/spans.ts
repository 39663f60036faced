import type { FinishedRun, RunSink, SeenRun, ToolCall } from '../../src/runs/finished-run.ts';
import type { Lane } from '../../src/runs/lane.ts';
import type { RunSettings } from '../../src/runs/run-assembler.ts';
import { noScores, type SpanFacts, type SpanIds } from '../../src/semconv/span-facts.ts';

/** Ids in tests are names; on the wire each is a number of its own. */
const numbers = new Map<string, number>([['', 0]]);
const names = new Map<string, string>();

function numberOf(name: string): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  const number = numbers.size;
  numbers.set(name, number);
  const traceId = Buffer.alloc(16);
  traceId.writeInt32LE(number, 12);
  names.set(traceId.toString('hex'), name);
  return number;
}

/** The ids of the span it belongs to, which a copy of that may have changed. */
function readIds(this: SpanFacts, ids: SpanIds): void {
  ids.trace0 = 0;
  ids.trace1 = 0;
  ids.trace2 = 0;
  ids.trace3 = numberOf(this.traceId);
  ids.span0 = 0;
  ids.span1 = numberOf(this.spanId);
  ids.parent0 = 0;
  ids.parent1 = numberOf(this.parentSpanId);
  ids.run = this.runId === this.traceId ? '' : this.runId;
}

/** The run with its id as the test named it. */
function named(run: FinishedRun): FinishedRun {
  return { ...run, slot: 0, runId: names.get(run.runId) ?? run.runId };
}

/** A span that says nothing but what is given. */
export function span(given: Partial<SpanFacts>): SpanFacts {
  return {
    traceId: given.runId ?? 'trace',
    spanId: 'span',
    parentSpanId: 'parent',
    startMs: 0,
    endMs: 0,
    step: 'other',
    agent: 'unknown',
    namesAgent: given.agent !== undefined,
    tool: '',
    toolCallId: '',
    attempt: 1,
    argumentsPrint: 0,
    runId: given.traceId ?? 'trace',
    sessionId: '',
    userId: '',
    taskType: '',
    release: 'unknown',
    environment: 'unknown',
    result: undefined,
    failed: false,
    errorType: '',
    outcome: undefined,
    evidence: 'none',
    escalationReason: undefined,
    escalationState: undefined,
    asksForTool: false,
    costUsd: undefined,
    costSource: undefined,
    reviewSeconds: undefined,
    inputTokens: undefined,
    outputTokens: undefined,
    log: undefined,
    scores: noScores,
    ...given,
    readIds,
  };
}

/** What the assembler reported. */
export class Reported implements RunSink {
  readonly finishedRuns: FinishedRun[] = [];
  readonly calls: ToolCall[] = [];
  readonly revisions: { before: FinishedRun; after: FinishedRun }[] = [];
  /** What was said of runs, in that order. */
  readonly knownRuns: FinishedRun[] = [];
  /** What was said of open runs, in that order. */
  readonly seenRuns: SeenRun[] = [];
  /** Runs that were part of others. */
  readonly absorbedSlots: { slot: number; into: number }[] = [];

  seen(run: SeenRun): void {
    this.seenRuns.push(run);
  }

  absorbed(slot: number, into: number): void {
    this.absorbedSlots.push({ slot, into });
  }

  finished(run: FinishedRun): void {
    this.finishedRuns.push(named(run));
    this.knownRuns.push(named(run));
  }

  revised(before: FinishedRun, after: FinishedRun): void {
    this.revisions.push({ before: named(before), after: named(after) });
    this.knownRuns.push(named(after));
  }

  toolCall(call: ToolCall): void {
    this.calls.push(call);
  }

  /** The runs as known after the last revision. */
  get runs(): readonly FinishedRun[] {
    const last = new Map(this.finishedRuns.map((run) => [run.runId, run]));
    for (const { after } of this.revisions) last.set(after.runId, after);
    return [...last.values()];
  }
}

export const settings: RunSettings = {
  idleTimeoutMs: 300_000,
  rememberMs: 120_000,
  rememberIdleMs: 3_600_000,
  holdMs: 60_000,
  maxRuns: 1000,
  maxSpansPerRun: 100,
  maxSpans: 10_000,
  guessEscalations: false,
};

export function lane(): Lane {
  return { latestMs: Number.MAX_SAFE_INTEGER, newestMs: Number.NEGATIVE_INFINITY };
}
