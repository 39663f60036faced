import { marksOf, type Band, type Draft } from './dashboard.ts';
import { countColumn, kpiColumn, kpiExtremes, kpiStat, metricAbout, quantileColumn } from './kpi-panels.ts';
import { agentLink, uids } from './links.ts';
import { alarm, figures, stack } from './panel.ts';
import { agents, increase, total } from './promql.ts';
import { anyAgents, environment, window } from './variables.ts';

const each = { scope: agents, by: 'agent, environment' };
const legend = '{{agent}} ({{environment}})';

const now: Band = {
  height: 5,
  panels: [
    [5, kpiStat('run_success', 'Success', agents)],
    [5, kpiStat('run_escalation', 'Escalation', agents)],
    [5, kpiStat('cost_usd_per_success', 'Cost per success', agents)],
    [5, kpiStat('tool_call_success', 'Tool calls that succeed', agents)],
    [
      4,
      alarm(metricAbout('plimsoll_incidents_open', 'Open incidents', 'short'), {
        expr: total('plimsoll_incidents_open', '', agents),
      }),
    ],
  ],
};

const table: Band = {
  height: 10,
  panels: [
    [
      24,
      figures(
        {
          title: 'Agents',
          description:
            'Each agent in each environment over the window, all its releases together. Runs is n; incidents have requests to approve a rollback among them; p95 is that of the slowest release. Click an agent to look at it alone.',
          unit: 'short',
        },
        [
          countColumn('run_success', 'Runs', each),
          kpiColumn('run_success', 'Success', each),
          kpiColumn('run_escalation', 'Escalation', each),
          kpiColumn('run_abandonment', 'Abandoned', each),
          kpiColumn('incidents_per_run', 'Incidents per run', each),
          kpiColumn('outcome_evidence', 'Confirmed', each),
          kpiColumn('cost_usd_per_run', 'Cost per run', each),
          kpiColumn('cost_usd_per_success', 'Cost per success', each),
          quantileColumn('run_duration', 'p95', 'p95', each),
        ],
        [agentLink],
      ),
    ],
  ],
};

const trends: Band = {
  heading: 'Over time',
  height: 9,
  panels: [
    [12, kpiExtremes('run_success', 'Success, lowest', 'lowest', each, legend)],
    [12, kpiExtremes('run_escalation', 'Escalation, highest', 'highest', each, legend)],
  ],
};

const amounts: Band = {
  height: 9,
  panels: [
    [
      12,
      stack(metricAbout('plimsoll_runs_total', 'Runs by outcome', 'short'), {
        expr: increase('plimsoll_runs_total', 'outcome', agents, '$__rate_interval'),
        legend: '{{outcome}}',
        exemplars: true,
      }),
    ],
    [12, kpiExtremes('cost_usd_per_success', 'Cost per success, highest', 'highest', each, legend)],
  ],
};

/** All agents at a glance. */
export const overview: Draft = {
  uid: uids.overview,
  title: 'Agents',
  description: 'How all agents do now: success, escalation, incidents and cost.',
  from: 'now-3h',
  refresh: '30s',
  variables: [environment, anyAgents, window],
  annotations: marksOf(agents),
  bands: [now, table, trends, amounts],
};
