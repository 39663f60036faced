import { series, type PipelineAlert } from './pipeline-alert.ts';
import { agent, alertsFor, ruleOf, type PolicyNeeds } from './pipeline-rules.ts';
import { healthyRollbacks } from './rollback-alerts.ts';
import { expand, type InputSeries, type RuleTest } from './rule.ts';

/** promtool's tests of the alerts on the pipeline itself: each fires when it should, and none does while all is well. */
export function pipelineTests(needs: PolicyNeeds): readonly RuleTest[] {
  const all = alertsFor(needs);
  const names = [...new Set(all.map(({ alert }) => alert))];
  const firing = all.flatMap((one) =>
    [one.when, one.orWhen].flatMap((when) => (when ? [firingTest(one, when)] : [])),
  );
  const healthy: RuleTest = {
    name: 'none fires while all is well',
    interval: '1m',
    input_series: [
      ...healthySeries,
      ...healthyRollbacks,
      ...['5m', ...needs.windows].map((window) =>
        series(`plimsoll_kpi_window_complete{window="${window}"}`, '1x60'),
      ),
      ...[...needs.revisions].map(([policy, revision]) =>
        series(
          `plimsoll_policy_info{policy="${policy}",version="1",revision="${revision}",owner="o"}`,
          '1x60',
        ),
      ),
    ],
    alert_rule_test: names.map((alertname) => ({ eval_time: '1h', alertname, exp_alerts: [] })),
  };
  return [...firing, healthy];
}

function firingTest(one: PipelineAlert, when: readonly InputSeries[]): RuleTest {
  const { labels, annotations } = ruleOf(one);
  const own = one.labels ?? {};
  return {
    name: `${one.alert} fires`,
    interval: '1m',
    input_series: when,
    alert_rule_test: [
      {
        eval_time: '1h',
        alertname: one.alert,
        exp_alerts: [
          { exp_labels: { ...own, ...labels }, exp_annotations: expand(annotations, own, one.value ?? '') },
        ],
      },
    ],
  };
}

const healthySeries: readonly InputSeries[] = [
  series('plimsoll_kpi_active{instance="a"}', '1x60'),
  series('plimsoll_kpi_active{instance="b"}', '0x60'),
  series('plimsoll_kpi_watermark_timestamp_seconds', '0+60x60'),
  series('plimsoll_kpi_overflow_events_total{unit="run"}', '0x60'),
  series('plimsoll_assess_unopened_incidents_total', '3x60'),
  series(`plimsoll_kpi_cost_usd_per_run_denominator{${agent},window="1h"}`, '99x60'),
  series(`plimsoll_kpi_run_success_denominator{${agent},window="1h"}`, '100x60'),
  series('plimsoll_store_state{partition="0",state="flowing"}', '1x60'),
  series('plimsoll_store_state{partition="0",state="waiting"}', '0x60'),
  series('plimsoll_stream_lag_records{topic="otlp_spans",partition="0",group="store"}', '7x60'),
  series('plimsoll_stream_committed_offset{topic="otlp_spans",partition="0",group="store"}', '0+7x60'),
  series('plimsoll_stream_lag_records{topic="otlp_spans_dlq",partition="0",group="replay"}', '3x60'),
  series('plimsoll_stream_committed_offset{topic="otlp_spans_dlq",partition="0",group="replay"}', '0x60'),
  series('plimsoll_receiver_refused_spans_total{receiver="otlp",transport="grpc"}', '0x60'),
  series('plimsoll_receiver_refused_log_records_total{receiver="otlp",transport="grpc"}', '0x60'),
  series('plimsoll_store_expired_records_total', '0x60'),
  series('plimsoll_store_duplicate_rows_total', '0x60'),
  series('plimsoll_store_dead_letters_total', '0x60'),
  series('plimsoll_policies_refused', '0x60'),
];
