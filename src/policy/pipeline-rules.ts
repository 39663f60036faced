import { series, type PipelineAlert } from './pipeline-alert.ts';
import { rollbackAlerts } from './rollback-alerts.ts';
import type { AlertRule } from './rule.ts';

/** Names the group and the files of the pipeline's own rules, so no policy. */
export const pipelineGroup = 'plimsoll-pipeline';

/** Who is told of the pipeline's own alerts: the receiver of this name. */
export const operators = 'plimsoll-operators';

/** The labels of a release, whichever. */
export const agent = 'agent="a",release="1",environment="production"';

const alerts: readonly PipelineAlert[] = [
  {
    alert: 'PlimsollNobodyAssesses',
    severity: 'sev2',
    expr: 'absent(plimsoll_kpi_active == 1)',
    for: '2m',
    summary: 'No process owns the stream: there are no KPIs, and no alert on an agent can fire.',
    runbook:
      'See whether a process with traces/assess runs, is scraped (up), and says on its health endpoint what it waits for.',
    when: [series('plimsoll_kpi_active', '0x60')],
  },
  {
    alert: 'PlimsollWatermarkStale',
    severity: 'sev2',
    expr: 'time() - max(plimsoll_kpi_watermark_timestamp_seconds) > 600',
    for: '5m',
    summary: 'The windows stand still: the KPIs are those of {{ $value | humanizeDuration }} ago.',
    runbook:
      'Assessment is behind: see plimsoll_stream_lag_records of its group, and whether a replay or a slow machine explains it.',
    when: [series('plimsoll_kpi_watermark_timestamp_seconds', '0x60')],
    value: '1h 0m 0s',
  },
  {
    alert: 'PlimsollWindowIncomplete',
    severity: 'sev4',
    expr: 'min by (window) (plimsoll_kpi_window_complete) == 0',
    for: '15m',
    summary: 'The window {{ $labels.window }} lacks events that were there: alerts on it are held back.',
    runbook:
      'After a restart that could not read back so far it is complete again after the length of the window. Else see the log of the assessing process.',
    when: [series('plimsoll_kpi_window_complete{window="5m"}', '0x60')],
    labels: { window: '5m' },
  },
  {
    alert: 'PlimsollSeriesOverflow',
    severity: 'sev3',
    expr: 'sum by (unit) (increase(plimsoll_kpi_overflow_events_total[1h])) > 0',
    for: '0m',
    summary: 'There are too many agents, releases or tools: some are counted under the label value overflow.',
    runbook:
      'See which label has too many values (a release or a tool name with an id in it?); else raise exporters::kpi::max_series.',
    when: [series('plimsoll_kpi_overflow_events_total{unit="run"}', '0+1x60')],
    labels: { unit: 'run' },
  },
  {
    alert: 'PlimsollIncidentsUnopened',
    severity: 'sev3',
    expr: 'sum(increase(plimsoll_assess_unopened_incidents_total[1h])) > 0',
    for: '0m',
    summary: 'Objectives are not met and became no incident, because there are too many of them.',
    runbook:
      'GET /api/v1/incidents lists those that are open: resolve what is over, and see whether a release or an agent has an id in its name.',
    when: [series('plimsoll_assess_unopened_incidents_total', '0+1x60')],
  },
  {
    alert: 'PlimsollUnpricedRuns',
    severity: 'sev4',
    expr: `1 - sum by (agent, release, environment) (plimsoll_kpi_cost_usd_per_run_denominator{window="1h"})
  / sum by (agent, release, environment) (plimsoll_kpi_run_success_denominator{window="1h"}) > 0.05
and sum by (agent, release, environment) (plimsoll_kpi_run_success_denominator{window="1h"}) >= 20`,
    for: '15m',
    summary:
      '{{ $labels.agent }} {{ $labels.release }} in {{ $labels.environment }}: {{ $value | humanizePercentage }} of runs have no known price, and are in no cost.',
    runbook:
      'Find the models: plimsoll sql "SELECT Model, count() FROM otel_traces WHERE CostSource = \'unpriced\' GROUP BY Model"; state their prices under processors::enrich::prices.',
    when: [
      series(`plimsoll_kpi_cost_usd_per_run_denominator{${agent},window="1h"}`, '50x60'),
      series(`plimsoll_kpi_run_success_denominator{${agent},window="1h"}`, '100x60'),
    ],
    labels: { agent: 'a', release: '1', environment: 'production' },
    value: '50%',
  },
  {
    alert: 'PlimsollStoreNotFlowing',
    severity: 'sev2',
    expr: 'max by (partition) (plimsoll_store_state{state="flowing"}) == 0',
    for: '10m',
    summary: 'Nothing of partition {{ $labels.partition }} reaches ClickHouse.',
    runbook:
      'Nothing is lost while the stream keeps it. The health endpoint of the storing process says what it waits for.',
    when: [series('plimsoll_store_state{partition="0",state="flowing"}', '0x60')],
    labels: { partition: '0' },
  },
  {
    alert: 'PlimsollStreamNotRead',
    severity: 'sev2',
    // Dead letters wait until somebody replays them.
    expr: `max by (topic, partition, group) (plimsoll_stream_lag_records{topic!~".*dlq.*"}) > 0
and max by (topic, partition, group) (plimsoll_stream_committed_offset)
  == max by (topic, partition, group) (plimsoll_stream_committed_offset offset 15m)`,
    for: '5m',
    summary:
      '{{ $labels.group }} is {{ $value }} records behind on partition {{ $labels.partition }} of {{ $labels.topic }}, and does not move.',
    runbook:
      'See the health endpoint and the log of the process that reads for this group; retention ends what may wait.',
    when: [
      series('plimsoll_stream_lag_records{topic="otlp_spans",partition="0",group="store"}', '7x60'),
      series('plimsoll_stream_committed_offset{topic="otlp_spans",partition="0",group="store"}', '40x60'),
    ],
    labels: { topic: 'otlp_spans', partition: '0', group: 'store' },
    value: '7',
  },
  {
    alert: 'PlimsollSpansRefused',
    severity: 'sev3',
    expr: `sum by (receiver) (rate(plimsoll_receiver_refused_spans_total[5m])) > 0
or sum by (receiver) (rate(plimsoll_receiver_refused_log_records_total[5m])) > 0`,
    for: '10m',
    summary: '{{ $labels.receiver }} refuses spans or log records; senders hold them back and may drop them.',
    runbook:
      'The stream does not take them fast enough: see free disk, the brokers, and receivers::otlp::in_flight_limit.',
    when: [series('plimsoll_receiver_refused_spans_total{receiver="otlp",transport="grpc"}', '0+60x60')],
    orWhen: [
      series('plimsoll_receiver_refused_log_records_total{receiver="otlp",transport="grpc"}', '0+60x60'),
    ],
    labels: { receiver: 'otlp' },
  },
  {
    alert: 'PlimsollSpansExpired',
    severity: 'sev1',
    expr: 'sum(increase(plimsoll_store_expired_records_total[1h])) > 0',
    for: '0m',
    summary: 'Records were removed from the stream before they were stored: they are lost.',
    runbook:
      'Raise the retention of the stream now, and find out why the store was so far behind (PlimsollStoreNotFlowing).',
    when: [series('plimsoll_store_expired_records_total', '0+1x60')],
  },
  {
    alert: 'PlimsollDuplicateRows',
    severity: 'sev3',
    expr: 'sum(increase(plimsoll_store_duplicate_rows_total[1h])) > 0',
    for: '0m',
    summary: 'Rows are in the table more than once.',
    runbook: 'See the log of the storing process, which names the positions, and report it.',
    when: [series('plimsoll_store_duplicate_rows_total', '0+1x60')],
  },
  {
    alert: 'PlimsollDeadLetters',
    severity: 'sev4',
    expr: 'sum(increase(plimsoll_store_dead_letters_total[1h])) > 0',
    for: '0m',
    summary: 'Spans could not be stored and wait among the dead letters.',
    runbook: 'plimsoll dlq list tells why; plimsoll dlq replay stores them once the cause is gone.',
    when: [series('plimsoll_store_dead_letters_total', '0+1x60')],
  },
  {
    alert: 'PlimsollPolicyRefused',
    severity: 'sev4',
    expr: 'max(plimsoll_policies_refused) > 0',
    for: '5m',
    summary: 'The files of policies have an error: those read before stay in use.',
    runbook: 'plimsoll policy check tells what is wrong and how to mend it; so does the log.',
    when: [series('plimsoll_policies_refused', '1x60')],
  },
];

