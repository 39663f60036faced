import { stringify } from 'yaml';
import { alertmanagerConfig, routeTests, type AlertmanagerParts } from './alertmanager.ts';
import { isBudgeted } from './burn-rate.ts';
import { objectivesOf } from './objective-schema.ts';
import { objectiveRules } from './objective-rules.ts';
import { objectiveTests } from './objective-tests.ts';
import { pipelineGroup, pipelineRules } from './pipeline-rules.ts';
import { pipelineTests } from './pipeline-tests.ts';
import type { PolicyFile } from './read-policy.ts';
import { releaseAlerts } from './release-rules.ts';
import { releaseTests } from './release-tests.ts';
import { argoTemplate, argoUse, flaggerTemplates, flaggerUse } from './rollout-templates.ts';
import type { AlertRule, RecordingRule, RuleTest } from './rule.ts';
import { linkedRules, linkedTests } from './runbook-links.ts';

/** How the first line of every rendered file begins; a script has its interpreter before that. */
export const renderedMark = '# Rendered by plimsoll policy render';

/**
 * Everything that other programs need for `files`, which have no errors, by file name: rules, promtool's tests of them,
 * Alertmanager's configuration, a script with amtool's tests of that, and templates for Argo Rollouts and Flagger. Alerts
 * link to the runbook of their policy, else to the one at the URL `runbook`, and name a section of our own without both.
 */
export function renderedFiles(
  files: readonly PolicyFile[],
  parts: AlertmanagerParts,
  runbook?: string,
): ReadonlyMap<string, string> {
  const rendered = new Map<string, string>();
  for (const file of files) {
    const { name, version } = file.policy.metadata;
    const rules = [...objectiveRules(file).values()];
    addRules(rendered, {
      group: name,
      runbook: file.policy.metadata.runbook_url ?? runbook,
      origin: `the policy ${name}, version ${version}, revision ${file.revision}`,
      rules: [
        ...rules.flatMap(({ recordings }) => recordings),
        ...rules.flatMap(({ alerts }) => alerts),
        ...releaseAlerts(file).map(({ rule }) => rule),
      ],
      tests: [...objectiveTests(file), ...releaseTests(file)],
    });
  }
  for (const file of files) addTemplates(rendered, file);
  const needs = {
    windows: windowsOf(files),
    revisions: new Map(files.map(({ policy, revision }) => [policy.metadata.name, revision])),
  };
  const origin = files.map(({ policy, revision }) => `${policy.metadata.name} ${revision}`).join(', ');
  addRules(rendered, {
    group: pipelineGroup,
    runbook,
    origin: 'what the pipeline says of itself',
    rules: pipelineRules(needs),
    tests: pipelineTests(needs),
  });
  rendered.set('alertmanager.yaml', headed(origin, yaml(alertmanagerConfig(files, parts))));
  rendered.set('alertmanager.test.sh', `#!/bin/sh\n${headed(origin, routeScript(files))}`);
  return rendered;
}

/** For tools that roll a release out step by step. */
function addTemplates(rendered: Map<string, string>, file: PolicyFile): void {
  const { name, version } = file.policy.metadata;
  const origin = `the policy ${name}, version ${version}, revision ${file.revision}`;
  const argo = argoTemplate(file);
  if (argo) rendered.set(`${name}.argo.yaml`, headed(origin, argoUse + yaml(argo)));
  const flagger = flaggerTemplates(file);
  if (flagger.length > 0)
    rendered.set(`${name}.flagger.yaml`, headed(origin, flaggerUse + flagger.map(yaml).join('---\n')));
}

interface Rules {
  readonly group: string;
  readonly runbook: string | undefined;
  readonly origin: string;
  readonly rules: readonly (RecordingRule | AlertRule)[];
  readonly tests: readonly RuleTest[];
}

function addRules(rendered: Map<string, string>, { group, runbook, origin, rules, tests }: Rules): void {
  const file = `${group}.rules.yaml`;
  rendered.set(file, headed(origin, yaml({ groups: [{ name: group, rules: linkedRules(rules, runbook) }] })));
  rendered.set(
    `${group}.rules.test.yaml`,
    headed(
      origin,
      yaml({ rule_files: [file], evaluation_interval: '10m', tests: linkedTests(tests, runbook) }),
    ),
  );
}

function windowsOf(files: readonly PolicyFile[]): readonly string[] {
  const read = files.flatMap(({ policy }) =>
    objectivesOf(policy.objectives).flatMap(([, objective]) =>
      isBudgeted(objective) ? [] : [objective.window],
    ),
  );
  return [...new Set(read)].toSorted();
}

function routeScript(files: readonly PolicyFile[]): string {
  const checks = routeTests(files).map(({ labels, receivers }) => {
    const words = Object.entries(labels).map(([label, value]) => `'${label}="${value}"'`);
    return `amtool config routes test --config.file=alertmanager.yaml --verify.receivers='${receivers.join(',')}' ${words.join(' ')}`;
  });
  return `set -eu
cd "$(dirname "$0")"
amtool check-config alertmanager.yaml
${checks.join('\n')}
`;
}

function headed(origin: string, text: string): string {
  return `${renderedMark} from ${origin}: change that, not this file.\n${text}`;
}

function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
