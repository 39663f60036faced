import { outcomes, type Outcome } from '../semconv/vocabulary.ts';

/** Series of a metric; matchers as PromQL writes them. */
export interface Selection {
  readonly metric: string;
  readonly matchers: readonly string[];
}

/** The counters from which the share of bad events over any time follows. */
interface Share {
  /** What is said of bad ones after "12 % of". */
  readonly badEvents: string;
  readonly bad: (goodOutcomes: readonly Outcome[]) => Selection;
  readonly all: Selection;
}

/** What rules and texts need to know of a KPI. */
interface KpiMetrics {
  readonly unit: 'ratio' | 'USD' | 'seconds' | 'incidents';
  /** What it counts, in the plural. */
  readonly events: string;
  /** Without it only the rolling windows tell the KPI, and an objective on it has no error budget. */
  readonly share?: Share;
  /** Its gauges are of each tool, which do not add up: there is one value of each, not one of a release. */
  readonly byTool?: true;
  /** What to look at first when it is not as it should be. */
  readonly runbook: (goodOutcomes: readonly Outcome[]) => string;
}

const all = (metric: string, ...matchers: readonly string[]): Selection => ({ metric, matchers });

const badOutcomes = (good: readonly Outcome[]): readonly Outcome[] =>
  outcomes.filter((outcome) => !good.includes(outcome));

const runs = all('plimsoll_runs_total');
const ran = 'result=~"ok|error"';
const failed = 'result="error"';

const compare =
  'Compare the release with the others in its environment: if all of them changed together, look at what they share (model provider, tools, input); else at what the release changed, and go back to the one before it if the cause is not found soon.';

/**
 * Commands are copied into shells, and what senders write (an agent, a release, a tool) stands in no command: so these
 * ask for every release, a few rows each, and those of the alert are found by its labels.
 */
const listRuns = (order: string, condition = '', column = 'CostUsd'): string =>
  `List the runs, and look at those of this agent and release: plimsoll sql "SELECT AgentName, Release, Environment, RunId, EndTime, Outcome, EscalationReason, ToolCallsFailed, ${column} FROM runs WHERE EndTime > now() - INTERVAL 3 DAY${condition} ORDER BY ${order} LIMIT 20 BY AgentName, Release, Environment"`;

const countCalls =
  'Count the calls, and look at those of this agent and release: plimsoll sql "SELECT AgentName, Release, Environment, ToolName, Result, ErrorType, count() FROM tool_calls WHERE Timestamp > now() - INTERVAL 3 DAY GROUP BY ALL ORDER BY count() DESC LIMIT 20 BY AgentName, Release, Environment"';

