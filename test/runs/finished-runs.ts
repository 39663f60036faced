import type { FinishedRun } from '../../src/runs/finished-run.ts';
import { noScores } from '../../src/semconv/span-facts.ts';

/** A run that completed and says nothing but what is given. */
export function finishedRun(given: Partial<FinishedRun> = {}): FinishedRun {
  const endMs = given.endMs ?? Date.UTC(2026, 10, 23, 12);
  return {
    slot: 0,
    runId: 'run',
    traceId: '0'.repeat(32),
    agent: 'unknown',
    release: 'unknown',
    environment: 'unknown',
    sessionId: '',
    userId: '',
    taskType: '',
    startMs: endMs - 1000,
    endMs,
    closedMs: endMs,
    closedBy: 'root',
    outcome: 'completed',
    evidence: 'none',
    escalationReason: undefined,
    escalationRequests: [],
    peakRequests: [],
    toolCalls: { ok: 0, error: 0, rejected: 0, cancelled: 0, attempts: 0 },
    costUsd: { llm: 0, tool: 0, review: 0 },
    peakUsd: given.costUsd ?? { llm: 0, tool: 0, review: 0 },
    reviewSeconds: 0,
    priced: true,
    inputTokens: 0,
    outputTokens: 0,
    scores: noScores,
    behindMs: 0,
    version: 1,
    place: undefined,
    ...given,
  };
}
