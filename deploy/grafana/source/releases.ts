import { MappingType, type ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import { verdicts, type Verdict } from '../../../src/judge/standing.ts';
import { marksOf, type Band, type Draft } from './dashboard.ts';
import { countColumn, kpiColumn, kpiTrend, metricAbout, quantileColumn } from './kpi-panels.ts';
import { metric } from './metric.ts';
import { uids } from './links.ts';
import { figures, rows, timeline, trend } from './panel.ts';
import { denominator, most, ofOneAgent, oneAgent } from './promql.ts';
import { inRange, ofReleases } from './sql.ts';
import { anAgent, environment, releasesOfOne, window } from './variables.ts';

const byRelease = { scope: ofOneAgent, by: 'release, environment' };
const legend = '{{release}} ({{environment}})';

const colors: Readonly<Record<Verdict, string>> = {
  pass: 'green',
  inconclusive: 'text',
  environment: 'orange',
  fail: 'red',
};

/** A verdict is a number, from 1 on, that is shown as its word. */
const words: readonly ValueMapping[] = verdicts.map((verdict, i) => ({
  type: MappingType.ValueToText,
  options: { [String(i + 1)]: { text: verdict, color: colors[verdict], index: i } },
}));
const verdictNumber = verdicts
  .map((verdict, i) => {
    const isIt = `${metric('plimsoll_release_verdict').name}{${ofOneAgent},verdict="${verdict}"}`;
    return `${i + 1} * max by (agent, release, environment, baseline) (${isIt} == 1)`;
  })
  .join(' or ');

const judged: Band = {
  height: 8,
  panels: [
    [
      12,
      timeline(
        {
          ...metricAbout('plimsoll_release_verdict', 'Verdicts', 'none'),
          description: `What the judge says of each release that runs: ${verdicts.join(', ')}. Environment: every release fell together, so it is not the release's fault.`,
        },
        words,
        { expr: verdictNumber, legend: '{{release}} beside {{baseline}} ({{environment}})' },
      ),
    ],
    [
      12,
      figures(
        {
          title: 'What should be done',
          description: `${metric('plimsoll_release_action').help} Units: those of the release that were counted. Starts: ${metric('plimsoll_release_starts').help}`,
          unit: 'short',
        },
        [
          {
            title: 'Judged since',
            unit: 'dateTimeFromNow',
            expr: `1000 * ${most('plimsoll_release_started_timestamp_seconds', 'agent, release, environment, baseline', ofOneAgent)}`,
          },
          {
            title: 'Units',
            expr: `sum by (agent, release, environment, baseline) (${metric('plimsoll_release_units').name}{${ofOneAgent},arm="candidate"})`,
          },
          {
            title: 'Starts',
            expr: most('plimsoll_release_starts', 'agent, release, environment, baseline', ofOneAgent),
          },
          {
            title: 'Action',
            isHidden: true,
            expr: `max by (agent, release, environment, baseline, action) (${metric('plimsoll_release_action').name}{${ofOneAgent}} == 1)`,
          },
        ],
      ),
    ],
  ],
};

const evidence = (tests: string): string =>
  `max by (release, kpi, test) (${metric('plimsoll_release_log_evidence').name}{${ofOneAgent},test=~"${tests}"})`;
const threshold = (tests: string): string =>
  `max by (kpi, test, action) (${metric('plimsoll_release_log_evidence_threshold').name}{${ofOneAgent},test=~"${tests}"})`;
const against = 'worse|floor|before';
const forIt = 'not_worse';
const { help: evidenceHelp } = metric('plimsoll_release_log_evidence');
const dashed = 'Dashed: the evidence at which something is done.';

const proof: Band = {
  heading: 'Evidence',
  height: 10,
  panels: [
    [
      12,
      trend(
        { title: 'Evidence against a release', unit: 'none', description: `${evidenceHelp} ${dashed}` },
        { expr: evidence(against), legend: '{{release}}: {{kpi}} {{test}}' },
        { expr: threshold(against), legend: 'limit of {{kpi}} {{test}}: {{action}}' },
      ),
    ],
    [
      12,
      trend(
        { title: 'Evidence for a release', unit: 'none', description: `${evidenceHelp} ${dashed}` },
        { expr: evidence(forIt), legend: '{{release}}: {{kpi}}' },
        { expr: threshold(forIt), legend: 'limit of {{kpi}}: {{action}}' },
      ),
    ],
  ],
};

const trust: Band = {
  height: 8,
  panels: [
    [
      8,
      trend(metricAbout('plimsoll_release_units', 'Units that are judged', 'short'), {
        expr: `sum by (release, arm, state) (${metric('plimsoll_release_units').name}{${ofOneAgent}})`,
        legend: '{{release}} {{arm}}: {{state}}',
      }),
    ],
    [
      8,
      trend(
        metricAbout(
          'plimsoll_release_detectable_drop_ratio',
          'The least drop that would be seen',
          'percentunit',
        ),
        {
          expr: most('plimsoll_release_detectable_drop_ratio', 'release, kpi, action', ofOneAgent),
          legend: '{{release}} {{kpi}}: {{action}}',
        },
      ),
    ],
    [
      8,
      trend(
        {
          ...metricAbout('plimsoll_release_split_log_evidence', 'Is the split as stated?', 'none'),
          description: `${metric('plimsoll_release_split_log_evidence').help} Dispersion: ${metric('plimsoll_release_split_dispersion').help}`,
        },
        {
          expr: most('plimsoll_release_split_log_evidence', 'release, environment', ofOneAgent),
          legend: `${legend}: evidence against the share`,
        },
        {
          expr: most('plimsoll_release_split_dispersion', 'release, environment', ofOneAgent),
          legend: `${legend}: dispersion`,
        },
      ),
    ],
  ],
};

const sideBySide: Band = {
  heading: 'Side by side',
  height: 7,
  panels: [
    [
      24,
      figures(
        {
          title: 'Releases over the window',
          description: 'Each release of the agent over the window. Runs is n.',
          unit: 'short',
        },
        [
          countColumn('run_success', 'Runs', byRelease),
          kpiColumn('run_success', 'Success', byRelease),
          kpiColumn('run_escalation', 'Escalation', byRelease),
          kpiColumn('tool_call_success', 'Tool calls that succeed', byRelease),
          kpiColumn('tool_call_retry', 'Calls made again', byRelease),
          kpiColumn('quality_score', 'Quality', byRelease),
          kpiColumn('cost_usd_per_run', 'Cost per run', byRelease),
          kpiColumn('cost_usd_per_success', 'Cost per success', byRelease),
          quantileColumn('run_duration', 'p95', 'p95', byRelease),
        ],
      ),
    ],
  ],
};

const perRelease = `SELECT
    Release, Environment, count() AS Runs, countIf(Outcome IN ('success', 'completed')) AS Good,
    countIf(Outcome = 'failure') AS Failed, countIf(Escalated) AS Escalated, uniqExact(SessionId) AS Sessions,
    min(ClosedTime) AS First, max(ClosedTime) AS Latest, toFloat64(sum(CostUsd)) AS CostUsd
FROM runs
WHERE ${inRange('ClosedTime')} AND ${ofReleases}
GROUP BY Release, Environment
ORDER BY Latest DESC`;

const trends: Band = {
  height: 9,
  panels: [
    [8, kpiTrend('run_success', 'Success', byRelease, legend)],
    [
      8,
      trend(
        {
          title: 'Runs in the window',
          description: 'n: finished runs of each release over the window.',
          unit: 'short',
        },
        { expr: denominator('run_success', byRelease), legend },
      ),
    ],
    [
      8,
      rows(
        {
          title: 'Releases in the time shown',
          description:
            'From ClickHouse, so also those whose gauges are gone. Good are the outcomes success and completed.',
          unit: 'none',
        },
        perRelease,
        [{ title: 'CostUsd', unit: 'currencyUSD' }],
      ),
    ],
  ],
};

/** The releases of an agent side by side, and what the judge knows of them. */
export const releaseComparison: Draft = {
  uid: uids.releases,
  title: 'Releases',
  description: 'The releases of one agent side by side: verdicts, the evidence for them, and the KPIs.',
  from: 'now-3h',
  refresh: '30s',
  variables: [environment, anAgent, releasesOfOne, window],
  annotations: marksOf(oneAgent),
  bands: [judged, proof, trust, sideBySide, trends],
};