/** The KPIs that an objective may name, each by the stem of its metrics after `plimsoll_kpi_`. */
export const kpiMetrics = {
  run_success: {
    unit: 'ratio',
    events: 'runs',
    share: {
      badEvents: 'runs ended badly',
      bad: (goodOutcomes) => all('plimsoll_runs_total', `outcome=~"${badOutcomes(goodOutcomes).join('|')}"`),
      all: runs,
    },
    runbook: (goodOutcomes) => {
      const bad = badOutcomes(goodOutcomes).map((outcome) => `'${outcome}'`);
      return `${compare} ${listRuns('EndTime DESC', ` AND Outcome IN (${bad.join(', ')})`)}`;
    },
  },
  run_escalation: {
    unit: 'ratio',
    events: 'runs',
    share: {
      badEvents: 'runs passed control to a human',
      bad: () => all('plimsoll_run_escalations_total'),
      all: runs,
    },
    runbook: () =>
      `See which reason grew: plimsoll_run_escalations_total by reason. ${compare} ${listRuns('EndTime DESC', ' AND Escalated')}`,
  },
  run_containment: {
    unit: 'ratio',
    events: 'runs',
    runbook: () => `${compare} ${listRuns('EndTime DESC', " AND (Escalated OR Outcome = 'abandoned')")}`,
  },
  outcome_evidence: {
    unit: 'ratio',
    events: 'runs',
    share: {
      badEvents: 'runs ended with nobody confirming how',
      bad: () => all('plimsoll_runs_total', 'evidence="none"'),
      all: runs,
    },
    runbook: () =>
      'Too few outcomes are confirmed, so success is a guess: see whether the application still sets plimsoll.run.outcome, and whether evaluators and reviewers are at work.',
  },
  run_duration: {
    unit: 'seconds',
    events: 'runs',
    runbook: () =>
      `See whether tools became slower (plimsoll_kpi_tool_call_duration_seconds by tool) or runs do more (ToolCalls, InputTokens of runs). ${compare} ${listRuns('DurationSeconds DESC', '', 'DurationSeconds')}`,
  },
  incidents_per_run: {
    unit: 'incidents',
    events: 'runs',
    runbook: () =>
      `See which incidents opened: plimsoll sql "SELECT AgentName, Release, Environment, IncidentKey, Severity, Title, DetectedTime FROM incidents_now WHERE DetectedTime > now() - INTERVAL 3 DAY ORDER BY DetectedTime DESC LIMIT 20 BY AgentName, Release, Environment". ${compare}`,
  },
  quality_score: {
    unit: 'ratio',
    events: 'runs with a score',
    runbook: () =>
      `See whether other evaluators say the same (plimsoll_kpi_quality_score_ratio by evaluator): if this one alone does, look at what changed in it (its model, its prompt). ${compare} ${listRuns('arrayMin(mapValues(Scores))', ' AND notEmpty(Scores)', 'Scores')}`,
  },
  cost_usd_per_run: {
    unit: 'USD',
    events: 'priced runs',
    runbook: () =>
      `See what the money goes to: plimsoll_cost_usd_total by category. ${compare} ${listRuns('CostUsd DESC')}`,
  },
  cost_usd_per_success: {
    unit: 'USD',
    events: 'priced runs that ended well',
    runbook: () =>
      `See whether runs became dearer (plimsoll_kpi_cost_usd_per_run) or fewer of them end well (plimsoll_kpi_run_success_ratio). ${compare}`,
  },
  review_cost_usd_per_run: {
    unit: 'USD',
    events: 'runs',
    runbook: () =>
      `See whether more runs are reviewed (plimsoll_run_escalations_total by reason) or reviews take longer. ${compare}`,
  },
  tool_call_success: {
    unit: 'ratio',
    events: 'tool calls',
    share: {
      badEvents: 'tool calls failed',
      bad: () => all('plimsoll_tool_calls_total', failed),
      all: all('plimsoll_tool_calls_total', ran),
    },
    runbook: () =>
      `See which tool fails: plimsoll_kpi_tool_call_success_ratio by tool. ${compare} ${countCalls}`,
  },
  tool_call_attempt_success: {
    unit: 'ratio',
    events: 'attempts at tool calls',
    share: {
      badEvents: 'attempts at tool calls failed',
      bad: () => all('plimsoll_tool_call_attempts_total', failed),
      all: all('plimsoll_tool_call_attempts_total', ran),
    },
    runbook: () =>
      `See which tool is tried again: plimsoll_kpi_tool_call_retry_ratio by tool. ${compare} ${countCalls}`,
  },
  tool_call_retry: {
    unit: 'ratio',
    events: 'tool calls',
    runbook: () =>
      `See which tool is tried again: plimsoll_kpi_tool_call_retry_ratio by tool. ${compare} ${countCalls}`,
  },
  tool_call_duration: {
    unit: 'seconds',
    events: 'tool calls',
    byTool: true,
    runbook: () =>
      `See whether the tool is slow for every agent (plimsoll_tool_call_duration_seconds) or for this release alone. ${compare}`,
  },
} as const satisfies Record<string, KpiMetrics>;

/** The name of a KPI in a policy: the stem of its metrics after `plimsoll_kpi_`. */
export type KpiName = keyof typeof kpiMetrics;

/** What rules and texts need to know of `kpi`. */
export function metricsOf(kpi: KpiName): KpiMetrics {
  return kpiMetrics[kpi];
}
