import { marksOf, type Band, type Draft } from './dashboard.ts';
import { kpiAbout, kpiStat, kpiTrend, metricAbout } from './kpi-panels.ts';
import { traceLink, uids } from './links.ts';
import { rows, stack, trend } from './panel.ts';
import { denominator, increase, ofOneAgent, oneAgent, quantile, quotient } from './promql.ts';
import { inRange, ofReleases } from './sql.ts';
import { anAgent, environment, releasesOfOne, window } from './variables.ts';

const byRelease = { scope: ofOneAgent, by: 'release' };

const now: Band = {
  height: 5,
  panels: [
    [4, kpiStat('run_success', 'Success', ofOneAgent)],
    [4, kpiStat('run_escalation', 'Escalation', ofOneAgent)],
    [4, kpiStat('run_containment', 'Containment', ofOneAgent)],
    [4, kpiStat('outcome_evidence', 'Confirmed', ofOneAgent)],
    [4, kpiStat('cost_usd_per_success', 'Cost per success', ofOneAgent)],
    [4, kpiStat('incidents_per_run', 'Incidents per run', ofOneAgent)],
  ],
};

const quality: Band = {
  height: 9,
  panels: [
    [8, kpiTrend('run_success', 'Success', byRelease, '{{release}}')],
    [
      8,
      kpiTrend(
        'quality_score',
        'Quality',
        { scope: ofOneAgent, by: 'release, evaluator' },
        '{{release}}: {{evaluator}}',
      ),
    ],
    [
      8,
      trend(
        {
          title: 'Runs in the window',
          description: 'n of the ratios beside: finished runs of each release over the window.',
          unit: 'short',
        },
        { expr: denominator('run_success', byRelease), legend: '{{release}}' },
      ),
    ],
  ],
};

const humans: Band = {
  height: 9,
  panels: [
    [
      8,
      stack(kpiAbout('run_escalation_by_reason', 'Escalation by reason'), {
        expr: quotient('run_escalation_by_reason', { scope: ofOneAgent, by: 'reason' }),
        legend: '{{reason}}',
      }),
    ],
    [
      8,
      stack(metricAbout('plimsoll_runs_total', 'Runs by outcome', 'short'), {
        expr: increase('plimsoll_runs_total', 'outcome', ofOneAgent, '$__rate_interval'),
        legend: '{{outcome}}',
        exemplars: true,
      }),
    ],
    [
      8,
      trend(
        {
          ...metricAbout('plimsoll_run_duration_seconds', 'Duration of runs', 's'),
          description:
            'Quantiles of all chosen releases together, from the histogram; a point is a run, and leads to its trace.',
        },
        ...[0.5, 0.95].map((level) => ({
          expr: quantile(level, 'plimsoll_run_duration_seconds', '', ofOneAgent),
          legend: `p${100 * level}`,
          exemplars: true,
        })),
      ),
    ],
  ],
};

const badRuns = `SELECT
    ClosedTime, Release, Environment, Outcome, Evidence, EscalationReason, ToolCallsFailed AS FailedToolCalls,
    DurationSeconds, toFloat64(CostUsd) AS CostUsd, TraceId
FROM runs
WHERE ${inRange('ClosedTime')} AND ${ofReleases}
    AND (Outcome IN ('failure', 'abandoned', 'unknown') OR Escalated)
ORDER BY ClosedTime DESC
LIMIT 200`;

const whatFails = `SELECT
    Release, ToolName, if(ErrorType = '', 'not said', ErrorType) AS Error, count() AS Attempts, max(Timestamp) AS Latest,
    argMax(TraceId, Timestamp) AS TraceId
FROM tool_calls
WHERE ${inRange('Timestamp')} AND ${ofReleases} AND Result = 'error'
GROUP BY Release, ToolName, Error
ORDER BY Attempts DESC
LIMIT 100`;

const runs: Band = {
  heading: 'Runs to look at',
  height: 10,
  panels: [
    [
      14,
      rows(
        {
          title: 'Runs that failed or needed a human',
          description:
            'The latest 200 of the time shown, from ClickHouse. Click a trace to see what happened.',
          unit: 'none',
        },
        badRuns,
        [traceLink, { title: 'DurationSeconds', unit: 's' }, { title: 'CostUsd', unit: 'currencyUSD' }],
      ),
    ],
    [
      10,
      rows(
        {
          title: 'What tools fail with',
          description:
            'Attempts at tool calls that failed in the time shown, by error, with the trace of the latest.',
          unit: 'none',
        },
        whatFails,
        [traceLink],
      ),
    ],
  ],
};

/** One agent, release by release. */
export const agent: Draft = {
  uid: uids.agent,
  title: 'Agent',
  description: 'One agent: how its releases do, why humans are needed, and the runs to look at.',
  from: 'now-3h',
  refresh: '30s',
  variables: [environment, anAgent, releasesOfOne, window],
  annotations: marksOf(oneAgent),
  bands: [now, quality, humans, runs],
};
