import type { PolicyFile } from './read-policy.ts';
import { releaseAlerts, testMinutes, type ReleaseAlert } from './release-rules.ts';
import { expand, type InputSeries, type RuleTest } from './rule.ts';

/** promtool's tests of the alerts of a policy on releases and drills: each fires when it should, and not otherwise. */
export function releaseTests(file: PolicyFile): readonly RuleTest[] {
  return releaseAlerts(file).flatMap((one) => [
    testOf(one, `${one.rule.alert} fires`, one.when, true),
    ...Object.entries(one.unless).map(([name, series]) =>
      testOf(one, `${one.rule.alert}: ${name}`, series, false),
    ),
  ]);
}

function testOf(
  { rule, labels }: ReleaseAlert,
  name: string,
  series: readonly InputSeries[],
  fires: boolean,
): RuleTest {
  const firing = {
    exp_labels: { ...labels, ...rule.labels },
    exp_annotations: expand(rule.annotations, labels, ''),
  };
  return {
    name,
    interval: '1m',
    input_series: series,
    alert_rule_test: [
      { eval_time: `${testMinutes}m`, alertname: rule.alert, exp_alerts: fires ? [firing] : [] },
    ],
  };
}
