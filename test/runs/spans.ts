import type { FinishedRun, RunSink, ToolCall } from '../../src/runs/finished-run.ts';
import type { Lane, RunSettings } from '../../src/runs/run-assembler.ts';
import type { SpanFacts } from '../../src/semconv/span-facts.ts';

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
    tool: '',
    runId: given.traceId ?? 'trace',
    sessionId: '',
    release: 'unknown',
    environment: 'unknown',
    result: undefined,
    failed: false,
    errorType: '',
    outcome: undefined,
    evidence: 'none',
    escalationReason: undefined,
    escalationState: undefined,
    costUsd: undefined,
    costSource: undefined,
    inputTokens: undefined,
    outputTokens: undefined,
    ...given,
  };
}

/** What the assembler reported. */
export class Reported implements RunSink {
  readonly finishedRuns: FinishedRun[] = [];
  readonly calls: ToolCall[] = [];
  readonly revisions: { before: FinishedRun; after: FinishedRun }[] = [];
  readonly live = { runs: 0, calls: 0, revisions: 0 };

  finished(run: FinishedRun, live: boolean): void {
    this.finishedRuns.push(run);
    this.live.runs += Number(live);
  }

  revised(before: FinishedRun, after: FinishedRun, live: boolean): void {
    this.revisions.push({ before, after });
    this.live.revisions += Number(live);
  }

  toolCall(call: ToolCall, live: boolean): void {
    this.calls.push(call);
    this.live.calls += Number(live);
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
};

export function lane(partition = 0): Lane {
  return {
    partition,
    offset: 0,
    latestMs: Number.MAX_SAFE_INTEGER,
    live: true,
    countedMs: Number.NEGATIVE_INFINITY,
    newestMs: Number.NEGATIVE_INFINITY,
  };
}
