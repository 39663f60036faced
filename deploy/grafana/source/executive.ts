import type { Band, Draft } from './dashboard.ts';
import { kpiStat, kpiTrend, metricAbout } from './kpi-panels.ts';
import { uids } from './links.ts';
import { rows, sqlStack, sqlTrend, stack } from './panel.ts';
import { agents, increase } from './promql.ts';
import { inRange, ofAgents, ofCounted } from './sql.ts';
import { anyAgents, environment, windowOf } from './variables.ts';

const now: Band = {
  heading: 'Now',
  height: 5,
  panels: [
    [6, kpiStat('run_success', 'Success rate', agents)],
    [6, kpiStat('run_escalation', 'Escalation rate', agents)],
    [6, kpiStat('incidents_per_run', 'Incidents per run', agents)],
    [6, kpiStat('cost_usd_per_success', 'Cost per successful task', agents)],
  ],
};

const lately: Band = {
  height: 8,
  panels: [
    [6, kpiTrend('run_success', 'Success rate', { scope: agents }, 'success')],
    [6, kpiTrend('run_escalation', 'Escalation rate', { scope: agents }, 'escalation')],
    [
      6,
      stack(metricAbout('plimsoll_incidents_opened_total', 'Incidents a day', 'short'), {
        expr: increase('plimsoll_incidents_opened_total', 'severity', agents, '1d'),
        legend: '{{severity}}',
      }),
    ],
    [6, kpiTrend('cost_usd_per_success', 'Cost per successful task', { scope: agents }, 'cost')],
  ],
};

const days = `Day >= toDate(fromUnixTimestamp64Milli(\${__from})) AND Day <= toDate(fromUnixTimestamp64Milli(\${__to}))`;
const perTask = `FROM cost_per_task
WHERE ${days} AND ${ofAgents}`;

const ratesByDay = `SELECT toDateTime(Day, 'UTC') AS time, sum(Successes) / sum(Runs) AS Success
${perTask}
GROUP BY time
ORDER BY time`;

const escalationByDay = `SELECT toDateTime(toStartOfDay(ClosedTime), 'UTC') AS time, countIf(Escalated) / count() AS Escalation
FROM runs
WHERE ${inRange('ClosedTime')} AND ${ofAgents}
GROUP BY time
ORDER BY time`;

const incidentsByWeek = `SELECT toDateTime(toStartOfWeek(DetectedTime, 1), 'UTC') AS time, Severity, count() AS Incidents
FROM incidents_now
WHERE ${inRange('DetectedTime')} AND ${ofCounted}
GROUP BY time, Severity
ORDER BY time`;

const costByDay = `SELECT toDateTime(Day, 'UTC') AS time, toFloat64(sum(CostUsd)) / nullIf(sum(PricedSuccesses), 0) AS CostPerSuccess
${perTask}
GROUP BY time
ORDER BY time`;

const months = `SELECT
    Month, sum(Runs) AS Runs, sum(Successes) / Runs AS SuccessRate, sum(Escalations) / Runs AS EscalationRate,
    sum(Incidents) AS Incidents, toFloat64(sum(Cost)) AS CostUsd, CostUsd / nullIf(sum(PricedSuccesses), 0) AS CostUsdPerSuccess
FROM
(
    SELECT toStartOfMonth(Day) AS Month, Runs, Successes, 0 AS Escalations, 0 AS Incidents, CostUsd AS Cost, PricedSuccesses
    ${perTask}
    UNION ALL
    SELECT toStartOfMonth(ClosedTime), 0, 0, toUInt64(Escalated), 0, 0, 0
    FROM runs
    WHERE ${inRange('ClosedTime')} AND ${ofAgents}
    UNION ALL
    SELECT toStartOfMonth(DetectedTime), 0, 0, 0, 1, 0, 0
    FROM incidents_now
    WHERE ${inRange('DetectedTime')} AND ${ofCounted}
)
GROUP BY Month
ORDER BY Month DESC`;

const byAgent = `SELECT
    AgentName, Environment, sum(Runs) AS AllRuns, sum(Successes) / AllRuns AS SuccessRate,
    toFloat64(sum(CostUsd)) AS TotalUsd, TotalUsd / nullIf(sum(PricedSuccesses), 0) AS CostUsdPerSuccess
${perTask}
GROUP BY AgentName, Environment
ORDER BY AllRuns DESC
LIMIT 100`;

const source =
  'From ClickHouse, which keeps more than Prometheus; the first and last of the time shown may be partial.';

const longRun: Band = {
  heading: 'In the long run',
  height: 8,
  panels: [
    [
      6,
      sqlTrend(
        {
          title: 'Success rate by day',
          unit: 'percentunit',
          description: `Share of runs that ended well as their policy says. ${source}`,
        },
        ratesByDay,
      ),
    ],
    [
      6,
      sqlTrend(
        {
          title: 'Escalation rate by day',
          unit: 'percentunit',
          description: `Share of runs in which control passed to a human. ${source}`,
        },
        escalationByDay,
      ),
    ],
    [
      6,
      sqlStack(
        {
          title: 'Incidents by week',
          unit: 'short',
          description: `Incidents that opened, by severity. ${source}`,
        },
        incidentsByWeek,
      ),
    ],
    [
      6,
      sqlTrend(
        {
          title: 'Cost per successful task by day',
          unit: 'currencyUSD',
          description: `What all runs of known price cost, the failed ones too, per run that ended well. ${source}`,
        },
        costByDay,
      ),
    ],
  ],
};

const rates = [
  { title: 'SuccessRate', unit: 'percentunit' },
  { title: 'EscalationRate', unit: 'percentunit' },
  { title: 'CostUsd', unit: 'currencyUSD' },
  { title: 'TotalUsd', unit: 'currencyUSD' },
  { title: 'CostUsdPerSuccess', unit: 'currencyUSD' },
] as const;

const tables: Band = {
  height: 9,
  panels: [
    [
      12,
      rows(
        { title: 'Months', unit: 'none', description: `Each month of the time shown. Runs is n. ${source}` },
        months,
        rates,
      ),
    ],
    [
      12,
      rows(
        {
          title: 'Agents in the time shown',
          unit: 'none',
          description: `All releases of an agent together. AllRuns is n. ${source}`,
        },
        byAgent,
        rates,
      ),
    ],
  ],
};

/** What executives ask: are agents reliable, and what do they cost. */
export const executive: Draft = {
  uid: uids.executive,
  title: 'Executive summary',
  description: 'Success rate, escalation rate, incident trend and cost per successful task.',
  from: 'now-30d',
  variables: [environment, anyAgents, windowOf('24h')],
  bands: [now, lately, longRun, tables],
};
