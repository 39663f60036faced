import { evidenceLevels, outcomes, results } from '../semconv/vocabulary.ts';
import type { ClosedBy, FinishedRun, RunToolCalls, SeenRun } from './finished-run.ts';
import { nanosPerUsd } from './quantities.ts';
import { byte, cell, text, word, type RunTable } from './run-table.ts';

/** What ends runs, as a row of the table names it by its place here. */
export const closings = ['root', 'idle', 'spill'] as const satisfies readonly ClosedBy[];

/** What ended `run` when it was finished last. */
export function closedByOf(table: RunTable, run: number): ClosedBy {
  return closings[table.bytes[table.byteAt(run) + byte.closedBy]!]!;
}

/** `run` as far as it is known now. */
export function seenOf(table: RunTable, run: number): SeenRun {
  return {
    slot: run,
    agent: table.label(run, text.agent),
    release: table.label(run, text.release),
    environment: table.label(run, text.environment),
    sessionId: table.text(run, text.session),
    userId: table.text(run, text.user),
  };
}

/** `run` as `table` says it was when it was finished last, and what others say of it. */
export function reportOf(
  table: RunTable,
  run: number,
  said: Pick<FinishedRun, 'endMs' | 'escalationReason' | 'escalationRequests' | 'peakRequests' | 'scores'>,
): FinishedRun {
  const { cells, bytes } = table;
  const at = table.cellAt(run);
  const bytesAt = table.byteAt(run);
  const closedBy = closedByOf(table, run);
  return {
    runId: table.id(run),
    traceId: table.traceId(run),
    ...seenOf(table, run),
    taskType: table.text(run, text.taskType),
    startMs: cells[at + cell.startMs]!,
    endMs: said.endMs,
    closedMs: cells[at + cell.closedMs]!,
    closedBy,
    outcome: outcomes[bytes[bytesAt + byte.outcome]!]!,
    evidence: evidenceLevels[bytes[bytesAt + byte.evidence]!]!,
    escalationReason: said.escalationReason,
    escalationRequests: said.escalationRequests,
    peakRequests: said.peakRequests,
    toolCalls: toolCallsOf(table, run),
    costUsd: {
      llm: cells[at + cell.llmCostNanos]! / nanosPerUsd,
      tool: cells[at + cell.toolCostNanos]! / nanosPerUsd,
      review: cells[at + cell.reviewCostNanos]! / nanosPerUsd,
    },
    peakUsd: {
      llm: cells[at + cell.peakCostNanos]! / nanosPerUsd,
      tool: cells[at + cell.peakCostNanos + 1]! / nanosPerUsd,
      review: cells[at + cell.peakCostNanos + 2]! / nanosPerUsd,
    },
    reviewSeconds: cells[at + cell.reviewMs]! / 1000,
    priced: bytes[bytesAt + byte.lowerBound] === 0,
    inputTokens: cells[at + cell.inputTokens]!,
    outputTokens: cells[at + cell.outputTokens]!,
    scores: said.scores,
    behindMs: closedBy === 'root' ? cells[at + cell.rootBehindMs]! : 0,
    version: table.words[table.wordAt(run) + word.version]!,
    place: table.places[run],
  };
}

function toolCallsOf(table: RunTable, run: number): RunToolCalls {
  const { words } = table;
  const at = table.wordAt(run);
  const [ok, error, rejected, cancelled] = results.map((_, i) => words[at + word.toolCalls + i]!);
  return {
    ok: ok!,
    error: error!,
    rejected: rejected!,
    cancelled: cancelled!,
    attempts: words[at + word.toolCallAttempts]!,
  };
}
