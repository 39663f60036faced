import { outcomes, type Outcome } from '../semconv/vocabulary.ts';
import { burnRatesOf, errorBudget, isBudgeted, thresholdOf } from './burn-rate.ts';
import { metricsOf, type KpiName } from './kpi-metrics.ts';
import { objectivesOf, type BudgetedObjective, type WindowedObjective } from './objective-schema.ts';
import { alertNameOf, objectiveRules } from './objective-rules.ts';
import { durationSeconds } from './policy-values.ts';
import type { PolicyFile } from './read-policy.ts';
import {
  expand,
  seriesOf,
  type AlertRule,
  type ExpectedAlerts,
  type InputSeries,
  type RuleTest,
} from './rule.ts';
import { exampleOf } from './scope.ts';

type Labels = Readonly<Record<string, string>>;

/** Minutes that a test lasts, with a sample a minute. */
const minutes = 70;

/** What counters would say of `perMinute` events a minute, of which the share `bad` is bad. */
interface Traffic {
  readonly perMinute: number;
  readonly bad: number;
}

/** promtool's tests of the rules of a policy: bad releases alert, healthy ones and a few events do not. */
export function objectiveTests(file: PolicyFile): readonly RuleTest[] {
  const rules = objectiveRules(file);
  return objectivesOf(file.policy.objectives).flatMap(([kpi, objective]) => {
    const alerts = rules.get(kpi)?.alerts ?? [];
    return isBudgeted(objective)
      ? budgetTests(file, kpi, objective, alerts)
      : windowTests(file, kpi, objective, alerts);
  });
}

function budgetTests(
  file: PolicyFile,
  kpi: KpiName,
  objective: BudgetedObjective,
  alerts: readonly AlertRule[],
): readonly RuleTest[] {
  const rates = burnRatesOf(objective);
  const budget = errorBudget(objective);
  const shortest = Math.min(...rates.map(({ longWindow }) => durationSeconds(longWindow) / 60));
  // Within the shortest long window, and within the test where that is shorter, there must be enough of them.
  const perMinute = Math.ceil((2 * objective.min_events) / Math.min(shortest, minutes));
  const highest = Math.max(...rates.map((rate) => thresholdOf(rate, objective)));
  const worse = Number((highest + 0.2 * (1 - highest)).toFixed(4));
  const fewer = Math.floor(objective.min_events / 2) / minutes;
  const subject = subjectOf(file);
  const test = (name: string, traffic: Traffic, fires: boolean): RuleTest =>
    ruleTest(
      `${kpi}: ${name}`,
      counters(kpi, subject, traffic, file.policy.good_outcomes),
      expected(alertNameOf(kpi, objective), fires ? alerts : [], subject, percentage(traffic.bad)),
    );
  return [
    test('every event is bad', { perMinute, bad: 1 }, true),
    test('a bad release', { perMinute, bad: worse }, true),
    test('a healthy release', { perMinute, bad: budget / 2 }, false),
    test('a few events, all of them bad', { perMinute: fewer, bad: 1 }, false),
  ];
}

function windowTests(
  file: PolicyFile,
  kpi: KpiName,
  objective: WindowedObjective,
  alerts: readonly AlertRule[],
): readonly RuleTest[] {
  const { unit, byTool } = metricsOf(kpi);
  const subject = { ...subjectOf(file), ...(byTool && { tool: 'example_tool' }) };
  const isLeast = 'at_least' in objective;
  const bound = isLeast ? objective.at_least : objective.at_most;
  const bad = isLeast ? bound / 2 : unit === 'ratio' ? (1 + bound) / 2 : 2 * bound;
  const healthy = isLeast ? (1 + bound) / 2 : bound / 2;
  const few = Math.floor(objective.min_events / 2);
  const test = (
    name: string,
    fires: boolean,
    { value = bad, events = 2 * objective.min_events, complete = 1 } = {},
  ): RuleTest =>
    ruleTest(
      `${kpi}: ${name}`,
      [
        ...gauges(kpi, subject, objective, { value, events }),
        constant('plimsoll_kpi_window_complete', { window: objective.window }, complete),
      ],
      expected(alertNameOf(kpi, objective), fires ? alerts : [], subject, formatted(unit, value)),
    );
  return [
    test('a bad release', true),
    test('a healthy release', false, { value: healthy }),
    test('a few events, all of them bad', false, { events: few }),
    test('a window that is not complete', false, { complete: 0 }),
  ];
}

