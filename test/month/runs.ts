import { instantText, type TableRow } from '../../src/core/table-row.ts';
import { tableRowOf } from '../../src/runs/run-row.ts';
import { rehearsalOf } from '../../src/semconv/rehearsal.ts';
import type { EscalationReason, EvidenceLevel, Outcome } from '../../src/semconv/vocabulary.ts';
import { finishedRun } from '../runs/finished-runs.ts';
import { agents, type Agent, type Release } from './agents.ts';
import { at, Draw } from './days.ts';
import { policyAt } from './policies.ts';

/** When a run is and of what. */
interface Planned {
  readonly agent: Agent;
  readonly release: Release;
  readonly environment: string;
  readonly startMs: number;
}

/** A run and its spans, as rows. */
export interface RunRows {
  readonly run: TableRow;
  /** Rows of `otel_traces`, as JSON. */
  readonly spans: readonly string[];
}

const months = ['07-01', '08-01', '09-01', '10-01', '11-01', '11-03'].map((day) => at(`${day} 00:00`));
/** What an hour of review costs. */
const reviewUsdPerHour = 45;

function plannedRuns(): readonly Planned[] {
  const draw = new Draw(2026);
  const planned: Planned[] = [];
  for (const agent of agents) {
    for (const [month, count] of agent.runs.entries()) {
      const fromMs = Math.max(months[month]!, agent.sinceMs);
      const stepMs = (months[month + 1]! - fromMs) / count;
      for (let n = 0; n < count; n++) {
        const startMs = fromMs + (n + draw.between(0, 0.9)) * stepMs;
        const release = agent.releases.findLast((one) => !one.canary && one.sinceMs <= startMs)!;
        planned.push({ agent, release, environment: 'production', startMs });
      }
    }
    for (const release of agent.releases) planned.push(...canaryRuns(agent, release, draw));
  }
  const refunds = agents[0]!;
  planned.push(...elsewhere(refunds, 'staging', '1.5.1', ['10-08 08:00', 40]));
  planned.push(...elsewhere(refunds, rehearsalOf('production', 'm1'), 'drill-bad', ['10-15 10:00', 30]));
  return planned
    .map((one) => ({ ...one, startMs: Math.floor(one.startMs) }))
    .toSorted((a, b) => a.startMs - b.startMs);
}

function canaryRuns(agent: Agent, release: Release, draw: Draw): readonly Planned[] {
  const { canary, sinceMs } = release;
  if (!canary) return [];
  const stepMs = (canary.untilMs - sinceMs) / canary.runs;
  return Array.from({ length: canary.runs }, (_, n) => ({
    agent,
    release,
    environment: 'production',
    startMs: sinceMs + (n + draw.between(0, 0.5)) * stepMs,
  }));
}

function elsewhere(
  agent: Agent,
  environment: string,
  name: string,
  [from, count]: readonly [string, number],
): readonly Planned[] {
  const release = { name, sinceMs: at(from), failing: 0.3, escalating: 0.1 };
  return Array.from({ length: count }, (_, n) => ({
    agent,
    release,
    environment,
    startMs: at(from) + n * 60_000,
  }));
}

/** How a run went. */
interface Course {
  readonly outcome: Outcome;
  readonly evidence: EvidenceLevel;
  readonly reason: EscalationReason | undefined;
}

function courseOf({ agent, release }: Planned, draw: Draw): Course {
  const reason = draw.happens(release.escalating) ? draw.oneOf(agent.reasons) : undefined;
  const evidence = draw.oneOf<EvidenceLevel>([
    ['none', 45],
    ['app', 40],
    ['evaluator', 15],
  ]);
  if (draw.happens(release.failing)) return { outcome: 'failure', evidence, reason };
  // Of what was approved the agent itself goes on.
  if (reason !== undefined && !(reason === 'approval' && draw.happens(0.6)))
    return { outcome: 'escalated', evidence: 'human', reason };
  if (reason !== undefined) return { outcome: 'success', evidence: 'human', reason };
  if (draw.happens(0.02))
    return { outcome: draw.happens(0.5) ? 'abandoned' : 'unknown', evidence: 'none', reason };
  return { outcome: evidence === 'none' ? 'completed' : 'success', evidence, reason };
}

