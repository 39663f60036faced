import { severities as tiers, type Severity } from '../semconv/vocabulary.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds } from './policy-values.ts';
import type { PolicyFile } from './read-policy.ts';
import { seriesOf, type AlertRule, type InputSeries } from './rule.ts';
import { exampleOf, matchersWithRehearsals } from './scope.ts';

type Labels = Readonly<Record<string, string>>;

/** An alert on releases or on drills, and what makes it fire. */
export interface ReleaseAlert {
  readonly rule: AlertRule;
  /** Series that make it fire. */
  readonly when: readonly InputSeries[];
  /** The labels that it then has beside those of the rule. */
  readonly labels: Labels;
  /** Series that do not, by what they are. */
  readonly unless: Readonly<Record<string, readonly InputSeries[]>>;
}

/** The executor is told of alerts with this label. */
export const rollbackLabel = { rollback: 'auto' } as const;

/** The alert on a release that is to be rolled back. */
export const failsAlert = 'ReleaseFails';

/** A pipeline that just started may not have read its journal. */
const neverFor = '1h';

/** Minutes that a test of these alerts lasts, with a sample a minute. */
export const testMinutes = 120;

/**
 * The alerts of a policy on its canaries and its drills. What a canary fails or pauses by pages, with the mildest severity
 * that does: a share of the traffic is let down, and evidence shows no more harm than that; so does one that is to go
 * because its time is over. What must be decided or rehearsed is told to the owner. Those on canaries are for rehearsals,
 * too, or nobody would know that they work.
 */
export function releaseAlerts(file: PolicyFile): readonly ReleaseAlert[] {
  const { gates, drill } = file.policy;
  return [
    ...(gates?.canary ? [failing(file), pausing(file), undecided(file, gates.canary.max)] : []),
    ...(drill ? [overdue(file, drill)] : []),
  ];
}

/** Whether bad releases are to be rolled back, so that the executor is told of them; it knows what to do where. */
export function asksForRollbacks({ policy: { gates, rollback } }: PolicyFile): boolean {
  if (!gates?.canary || !rollback) return false;
  const modes = [rollback.mode, ...Object.values(rollback.environments ?? {}).map(({ mode }) => mode)];
  return modes.some((mode) => mode !== undefined && mode !== 'off');
}

function failing(file: PolicyFile): ReleaseAlert {
  const { gates, metadata } = file.policy;
  const worse =
    'fails as a canary: it is surely worse than the release beside it, or than the policy ever allows';
  const shown = (action: string, value: number) => example(file, 'action', { action }, value);
  return {
    rule: {
      alert: failsAlert,
      // Not by the verdict: a release may have to go because its time is over, and not have failed.
      expr: isShown(file, 'action', { action: 'rollback' }),
      labels: {
        ...labelsOf(file, pagingSeverity(file.policy)),
        ...(asksForRollbacks(file) && rollbackLabel),
      },
      annotations: annotationsOf(file, pagingSeverity(file.policy), {
        summary:
          gates?.canary?.on_timeout === 'rollback'
            ? `${worse}, or did not pass in the ${gates.canary.max} that it had.`
            : `${worse}.`,
        runbook: `GET /api/v1/gate/${metadata.name} with the release says by which KPI, and by how much evidence. What is done about it: plimsoll rollback list. If nothing is, go back to the release before it.`,
      }),
    },
    when: [shown('rollback', 1), shown('promote', 0)],
    labels: subjectOf(file),
    unless: { 'a release that passes': [shown('rollback', 0), shown('promote', 1)] },
  };
}

function pausing(file: PolicyFile): ReleaseAlert {
  const shown = (action: string, value: number) => example(file, 'action', { action }, value);
  return {
    rule: {
      alert: 'ReleasePauses',
      expr: isShown(file, 'action', { action: 'pause' }),
      labels: labelsOf(file, pagingSeverity(file.policy)),
      annotations: annotationsOf(file, pagingSeverity(file.policy), {
        summary:
          'should get no more traffic for now: there is evidence against it, or its time is over, and it is not rolled back for that.',
        runbook: `Leave its share of the traffic as it is. GET /api/v1/gate/${file.policy.metadata.name} with the release says why: decide whether to wait for more evidence or to go back.`,
      }),
    },
    when: [shown('pause', 1), shown('none', 0)],
    labels: subjectOf(file),
    unless: { 'a release that goes on': [shown('pause', 0), shown('none', 1)] },
  };
}

