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
  readonly unit: 'ratio' | 'USD' | 'seconds';
  /** What it counts, in the plural. */
  readonly events: string;
  /** Without it only the rolling windows tell the KPI, and an objective on it has no error budget. */
  readonly share?: Share;
  /** What to look at first when it is not as it should be. */
  readonly runbook: string;
}

const all = (metric: string, ...matchers: readonly string[]): Selection => ({ metric, matchers });

const runs = all('plimsoll_runs_total');
const ran = 'result=~"ok|error"';
const failed = 'result="error"';

const compare =
  'Compare the release with the others in its environment: if all of them changed together, look at what they share (model provider, tools, input); else at what the release changed, and go back to the one before it if the cause is not found soon.';

const listRuns = (condition: string): string =>
  `List the runs: plimsoll sql "SELECT RunId, EndTime, Outcome, EscalationReason, ToolCallsFailed, CostUsd FROM runs WHERE AgentName = '{{ $labels.agent }}' AND Release = '{{ $labels.release }}'${condition} LIMIT 20"`;

const countCalls = `Count the calls: plimsoll sql "SELECT ToolName, Result, ErrorType, count() FROM tool_calls WHERE AgentName = '{{ $labels.agent }}' AND Release = '{{ $labels.release }}' GROUP BY ALL ORDER BY count() DESC"`;

/** The KPIs that an objective may name, each by the stem of its metrics after `plimsoll_kpi_`. */
export const kpiMetrics = {
  run_success: {
    unit: 'ratio',
    events: 'runs',
    share: {
      badEvents: 'runs ended badly',
      bad: (goodOutcomes) => {
        const bad = outcomes.filter((outcome) => !goodOutcomes.includes(outcome));
        return all('plimsoll_runs_total', `outcome=~"${bad.join('|')}"`);
      },
      all: runs,
    },
    runbook: `${compare} ${listRuns(" AND Outcome != 'success' ORDER BY ToolCallsFailed DESC")}`,
  },
  run_escalation: {
    unit: 'ratio',
    events: 'runs',
    share: {
      badEvents: 'runs passed control to a human',
      bad: () => all('plimsoll_run_escalations_total'),
      all: runs,
    },
    runbook: `See which reason grew: plimsoll_run_escalations_total by reason. ${compare} ${listRuns(' AND Escalated ORDER BY EndTime DESC')}`,
  },
  run_containment: {
    unit: 'ratio',
    events: 'runs',
    runbook: `${compare} ${listRuns(" AND (Escalated OR Outcome = 'abandoned') ORDER BY EndTime DESC")}`,
  },
  outcome_evidence: {
    unit: 'ratio',
    events: 'runs',
    share: {
      badEvents: 'runs ended with nobody confirming how',
      bad: () => all('plimsoll_runs_total', 'evidence="none"'),
      all: runs,
    },
    runbook:
      'Too few outcomes are confirmed, so success is a guess: see whether the application still sets plimsoll.run.outcome, and whether evaluators and reviewers are at work.',
  },
  cost_usd_per_run: {
    unit: 'USD',
    events: 'priced runs',
    runbook: `See what the money goes to: plimsoll_cost_usd_total by category. ${compare} ${listRuns(' ORDER BY CostUsd DESC')}`,
  },
  cost_usd_per_success: {
    unit: 'USD',
    events: 'priced runs that ended well',
    runbook: `See whether runs became dearer (plimsoll_kpi_cost_usd_per_run) or fewer of them end well (plimsoll_kpi_run_success_ratio). ${compare}`,
  },
  review_cost_usd_per_run: {
    unit: 'USD',
    events: 'runs',
    runbook: `See whether more runs are reviewed (plimsoll_run_escalations_total by reason) or reviews take longer. ${compare}`,
  },
  tool_call_success: {
    unit: 'ratio',
    events: 'tool calls',
    share: {
      badEvents: 'tool calls failed',
      bad: () => all('plimsoll_tool_calls_total', failed),
      all: all('plimsoll_tool_calls_total', ran),
    },
    runbook: `See which tool fails: plimsoll_kpi_tool_call_success_ratio by tool. ${compare} ${countCalls}`,
  },
  tool_call_attempt_success: {
    unit: 'ratio',
    events: 'attempts at tool calls',
    share: {
      badEvents: 'attempts at tool calls failed',
      bad: () => all('plimsoll_tool_call_attempts_total', failed),
      all: all('plimsoll_tool_call_attempts_total', ran),
    },
    runbook: `See which tool is tried again: plimsoll_kpi_tool_call_retry_ratio by tool. ${compare} ${countCalls}`,
  },
  tool_call_retry: {
    unit: 'ratio',
    events: 'tool calls',
    runbook: `See which tool is tried again: plimsoll_kpi_tool_call_retry_ratio by tool. ${compare} ${countCalls}`,
  },
  tool_call_duration: {
    unit: 'seconds',
    events: 'tool calls',
    runbook: `See whether the tool is slow for every agent (plimsoll_tool_call_duration_seconds) or for this release alone. ${compare}`,
  },
} as const satisfies Record<string, KpiMetrics>;

/** The name of a KPI in a policy: the stem of its metrics after `plimsoll_kpi_`. */
export type KpiName = keyof typeof kpiMetrics;

/** What rules and texts need to know of `kpi`. */
export function metricsOf(kpi: KpiName): KpiMetrics {
  return kpiMetrics[kpi];
}