/** What alerts and objectives of policies need of the pipeline. */
export interface PolicyNeeds {
  /** The rolling windows that they read. */
  readonly windows: readonly string[];
  /** The revision of each policy, by its name. */
  readonly revisions: ReadonlyMap<string, string>;
}

/** The alerts whose firing says that no KPI can be trusted. */
export const blindAlerts = ['PlimsollNobodyAssesses', 'PlimsollWatermarkStale'] as const;

/** An alert for each window that a policy reads and that nobody computes. */
function windowAlert(window: string): PipelineAlert {
  return {
    alert: 'PlimsollWindowMissing',
    severity: 'sev3',
    expr: `absent(plimsoll_kpi_window_complete{window="${window}"}) and on () (max(plimsoll_kpi_active) == 1)`,
    for: '5m',
    summary: 'A policy has an objective over {{ $labels.window }}, and there is no such window.',
    runbook: `Add ${window} to exporters::kpi::windows.`,
    when: [series('plimsoll_kpi_active', '1x60')],
    labels: { window },
  };
}

/** An alert for each policy of which the pipeline uses another revision than that of which the rules are. */
function revisionAlert([policy, revision]: readonly [string, string]): PipelineAlert {
  return {
    alert: 'PlimsollPolicyDiffers',
    severity: 'sev4',
    expr: `max by (policy, revision) (plimsoll_policy_info{policy="${policy}",revision!="${revision}"})`,
    for: '15m',
    summary: `Prometheus alerts by revision ${revision} of the policy {{ $labels.policy }}, and the pipeline uses {{ $labels.revision }}.`,
    runbook:
      'Render the rules again (plimsoll policy render) and let Prometheus load them, or give the pipeline the newer file.',
    when: [
      series(
        `plimsoll_policy_info{policy="${policy}",version="1",revision="000000000000",owner="o"}`,
        '1x60',
      ),
    ],
    labels: { policy, revision: '000000000000' },
  };
}

/** The alerts on the pipeline itself when policies need this of it, and what makes each fire. */
export function alertsFor({ windows, revisions }: PolicyNeeds): readonly PipelineAlert[] {
  return [...alerts, ...rollbackAlerts, ...windows.map(windowAlert), ...[...revisions].map(revisionAlert)];
}

/** The alerts on the pipeline itself, when policies need this of it. */
export function pipelineRules(needs: PolicyNeeds): readonly AlertRule[] {
  return alertsFor(needs).map(ruleOf);
}

/** The rule of an alert on the pipeline itself. */
export function ruleOf({ alert, expr, for: held, severity, summary, runbook }: PipelineAlert): AlertRule {
  return {
    alert,
    expr,
    ...(held === '0m' ? {} : { for: held }),
    labels: { severity, owner: operators },
    annotations: { summary, runbook },
  };
}
