/** A rule of Prometheus that records what an expression gives. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A rule of Prometheus that alerts while an expression gives something. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A series of promtool's tests and its values, in promtool's notation. */
export interface InputSeries {
  readonly series: string;
  readonly values: string;
}

/** What promtool expects of an alert at a time. */
export interface ExpectedAlerts {
  readonly eval_time: string;
  readonly alertname: string;
  readonly exp_alerts: readonly {
    readonly exp_labels: Readonly<Record<string, string>>;
    readonly exp_annotations: Readonly<Record<string, string>>;
  }[];
}

/** One case of promtool's tests. */
export interface RuleTest {
  readonly name: string;
  readonly interval: string;
  readonly input_series: readonly InputSeries[];
  readonly alert_rule_test: readonly ExpectedAlerts[];
}

/** A series as PromQL and promtool write it. */
export function seriesOf(metric: string, labels: Readonly<Record<string, string>>): string {
  const matchers = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${metric}{${matchers.join(',')}}`;
}

/** What Prometheus makes of a template of `rule` for an alert with these labels; `value` is what it makes of `$value`. */
export function expand(
  templates: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
  value: string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(templates).map(([name, template]) => [
      name,
      template.replaceAll(/\{\{ (?:\$labels\.(\w+)|[^}]*\$value[^}]*) \}\}/g, (_, label?: string) =>
        label === undefined ? value : (labels[label] ?? ''),
      ),
    ]),
  );
}
