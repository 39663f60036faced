import { marksOf, type Band, type Draft } from './dashboard.ts';
import {
  countColumn,
  kpiAbout,
  kpiColumn,
  kpiExtremes,
  kpiStat,
  kpiTrend,
  metricAbout,
} from './kpi-panels.ts';
import { agentLink, releaseLink, traceLink, uids } from './links.ts';
import { figures, rows, stack, stat, trend } from './panel.ts';
import { agents, increase, quantile, quotient, rate, releases } from './promql.ts';
import { inRange, ofReleases } from './sql.ts';
import { anyAgents, anyReleases, environment, window } from './variables.ts';

const byRelease = { scope: releases, by: 'agent, release, environment' };
const categories = ['llm', 'tool', 'review'] as const;

const now: Band = {
  height: 5,
  panels: [
    [
      4,
      stat(metricAbout('plimsoll_cost_usd_total', 'Spent in the time shown', 'currencyUSD'), {
        expr: increase('plimsoll_cost_usd_total', '', releases),
      }),
    ],
    [5, kpiStat('cost_usd_per_run', 'Cost per run', releases)],
    [5, kpiStat('cost_usd_per_success', 'Cost per success', releases)],
    [5, kpiStat('review_cost_usd_per_run', 'Review per run', releases)],
    [5, kpiStat('run_unpriced', 'Runs of unknown price', releases)],
  ],
};

const spending: Band = {
  height: 9,
  panels: [
    [
      12,
      stack(
        {
          ...metricAbout('plimsoll_cost_usd_total', 'Spent an hour', 'currencyUSD'),
          description:
            'What is spent an hour at the rate of the moment, by what it is spent on; calls of unknown price left out.',
        },
        {
          expr: `3600 * ${rate('plimsoll_cost_usd_total', 'category', releases)}`,
          legend: '{{category}}',
          exemplars: true,
        },
      ),
    ],
    [
      12,
      stack(kpiAbout('cost_by_category_usd_per_run', 'Cost per run, by what it is spent on'), {
        expr: quotient('cost_by_category_usd_per_run', { scope: releases, by: 'category' }),
        legend: '{{category}}',
      }),
    ],
  ],
};

const table: Band = {
  height: 9,
  panels: [
    [
      24,
      figures(
        {
          title: 'Releases',
          description:
            'What runs of each release cost over the window. Priced runs is n; runs of unknown price are in no cost.',
          unit: 'short',
        },
        [
          countColumn('cost_usd_per_run', 'Priced runs', byRelease),
          kpiColumn('run_unpriced', 'Unknown price', byRelease),
          kpiColumn('cost_usd_per_run', 'Cost per run', byRelease),
          kpiColumn('cost_usd_per_success', 'Cost per success', byRelease),
          ...categories.map((category) =>
            kpiColumn('cost_by_category_usd_per_run', `Per run: ${category}`, {
              ...byRelease,
              scope: `${releases},category="${category}"`,
            }),
          ),
        ],
        [agentLink, releaseLink],
      ),
    ],
  ],
};

const trends: Band = {
  heading: 'Over time',
  height: 9,
  panels: [
    [
      8,
      kpiExtremes(
        'cost_usd_per_success',
        'Cost per success, highest',
        'highest',
        { scope: releases, by: 'agent, release' },
        '{{agent}} {{release}}',
      ),
    ],
    [
      8,
      trend(
        {
          ...metricAbout('plimsoll_run_cost_usd', 'What a run costs', 'currencyUSD'),
          description:
            'Quantiles of all chosen runs together, from the histogram; a point is a run, and leads to its trace.',
        },
        ...[0.5, 0.95].map((level) => ({
          expr: quantile(level, 'plimsoll_run_cost_usd', '', releases),
          legend: `p${100 * level}`,
          exemplars: true,
        })),
      ),
    ],
    [
      8,
      kpiTrend('review_seconds_per_run', 'Human work per run', { scope: releases, by: 'agent' }, '{{agent}}'),
    ],
  ],
};

const byModel = `SELECT
    Provider, Model, AgentName, count() AS Calls, sum(InputTokens) AS InputTokens, sum(OutputTokens) AS OutputTokens,
    toFloat64(sum(CostUsd)) AS CostUsd, countIf(CostSource = 'unpriced') AS UnpricedCalls
FROM otel_traces
WHERE ${inRange('Timestamp')} AND ${ofReleases} AND Step = 'llm'
GROUP BY Provider, Model, AgentName
ORDER BY CostUsd DESC
LIMIT 200`;

const byTask = `SELECT
    AgentName, if(TaskType = '', 'not said', TaskType) AS Task, countIf(Priced) AS PricedRuns,
    toFloat64(sumIf(CostUsd, Priced)) AS CostUsd, CostUsd / nullIf(PricedRuns, 0) AS CostUsdPerRun
FROM runs
WHERE ${inRange('ClosedTime')} AND ${ofReleases}
GROUP BY AgentName, Task
ORDER BY CostUsd DESC
LIMIT 200`;

const dearest = `SELECT ClosedTime, AgentName, Release, Outcome, toFloat64(CostUsd) AS CostUsd, ToolCalls, InputTokens, OutputTokens, TraceId
FROM runs
WHERE ${inRange('ClosedTime')} AND ${ofReleases}
ORDER BY CostUsd DESC
LIMIT 50`;

const usd = { title: 'CostUsd', unit: 'currencyUSD' } as const;
const usdPerRun = { title: 'CostUsdPerRun', unit: 'currencyUSD' } as const;

const details: Band = {
  heading: 'Where it goes',
  height: 10,
  panels: [
    [
      9,
      rows(
        {
          title: 'Models',
          description:
            'Calls, tokens and cost of each model in the time shown. UnpricedCalls are in no cost.',
          unit: 'none',
        },
        byModel,
        [usd],
      ),
    ],
    [
      7,
      rows(
        {
          title: 'Kinds of task',
          description:
            'What runs of each kind of task cost in the time shown, those of unknown price left out.',
          unit: 'none',
        },
        byTask,
        [usd, usdPerRun],
      ),
    ],
    [
      8,
      rows(
        {
          title: 'The dearest runs',
          description: 'The 50 runs of the time shown that cost most. Click a trace to see what happened.',
          unit: 'none',
        },
        dearest,
        [traceLink, usd],
      ),
    ],
  ],
};

/** What agents cost. */
export const cost: Draft = {
  uid: uids.cost,
  title: 'Cost',
  description: 'What agents cost: per run and per success, by category, release, model and kind of task.',
  from: 'now-6h',
  refresh: '1m',
  variables: [environment, anyAgents, anyReleases, window],
  annotations: marksOf(agents),
  bands: [now, spending, table, trends, details],
};
