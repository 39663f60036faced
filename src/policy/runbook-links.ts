import type { AlertRule, RecordingRule, RuleTest } from './rule.ts';

/** Where the runbook is unless somebody says otherwise: in the repository of Plimsoll. */
export const usualRunbook = 'deploy/runbook.md';

/** Where `runbook` has its section on `alert`, whose heading is the name of the alert. */
function sectionOf(runbook: string, alert: string): string {
  return `${runbook}#${alert.toLowerCase()}`;
}

/** `rules`, each alert of which says in `runbook_url` where `runbook` (a URL or a path, without a fragment) tells what to do. */
export function linkedRules(
  rules: readonly (RecordingRule | AlertRule)[],
  runbook: string,
): readonly (RecordingRule | AlertRule)[] {
  return rules.map((rule) =>
    'alert' in rule
      ? { ...rule, annotations: { ...rule.annotations, runbook_url: sectionOf(runbook, rule.alert) } }
      : rule,
  );
}

/** `tests` of rules, as they are of those that `linkedRules` gives. */
export function linkedTests(tests: readonly RuleTest[], runbook: string): readonly RuleTest[] {
  return tests.map((test) => ({
    ...test,
    alert_rule_test: test.alert_rule_test.map((expected) => ({
      ...expected,
      exp_alerts: expected.exp_alerts.map(({ exp_labels, exp_annotations }) => ({
        exp_labels,
        exp_annotations: { ...exp_annotations, runbook_url: sectionOf(runbook, expected.alertname) },
      })),
    })),
  }));
}