function undecided(file: PolicyFile, max: string): ReleaseAlert {
  const started = (seconds: number) => example(file, 'started_timestamp_seconds', {}, seconds);
  const shown = (verdict: string, value: number) => example(file, 'verdict', { verdict }, value);
  const limit = durationSeconds(max);
  const canaries = [...matchersWithRehearsals(file.policy.scope), 'baseline!="none"'];
  const since = `min by (${release}) (plimsoll_release_started_timestamp_seconds{${canaries.join(',')}})`;
  return {
    rule: {
      alert: 'ReleaseUndecided',
      expr: `time() - ${since} > ${limit}
and ${isShown(file, 'verdict', { verdict: 'inconclusive' })}`,
      labels: labelsOf(file, quietSeverity(file.policy)),
      annotations: annotationsOf(file, quietSeverity(file.policy), {
        summary: `is a canary for more than ${max}, and nobody can tell whether it may go on.`,
        runbook:
          'Let somebody decide, or give it more traffic: plimsoll_release_detectable_drop_ratio says what would be found with that which it has. Where plimsoll_release_split_dispersion is above 2 the router keeps more together than gates::canary::unit says.',
      }),
    },
    when: [started(-limit), shown('inconclusive', 1)],
    labels: subjectOf(file),
    unless: {
      'a release that is new': [started(60 * testMinutes - limit), shown('inconclusive', 1)],
      'a release that was there first': [
        example(file, 'started_timestamp_seconds', { baseline: 'none' }, -limit),
        example(file, 'verdict', { baseline: 'none', verdict: 'inconclusive' }, 1),
      ],
      'a release that is decided': [started(-limit), shown('inconclusive', 0), shown('pass', 1)],
    },
  };
}

function overdue(
  { policy, revision }: PolicyFile,
  { every, scenario }: NonNullable<Policy['drill']>,
): ReleaseAlert {
  const { name: policyName, owner } = policy.metadata;
  const labels = { policy: policyName, scenario };
  const last = seriesOf('plimsoll_drill_last_success_timestamp_seconds', labels);
  const active: InputSeries = { series: 'plimsoll_kpi_active', values: `1x${testMinutes + 10}` };
  const passed = (seconds: number): InputSeries => ({
    series: last,
    values: `${seconds}x${testMinutes + 10}`,
  });
  const limit = durationSeconds(every);
  const severity = tiers.findLast((tier) => policy.severities[tier]) ?? 'sev4';
  return {
    rule: {
      alert: 'DrillOverdue',
      expr: `time() - max by (policy, scenario) (${last}) > ${limit}
or absent(${last}) and on () (max(plimsoll_kpi_active) == 1)`,
      for: neverFor,
      labels: { severity, owner, policy: policyName, policy_revision: revision },
      annotations: {
        summary: `The drill ${scenario} of ${policyName} must pass every ${every}, and did not: nobody knows whether a bad release would be rolled back.`,
        runbook: `Rehearse it while people are there: plimsoll drill run ${scenario} --policy ${policyName}`,
        acknowledge_within: policy.severities[severity]?.acknowledge_within ?? '',
      },
    },
    when: [passed(-limit), active],
    labels,
    unless: {
      'a drill that passed': [passed(0), active],
      'a pipeline that stands by': [{ ...active, values: `0x${testMinutes + 10}` }],
    },
  };
}

const release = 'agent, release, environment';

/** Whether a series of a one-hot metric of releases is 1, whatever else labels it. */
function isShown({ policy }: PolicyFile, metric: string, labels: Labels): string {
  const own = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const matchers = [...matchersWithRehearsals(policy.scope), ...own];
  return `max by (${release}) (plimsoll_release_${metric}{${matchers.join(',')}}) == 1`;
}

function example(file: PolicyFile, metric: string, labels: Labels, value: number): InputSeries {
  return {
    series: seriesOf(`plimsoll_release_${metric}`, { ...subjectOf(file), baseline: '1.0.0', ...labels }),
    values: `${value}x${testMinutes + 10}`,
  };
}

function subjectOf({ policy: { scope } }: PolicyFile): Labels {
  return { agent: exampleOf(scope.agents), release: '2.0.0', environment: exampleOf(scope.environments) };
}

function labelsOf({ policy: { metadata }, revision }: PolicyFile, severity: Severity): Labels {
  return { severity, owner: metadata.owner, policy: metadata.name, policy_revision: revision };
}

function annotationsOf(
  { policy: { severities } }: PolicyFile,
  severity: Severity,
  { summary, runbook }: { readonly summary: string; readonly runbook: string },
): Labels {
  return {
    summary: `{{ $labels.agent }} {{ $labels.release }} in {{ $labels.environment }} ${summary}`,
    runbook,
    acknowledge_within: severities[severity]?.acknowledge_within ?? '',
  };
}

/** The mildest severity that pages, or the gravest where none does. */
function pagingSeverity({ severities }: Policy): Severity {
  return tiers.findLast((tier) => severities[tier]?.page) ?? tiers.find((tier) => severities[tier]) ?? 'sev2';
}

/** The gravest severity that does not page, or the mildest where all do. */
function quietSeverity({ severities }: Policy): Severity {
  const quiet = tiers.find((tier) => severities[tier]?.page === false);
  return quiet ?? tiers.findLast((tier) => severities[tier]) ?? 'sev3';
}