function ruleTest(name: string, series: readonly InputSeries[], alerts: ExpectedAlerts): RuleTest {
  return { name, interval: '1m', input_series: series, alert_rule_test: [alerts] };
}

function expected(
  alertname: string,
  alerts: readonly AlertRule[],
  subject: Labels,
  value: string,
): ExpectedAlerts {
  return {
    eval_time: `${minutes}m`,
    alertname,
    exp_alerts: alerts.map(({ labels, annotations }) => ({
      exp_labels: { ...subject, ...labels },
      exp_annotations: expand(annotations, subject, value),
    })),
  };
}

function subjectOf({ policy: { scope } }: PolicyFile): Labels {
  return { agent: exampleOf(scope.agents), release: '2.0.0', environment: exampleOf(scope.environments) };
}

/** What the counters of a KPI with an error budget are after `minutes` of `traffic`. */
function counters(
  kpi: KpiName,
  subject: Labels,
  { perMinute, bad }: Traffic,
  good: readonly Outcome[],
): readonly InputSeries[] {
  const failed = outcomes.find((outcome) => !good.includes(outcome)) ?? 'failure';
  const runs = 'plimsoll_runs_total';
  const calls = (metric: string): readonly (readonly [string, Labels, number])[] => [
    [metric, { tool: 'example_tool', result: 'error' }, bad],
    [metric, { tool: 'example_tool', result: 'ok' }, 1 - bad],
    [metric, { tool: 'example_tool', result: 'rejected' }, 1],
  ];
  const counted: Partial<Record<KpiName, readonly (readonly [string, Labels, number])[]>> = {
    run_success: [
      [runs, { outcome: failed, evidence: 'none' }, bad],
      [runs, { outcome: good[0] ?? 'success', evidence: 'app' }, 1 - bad],
    ],
    run_escalation: [
      ['plimsoll_run_escalations_total', { reason: 'approval' }, bad],
      [runs, { outcome: 'completed', evidence: 'none' }, 1],
    ],
    outcome_evidence: [
      [runs, { outcome: 'completed', evidence: 'none' }, bad],
      [runs, { outcome: 'success', evidence: 'app' }, 1 - bad],
    ],
    tool_call_success: calls('plimsoll_tool_calls_total'),
    tool_call_attempt_success: calls('plimsoll_tool_call_attempts_total'),
  };
  return (counted[kpi] ?? []).map(([metric, labels, share]) => ({
    series: seriesOf(metric, { ...subject, ...labels }),
    values: `0+${Number((perMinute * share).toFixed(9))}x${minutes + 10}`,
  }));
}

function gauges(
  kpi: KpiName,
  subject: Labels,
  objective: WindowedObjective,
  { value, events }: { readonly value: number; readonly events: number },
): readonly InputSeries[] {
  const metric = `plimsoll_kpi_${kpi}`;
  const labels = { ...subject, window: objective.window };
  const denominator = constant(`${metric}_denominator`, labels, events);
  if ('evaluator' in objective) {
    const { evaluator } = objective;
    const another = { ...labels, evaluator: `not ${evaluator}` };
    return [
      constant(`${metric}_numerator`, { ...labels, evaluator }, value * events),
      constant(`${metric}_denominator`, { ...labels, evaluator }, events),
      constant(`${metric}_numerator`, another, 0),
      constant(`${metric}_denominator`, another, 2 * objective.min_events),
    ];
  }
  return 'stat' in objective
    ? [constant(`${metric}_seconds`, { ...labels, stat: objective.stat }, value), denominator]
    : [constant(`${metric}_numerator`, labels, value * events), denominator];
}

function constant(metric: string, labels: Labels, value: number): InputSeries {
  return { series: seriesOf(metric, labels), values: `${Number(value.toFixed(9))}x${minutes + 10}` };
}

function formatted(unit: ReturnType<typeof metricsOf>['unit'], value: number): string {
  return unit === 'ratio' ? percentage(value) : value.toFixed(unit === 'seconds' ? 2 : 4);
}

/** As Prometheus' `humanizePercentage`. */
function percentage(share: number): string {
  return `${Number((100 * share).toPrecision(4))}%`;
}