/** Spans of one run, as they come to be. Their times are seconds since the epoch, which no time zone changes. */
class RunSpans {
  readonly rows: Record<string, unknown>[] = [];
  readonly #common: Readonly<Record<string, unknown>>;
  readonly #draw: Draw;
  #nowMs: number;

  constructor(common: Readonly<Record<string, unknown>>, startMs: number, draw: Draw) {
    this.#common = common;
    this.#draw = draw;
    this.#nowMs = startMs;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** A span of `seconds` below the root, after all others. */
  add(seconds: number, said: Readonly<Record<string, unknown>>): void {
    this.rows.push({
      ...this.#common,
      Timestamp: `${(this.#nowMs / 1000).toFixed(3)}000000`,
      SpanId: this.#draw.hex(16),
      Duration: Math.round(seconds * 1e9),
      StreamIndex: this.rows.length,
      ...said,
    });
    this.#nowMs += Math.round(seconds * 1000);
  }
}

const clients = { SpanKind: 'Client', StatusCode: 'Unset' };

function llmCall(spans: RunSpans, agent: Agent, isPriced: boolean, draw: Draw) {
  const tokens = { input: draw.whole(600, 4000), output: draw.whole(50, 600) };
  const usd = isPriced
    ? Math.round(((tokens.input + 4 * tokens.output) / 1000) * agent.tokenUsd * 1e6) / 1e6
    : 0;
  spans.add(draw.between(0.6, 3), {
    ...clients,
    SpanName: `chat ${agent.model}`,
    Step: 'llm',
    Provider: agent.provider,
    Model: agent.model,
    InputTokens: tokens.input,
    OutputTokens: tokens.output,
    CostUsd: isPriced ? usd.toFixed(9) : null,
    CostSource: isPriced ? 'computed' : 'unpriced',
  });
  return { ...tokens, usd };
}

/** One call of a tool, with its attempts; says how it ended. */
function toolCall(spans: RunSpans, agent: Agent, fails: boolean, rejects: boolean, draw: Draw) {
  const tool = draw.oneOf(agent.tools);
  const id = `call_${draw.hex(8)}`;
  const attempts = rejects ? 1 : fails || draw.happens(0.06) ? 2 : 1;
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const isError = !rejects && (fails || attempt < attempts);
    const result = rejects ? 'rejected' : isError ? 'error' : 'ok';
    spans.add(rejects ? draw.between(30, 300) : draw.between(0.1, isError ? 6 : 1.5), {
      ...clients,
      SpanName: `execute_tool ${tool}`,
      StatusCode: isError ? 'Error' : 'Unset',
      SpanAttributes: { 'gen_ai.tool.call.id': id },
      Step: 'tool',
      ToolName: tool,
      Result: result,
      ErrorType: isError
        ? draw.oneOf([
            ['timeout', 3],
            ['HTTP 502', 1],
          ])
        : '',
      ...(rejects && {
        Escalated: true,
        EscalationReason: 'approval',
        EscalationState: 'rejected',
        Rule: 'explicit',
      }),
      ...(agent.toolUsd > 0 && { CostUsd: agent.toolUsd.toFixed(9), CostSource: 'static' }),
    });
  }
  return { attempts, usd: attempts * agent.toolUsd };
}

/** A human looked at it for a while; gives how long. */
function review(spans: RunSpans, reason: EscalationReason, draw: Draw): number {
  const seconds = draw.whole(40, 420);
  spans.add(seconds, {
    SpanName: 'plimsoll.review',
    SpanKind: 'Internal',
    Step: 'review',
    Escalated: true,
    EscalationReason: reason,
    EscalationState: reason === 'approval' ? 'approved' : 'requested',
    Rule: 'explicit',
    CostUsd: ((seconds * reviewUsdPerHour) / 3600).toFixed(9),
    CostSource: 'static',
  });
  return seconds;
}

