import type { AlertRule, RecordingRule, RuleTest } from './rule.ts';

/** The runbook of Plimsoll, which has a section on every alert. Where it can be read, only whoever keeps a copy knows. */
const ownRunbook = 'deploy/runbook.md';

/** What the URL of a runbook is like: alerts add # and a section, and braces would be a template of Prometheus. */
export const runbookUrlPattern = /^https?:\/\/[^\s{}#]+$/;

/**
 * Where `runbook` has its section on `alert`, whose heading is the name of the alert: a link, or, where nobody said at
 * which URL people find a runbook, a place in our own.
 */
function sectionOf(runbook: string | undefined, alert: string): Readonly<Record<string, string>> {
  const section = alert.toLowerCase();
  return runbook === undefined
    ? { runbook_section: `${ownRunbook}#${section}` }
    : { runbook_url: `${runbook}#${section}` };
}

/**
 * `rules`, each alert of which says where a runbook tells what to do: in `runbook_url`, of the one at the URL `runbook`, or
 * in `runbook_section`, of our own.
 */
export function linkedRules(
  rules: readonly (RecordingRule | AlertRule)[],
  runbook: string | undefined,
): readonly (RecordingRule | AlertRule)[] {
  return rules.map((rule) =>
    'alert' in rule
      ? { ...rule, annotations: { ...rule.annotations, ...sectionOf(runbook, rule.alert) } }
      : rule,
  );
}

/** `tests` of rules, as they are of those that `linkedRules` gives. */
export function linkedTests(tests: readonly RuleTest[], runbook: string | undefined): readonly RuleTest[] {
  return tests.map((test) => ({
    ...test,
    alert_rule_test: test.alert_rule_test.map((expected) => ({
      ...expected,
      exp_alerts: expected.exp_alerts.map(({ exp_labels, exp_annotations }) => ({
        exp_labels,
        exp_annotations: { ...exp_annotations, ...sectionOf(runbook, expected.alertname) },
      })),
    })),
  }));
}
