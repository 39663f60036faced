import { instantText as instant, nameText as text, type TableRow } from '../core/table-row.ts';
import { limitUsd } from '../semconv/plimsoll.ts';
import type { FinishedRun } from './finished-run.ts';

const word = 'LowCardinality(String)';
const time = "DateTime64(3, 'UTC')";
const money = 'Decimal(18, 9)';

/** The columns of `agent_runs` that a row says, in table order. */
export const runColumns = [
  { name: 'RunId', type: 'String' },
  { name: 'TraceId', type: 'String' },
  { name: 'AgentName', type: word },
  { name: 'Release', type: word },
  { name: 'Environment', type: word },
  { name: 'SessionId', type: 'String' },
  { name: 'UserId', type: 'String' },
  { name: 'TaskType', type: word },
  { name: 'StartTime', type: time },
  { name: 'EndTime', type: time },
  { name: 'ClosedTime', type: time },
  { name: 'ClosedBy', type: word },
  { name: 'Outcome', type: word },
  { name: 'Evidence', type: word },
  { name: 'Escalated', type: 'Bool' },
  { name: 'EscalationReason', type: word },
  { name: 'ToolCalls', type: 'UInt32' },
  { name: 'ToolCallsFailed', type: 'UInt32' },
  { name: 'ToolCallsRejected', type: 'UInt32' },
  { name: 'ToolCallsCancelled', type: 'UInt32' },
  { name: 'ToolCallAttempts', type: 'UInt32' },
  { name: 'InputTokens', type: 'UInt64' },
  { name: 'OutputTokens', type: 'UInt64' },
  { name: 'LlmCostUsd', type: money },
  { name: 'ToolCostUsd', type: money },
  { name: 'ReviewCostUsd', type: money },
  { name: 'ReviewSeconds', type: 'Float64' },
  { name: 'Priced', type: 'Bool' },
  { name: 'Scores', type: 'Map(LowCardinality(String), Float64)' },
  { name: 'PolicyRevision', type: word },
  { name: 'Version', type: 'UInt64' },
] as const;

/** What a column holds; undefined is what it holds when nobody says: 0, '' or false. */
type RunRow = {
  readonly [C in (typeof runColumns)[number] as C['name']]:
    | string
    | number
    | true
    | Readonly<Record<string, number>>
    | undefined;
};

/** What is known of `run`, as a row of `agent_runs`; `policyRevision` is that of the policy which covers it, or ''. */
export function tableRowOf(run: FinishedRun, policyRevision: string): TableRow {
  return { table: 'agent_runs', key: run.runId, version: run.version, row: runRow(run, policyRevision) };
}

/** `run` as one line of JSON. The same knowledge gives the same row. */
export function runRow(run: FinishedRun, policyRevision = ''): string {
  const { toolCalls, costUsd } = run;
  const row: RunRow = {
    RunId: text(run.runId),
    TraceId: text(run.traceId),
    AgentName: text(run.agent),
    Release: text(run.release),
    Environment: text(run.environment),
    SessionId: text(run.sessionId),
    UserId: text(run.userId),
    TaskType: text(run.taskType),
    StartTime: instant(run.startMs),
    EndTime: instant(run.endMs),
    ClosedTime: instant(run.closedMs),
    ClosedBy: run.closedBy,
    Outcome: run.outcome,
    Evidence: run.evidence,
    Escalated: run.escalationReason !== undefined || run.outcome === 'escalated' || undefined,
    EscalationReason: run.escalationReason,
    ToolCalls: count(toolCalls.ok + toolCalls.error + toolCalls.rejected + toolCalls.cancelled),
    ToolCallsFailed: count(toolCalls.error),
    ToolCallsRejected: count(toolCalls.rejected),
    ToolCallsCancelled: count(toolCalls.cancelled),
    ToolCallAttempts: count(toolCalls.attempts),
    InputTokens: count(run.inputTokens),
    OutputTokens: count(run.outputTokens),
    LlmCostUsd: dollars(costUsd.llm),
    ToolCostUsd: dollars(costUsd.tool),
    ReviewCostUsd: dollars(costUsd.review),
    ReviewSeconds: run.reviewSeconds === 0 ? undefined : run.reviewSeconds,
    Priced: run.priced || undefined,
    Scores: run.scores.size === 0 ? undefined : Object.fromEntries(run.scores),
    PolicyRevision: text(policyRevision),
    Version: run.version,
  };
  return JSON.stringify(row);
}

function count(value: number): number | undefined {
  return value === 0 ? undefined : Math.min(value, Number.MAX_SAFE_INTEGER);
}

/** All nine decimals: exact up to 4 million dollars, because the double is the one that is nearest to them. */
function dollars(usd: number): string | undefined {
  return usd === 0 ? undefined : Math.min(usd, limitUsd).toFixed(9);
}