function runRows(planned: Planned, offset: number, draw: Draw): RunRows {
  const { agent, release, environment, startMs } = planned;
  const course = courseOf(planned, draw);
  const revision = policyAt(agent.name, environment, startMs)?.revision ?? '';
  const [traceId, runId] = [draw.hex(32), `run-${draw.hex(12)}`];
  // A day's conversations of an agent: some have several runs.
  const sessionId = `${agent.name}-${instantText(startMs).slice(0, 10)}-${draw.hex(8).slice(0, 1)}`;
  const labels = { AgentName: agent.name, Release: release.name, Environment: environment };
  const of = { ...labels, TraceId: traceId, RunId: runId, SessionId: sessionId, ServiceName: agent.service };
  const place = { StreamId: 'month', StreamPartition: 0, StreamOffset: offset };
  const rootId = draw.hex(16);
  const spans = new RunSpans(
    { ...of, ...place, ParentSpanId: rootId, PolicyRevision: revision, SpanKind: 'Internal' },
    startMs,
    draw,
  );

  const isPriced = !draw.happens(release.unpriced ?? 0);
  const isRejected = course.outcome === 'escalated' && course.reason === 'approval';
  const calls = draw.whole(1, 3);
  const counts = { ok: 0, error: 0, rejected: 0, cancelled: 0, attempts: 0 };
  const usd = { llm: 0, tool: 0, review: 0 };
  const tokens = { input: 0, output: 0 };
  for (let n = 0; n <= calls; n++) {
    const model = llmCall(spans, agent, isPriced, draw);
    usd.llm += model.usd;
    tokens.input += model.input;
    tokens.output += model.output;
    if (n === calls) break;
    const isLast = n === calls - 1;
    const fails = isLast && course.outcome === 'failure' && draw.happens(0.8);
    const tool = toolCall(spans, agent, fails, isLast && isRejected, draw);
    usd.tool += tool.usd;
    counts.attempts += tool.attempts;
    counts[isLast && isRejected ? 'rejected' : fails ? 'error' : 'ok']++;
  }
  const reviewSeconds = course.reason === undefined || isRejected ? 0 : review(spans, course.reason, draw);
  usd.review = (reviewSeconds * reviewUsdPerHour) / 3600;

  const endMs = spans.nowMs;
  const isSeen = course.outcome !== 'unknown';
  const root = {
    ...of,
    ...place,
    Timestamp: `${(startMs / 1000).toFixed(3)}000000`,
    SpanId: rootId,
    SpanName: `invoke_agent ${agent.name}`,
    SpanKind: 'Server',
    Duration: (endMs - startMs) * 1e6,
    StatusCode: course.outcome === 'failure' ? 'Error' : 'Unset',
    Step: 'agent',
    Outcome: course.evidence === 'none' ? '' : course.outcome,
    Evidence: course.evidence,
    PolicyRevision: revision,
    StreamIndex: spans.rows.length,
  };
  const rows = isSeen ? [...spans.rows, root] : spans.rows;
  const isGood = course.outcome === 'success' || course.outcome === 'completed';
  const score = agent.quality && draw.happens(0.4) ? agent.quality[isGood ? 0 : 1] : undefined;
  const finished = finishedRun({
    runId,
    traceId,
    agent: agent.name,
    release: release.name,
    environment,
    sessionId,
    userId: `user-${draw.whole(1, 60)}`,
    taskType: agent.taskType,
    startMs,
    endMs,
    closedMs: isSeen ? endMs : endMs + 300_000,
    closedBy: isSeen ? 'root' : 'idle',
    outcome: course.outcome,
    evidence: course.evidence,
    escalationReason: course.reason,
    toolCalls: counts,
    costUsd: usd,
    reviewSeconds,
    priced: isPriced,
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    scores: new Map(
      score === undefined
        ? []
        : [['task_quality', Math.round((score + draw.between(-0.08, 0.08)) * 1000) / 1000]],
    ),
    version: rows.length,
  });
  return { run: tableRowOf(finished, revision), spans: rows.map((row) => JSON.stringify(row)) };
}

/** Every run, in the order in which they began. */
export function allRuns(): readonly RunRows[] {
  const draw = new Draw(1876);
  return plannedRuns().map((planned, offset) => runRows(planned, offset, draw));
}
