import { marksOf, type Band, type Draft } from './dashboard.ts';
import { countColumn, kpiColumn, kpiExtremes, kpiStat, metricAbout, quantileColumn } from './kpi-panels.ts';
import { traceLink, uids } from './links.ts';
import { figures, rows, stack, trend } from './panel.ts';
import { agents, increase, quantile } from './promql.ts';
import { inRange, isOne, ofAgents } from './sql.ts';
import { anyAgents, anyTools, environment, window } from './variables.ts';

const scope = `${agents},tool=~"$tool"`;
const byTool = { scope, by: 'agent, tool' };
const legend = '{{agent}}: {{tool}}';

const now: Band = {
  height: 5,
  panels: [
    [6, kpiStat('tool_call_success', 'Calls that succeed', scope)],
    [6, kpiStat('tool_call_attempt_success', 'Attempts that succeed', scope)],
    [6, kpiStat('tool_call_retry', 'Calls made again', scope)],
    [6, kpiStat('tool_call_duration', 'Mean duration', scope)],
  ],
};

const table: Band = {
  height: 9,
  panels: [
    [
      24,
      figures(
        {
          title: 'Tools',
          description:
            'Each tool of each agent over the window, all releases together. Calls is n; p95 is that of the slowest release.',
          unit: 'short',
        },
        [
          countColumn('tool_call_success', 'Calls', byTool),
          kpiColumn('tool_call_success', 'Calls that succeed', byTool),
          countColumn('tool_call_attempt_success', 'Attempts', byTool),
          kpiColumn('tool_call_attempt_success', 'Attempts that succeed', byTool),
          kpiColumn('tool_call_retry', 'Calls made again', byTool),
          kpiColumn('tool_call_duration', 'Mean', byTool),
          quantileColumn('tool_call_duration', 'p95', 'p95', byTool),
        ],
      ),
    ],
  ],
};

const trends: Band = {
  heading: 'Over time',
  height: 9,
  panels: [
    [8, kpiExtremes('tool_call_success', 'Calls that succeed, lowest', 'lowest', byTool, legend)],
    [
      8,
      stack(metricAbout('plimsoll_tool_call_attempts_total', 'Attempts by result', 'short'), {
        expr: increase('plimsoll_tool_call_attempts_total', 'result', scope, '$__rate_interval'),
        legend: '{{result}}',
        exemplars: true,
      }),
    ],
    [
      8,
      trend(
        {
          ...metricAbout('plimsoll_tool_call_duration_seconds', 'Slowest tools, p95', 's'),
          description:
            'The ten tools with the highest p95, over all releases, from the histogram; a point leads to a trace.',
        },
        {
          expr: `topk(10, ${quantile(0.95, 'plimsoll_tool_call_duration_seconds', 'agent, tool', scope)})`,
          legend,
          exemplars: true,
        },
      ),
    ],
  ],
};

const here = `${inRange('Timestamp')} AND ${ofAgents} AND ${isOne('ToolName', 'tool')}`;

const errors = `SELECT
    AgentName, ToolName, if(ErrorType = '', 'not said', ErrorType) AS Error, count() AS Attempts,
    uniqExact(RunId) AS Runs, max(Timestamp) AS Latest, argMax(TraceId, Timestamp) AS TraceId
FROM tool_calls
WHERE ${here} AND Result = 'error'
GROUP BY AgentName, ToolName, Error
ORDER BY Attempts DESC
LIMIT 200`;

const slowest = `SELECT Timestamp, AgentName, ToolName, Result, DurationSeconds, TraceId
FROM tool_calls
WHERE ${here}
ORDER BY DurationSeconds DESC
LIMIT 50`;

const details: Band = {
  heading: 'Calls to look at',
  height: 10,
  panels: [
    [
      14,
      rows(
        {
          title: 'What tools fail with',
          description:
            'Attempts that failed in the time shown, by error, with the trace of the latest. Runs: in how many runs.',
          unit: 'none',
        },
        errors,
        [traceLink],
      ),
    ],
    [
      10,
      rows(
        {
          title: 'The slowest attempts',
          description: 'The 50 longest attempts at tool calls of the time shown.',
          unit: 'none',
        },
        slowest,
        [traceLink, { title: 'DurationSeconds', unit: 's' }],
      ),
    ],
  ],
};

/** The tools of all agents. */
export const tools: Draft = {
  uid: uids.tools,
  title: 'Tools',
  description: 'The tools that agents call: which fail, which are slow, which are called again.',
  from: 'now-3h',
  refresh: '30s',
  variables: [environment, anyAgents, anyTools, window],
  annotations: marksOf(agents),
  bands: [now, table, trends, details],
};
