import { severities as tiers, type Severity } from '../semconv/vocabulary.ts';
import { burnRatesOf, errorBudget, isBudgeted, thresholdOf, type BurnRate } from './burn-rate.ts';
import { metricsOf, type KpiName, type Selection } from './kpi-metrics.ts';
import {
  objectivesOf,
  type BudgetedObjective,
  type Objective,
  type WindowedObjective,
} from './objective-schema.ts';
import type { Policy } from './policy-schema.ts';
import type { PolicyFile } from './read-policy.ts';
import type { AlertRule, RecordingRule } from './rule.ts';
import { matchersOf } from './scope.ts';

const byRelease = 'sum by (agent, release, environment)';

/** For so long an objective on a rolling window must not be met before its alert fires. */
export const heldFor = '5m';

/** The rules of one objective: what is recorded, and the alerts that read it. */
export interface ObjectiveRules {
  readonly recordings: readonly RecordingRule[];
  readonly alerts: readonly AlertRule[];
}

/** The rules of every objective of a policy. */
export function objectiveRules(file: PolicyFile): ReadonlyMap<KpiName, ObjectiveRules> {
  return new Map(
    objectivesOf(file.policy.objectives).map(([kpi, objective]) => [
      kpi,
      isBudgeted(objective) ? budgetRules(file, kpi, objective) : windowRules(file, kpi, objective),
    ]),
  );
}

/** What an objective asks for, in words. */
export function demandOf(kpi: KpiName, objective: Objective): string {
  const bound = 'at_least' in objective ? objective.at_least : objective.at_most;
  const side = 'at_least' in objective ? 'at least' : 'at most';
  const { unit } = metricsOf(kpi);
  const value = unit === 'ratio' ? `${rounded(100 * bound)} %` : `${bound}${signs[unit]}`;
  const of = 'stat' in objective ? objective.stat : 'evaluator' in objective ? objective.evaluator : '';
  return `${kpi}${of && ` (${of})`} must be ${side} ${value} over ${isBudgeted(objective) ? objective.period : objective.window}`;
}

/** The name of the alert on an objective: that of its KPI and what happens to it. */
export function alertNameOf(kpi: KpiName, objective: Objective): string {
  const words = kpi.split('_').map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  const what = isBudgeted(objective) ? 'SpendsBudget' : 'at_least' in objective ? 'BelowLimit' : 'AboveLimit';
  return words.join('') + what;
}

function budgetRules(file: PolicyFile, kpi: KpiName, objective: BudgetedObjective): ObjectiveRules {
  const { policy } = file;
  const { share } = metricsOf(kpi);
  if (!share) throw new TypeError(`${kpi} has no counters`);
  const rates = burnRatesOf(objective);
  const windows = [...new Set(rates.flatMap(({ shortWindow, longWindow }) => [shortWindow, longWindow]))];
  const bad = share.bad(policy.good_outcomes);
  const labels = { policy: policy.metadata.name };
  const increase = (selection: Selection, window: string): string =>
    `increase(${selectorOf(policy, selection)}[${window}])`;
  const recordings = windows.flatMap((window) => [
    { record: recordOf(kpi, 'bad', window), expr: `${byRelease} (${increase(bad, window)})`, labels },
    { record: recordOf(kpi, 'all', window), expr: `${byRelease} (${increase(share.all, window)})`, labels },
  ]);
  const { period } = objective;
  const sum = 'sum by (agent, environment)';
  const spent = {
    record: `plimsoll_agent:${kpi}_budget_spent:ratio${period}`,
    expr: `${sum} (${increase(bad, period)}) / ${sum} (${increase(share.all, period)}) / ${errorBudget(objective)}`,
    labels,
  };
  const alerts = tiers.flatMap((severity) => {
    const own = rates.filter((rate) => rate.severity === severity);
    return own.length === 0 ? [] : [burnAlert(file, kpi, objective, severity, own)];
  });
  return { recordings: [...recordings, spent], alerts };
}

function burnAlert(
  file: PolicyFile,
  kpi: KpiName,
  objective: BudgetedObjective,
  severity: Severity,
  rates: readonly BurnRate[],
): AlertRule {
  const { events, share } = metricsOf(kpi);
  const budget = errorBudget(objective);
  const { name } = file.policy.metadata;
  const recorded = (part: 'bad' | 'all', window: string): string =>
    `${recordOf(kpi, part, window)}{policy="${name}"}`;
  const shareOver = (window: string): string => `${recorded('bad', window)} / ${recorded('all', window)}`;
  const conditions = rates.map(
    ({ factor, longWindow, shortWindow }) =>
      `(
  ${shareOver(longWindow)} > ${factor} * ${budget}
  and ${shareOver(shortWindow)} > ${factor} * ${budget}
  and ${recorded('all', longWindow)} >= ${objective.min_events}
)`,
  );
  const limits = rates.map(
    (rate) =>
      `${rounded(100 * thresholdOf(rate, objective))} % over ${rate.longWindow} and ${rate.shortWindow}`,
  );
  return {
    alert: alertNameOf(kpi, objective),
    expr: conditions.join(' or '),
    labels: labelsOf(file, kpi, severity),
    annotations: {
      summary: `${subject}: {{ $value | humanizePercentage }} of ${share?.badEvents}; ${demandOf(kpi, objective)}.`,
      description: `The error budget is being spent too fast. Fires above ${limits.join(', or ')}, from ${objective.min_events} ${events} on.`,
      ...adviceOf(file.policy, kpi, severity),
    },
  };
}

function windowRules(file: PolicyFile, kpi: KpiName, objective: WindowedObjective): ObjectiveRules {
  const { unit, events, byTool } = metricsOf(kpi);
  const { window, severity, min_events: minEvents } = objective;
  const evaluator = 'evaluator' in objective ? [`evaluator=${JSON.stringify(objective.evaluator)}`] : [];
  const selected = (suffix: string, ...matchers: readonly string[]): string =>
    selectorOf(file.policy, {
      metric: `plimsoll_kpi_${kpi}_${suffix}`,
      matchers: [`window="${window}"`, ...evaluator, ...matchers],
    });
  const labels = byTool ? 'agent, release, environment, tool' : 'agent, release, environment';
  const sum = (suffix: string): string => `sum by (${labels}) (${selected(suffix)})`;
  const value =
    'stat' in objective
      ? `max by (${labels}) (${selected('seconds', `stat="${objective.stat}"`)})`
      : `${sum('numerator')} / ${sum('denominator')}`;
  const comparison = 'at_least' in objective ? `< ${objective.at_least}` : `> ${objective.at_most}`;
  const alert: AlertRule = {
    alert: alertNameOf(kpi, objective),
    expr: `(${value}) ${comparison}
and ${sum('denominator')} >= ${minEvents}
and on () (min(plimsoll_kpi_window_complete{window="${window}"}) == 1)`,
    for: heldFor,
    labels: labelsOf(file, kpi, severity),
    annotations: {
      summary: `${subject}${byTool ? ', tool {{ $labels.tool }}' : ''}: ${formats[unit]}; ${demandOf(kpi, objective)}.`,
      description: `Fires after ${heldFor}, from ${minEvents} ${events} on, and only while the window holds everything of its time.`,
      ...adviceOf(file.policy, kpi, severity),
    },
  };
  return { recordings: [], alerts: [alert] };
}

const subject = '{{ $labels.agent }} {{ $labels.release }} in {{ $labels.environment }}';

const formats = {
  ratio: '{{ $value | humanizePercentage }}',
  USD: '{{ $value | printf "%.4f" }} USD',
  seconds: '{{ $value | printf "%.2f" }} s',
  incidents: '{{ $value | printf "%.4f" }} incidents a run',
} as const;

/** What stands behind a bound. */
const signs = { USD: ' USD', seconds: ' s', incidents: '' } as const;

function recordOf(kpi: KpiName, part: 'bad' | 'all', window: string): string {
  return `plimsoll_release:${kpi}_${part}:increase${window}`;
}

function selectorOf({ scope }: Policy, { metric, matchers }: Selection): string {
  return `${metric}{${[...matchersOf(scope), ...matchers].join(',')}}`;
}

function labelsOf(
  { policy: { metadata }, revision }: PolicyFile,
  kpi: KpiName,
  severity: Severity,
): Readonly<Record<string, string>> {
  return { severity, owner: metadata.owner, policy: metadata.name, policy_revision: revision, kpi };
}

function adviceOf(
  { severities, good_outcomes: goodOutcomes }: Policy,
  kpi: KpiName,
  severity: Severity,
): Readonly<Record<string, string>> {
  return {
    runbook: metricsOf(kpi).runbook(goodOutcomes),
    acknowledge_within: severities[severity]?.acknowledge_within ?? '',
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
