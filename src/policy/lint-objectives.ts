import { windowLabel } from '../core/window-label.ts';
import type { Severity } from '../semconv/vocabulary.ts';
import { burnRatesOf, chanceOfAlert, errorBudget, isBudgeted, thresholdOf } from './burn-rate.ts';
import { error, warning, type Finding } from './finding.ts';
import { metricsOf, type KpiName } from './kpi-metrics.ts';
import { objectivesOf, type BudgetedObjective, type WindowedObjective } from './objective-schema.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds } from './policy-values.ts';

const leastPeriodSeconds = 7 * 86_400;
const mostPeriodSeconds = 90 * 86_400;
const leastShortSeconds = 300;
const mostWindowSeconds = 86_400;
/** Of a release that just meets its objective to alert in a window by bad luck. */
const mostChance = 0.01;

/** What is wrong with the objectives of a policy and with what it calls good. */
export function* objectiveFindings(policy: Policy): Generator<Finding> {
  const objectives = objectivesOf(policy.objectives);
  if (objectives.length === 0)
    yield error('objectives', 'state nothing', 'state at least one, such as run_success');
  yield* goodOutcomeFindings(policy);
  for (const [kpi, objective] of objectives) {
    const path = `objectives::${kpi}`;
    if (isBudgeted(objective)) {
      yield* budgetFindings(path, kpi, objective);
      yield* severityFindings(policy, path, [
        objective.severity,
        objective.slow_severity,
        ...burnRatesOf(objective).map(({ severity }) => severity),
      ]);
    } else {
      yield* limitFindings(path, kpi, objective);
      yield* severityFindings(policy, path, [objective.severity]);
    }
  }
}

/** Objectives on windows of which there is no gauge: those of the pipeline are `windowsMs` long. */
export function* windowFindings(policy: Policy, windowsMs: readonly number[]): Generator<Finding> {
  const known = windowsMs.map(windowLabel);
  for (const [kpi, objective] of objectivesOf(policy.objectives)) {
    if (isBudgeted(objective) || known.includes(objective.window)) continue;
    yield error(
      `objectives::${kpi}::window`,
      `${objective.window} is none of exporters::kpi::windows of the configuration (${known.join(', ')})`,
      'write one of those, or add it there',
    );
  }
}

function* severityFindings(
  { severities }: Policy,
  path: string,
  used: readonly (Severity | undefined)[],
): Generator<Finding> {
  for (const severity of new Set(used)) {
    if (severity !== undefined && severities[severity] === undefined)
      yield error(
        path,
        `names ${severity}, which the policy does not define`,
        `define severities::${severity}`,
      );
  }
}

function* goodOutcomeFindings({ good_outcomes: good, objectives }: Policy): Generator<Finding> {
  const path = 'good_outcomes';
  if (good.includes('failure'))
    yield error(
      path,
      'counts failed runs as good, so no objective on success means anything',
      'remove failure',
    );
  for (const outcome of ['abandoned', 'unknown'] as const) {
    if (good.includes(outcome))
      yield warning(
        path,
        `counts runs that are ${outcome} as good`,
        `remove ${outcome} unless that is meant`,
      );
  }
  if (new Set(good).size < good.length) yield error(path, 'lists an outcome twice', 'remove one of them');
  if (!good.includes('success'))
    yield error(path, 'does not count as good what somebody confirmed to be', 'add success');
  if (!good.includes('completed') && objectives.run_success && !objectives.outcome_evidence)
    yield warning(
      path,
      'every run that nobody confirms counts as bad, and no objective sees to it that runs are confirmed',
      'add completed, or an objective on outcome_evidence',
    );
}

function* budgetFindings(path: string, kpi: KpiName, objective: BudgetedObjective): Generator<Finding> {
  const budget = errorBudget(objective);
  const seconds = durationSeconds(objective.period);
  const bound = 'at_most' in objective ? `at_most ${objective.at_most}` : `at_least ${objective.at_least}`;
  if (seconds < leastPeriodSeconds || seconds > mostPeriodSeconds)
    yield error(`${path}::period`, `${objective.period} is no period for an error budget`, 'write 7d to 90d');
  if (budget >= 1) {
    yield error(path, `${bound} is always met`, 'ask for more, or remove the objective');
    return;
  }
  if (budget <= 0) {
    yield kpi === 'run_escalation'
      ? error(
          path,
          'allows no escalation, so that an agent which asks for help is at fault and one which acts alone is not',
          'allow as many as are right, such as at_most: 0.05',
        )
      : error(
          path,
          `${bound} leaves no error budget: the first bad event of the period breaks it for good`,
          'leave some, such as at_least: 0.999',
        );
    return;
  }
  yield* burnRateFindings(path, objective);
  yield* chanceFindings(path, kpi, objective);
}

/** The trap: the factors that everybody uses are made for 99 % and more. */
function* burnRateFindings(path: string, objective: BudgetedObjective): Generator<Finding> {
  for (const [i, rate] of burnRatesOf(objective).entries()) {
    const at = objective.burn_rates ? `${path}::burn_rates::${i}` : path;
    const threshold = thresholdOf(rate, objective);
    const needed = `${percent(threshold)} of all events would have to be bad`;
    const most = rounded(0.5 / errorBudget(objective));
    if (threshold >= 1)
      yield error(
        at,
        `the alert can never fire: at ${rate.factor} times the error budget of ${percent(errorBudget(objective))}, ${needed}`,
        'remove burn_rates, so that they follow from the objective, or lower the factor',
      );
    else if (objective.burn_rates && threshold >= 0.5)
      yield warning(
        at,
        `the alert hardly ever fires: ${needed}`,
        `lower the factor, to less than ${most}, or remove burn_rates`,
      );
    if (rate.factor < 1)
      yield error(at, `the alert fires while the objective is met`, 'write a factor of 1 or more');
    if (durationSeconds(rate.shortWindow) < leastShortSeconds)
      yield error(at, `short_window ${rate.shortWindow} may hold a single scrape`, 'write 5m or more');
    if (durationSeconds(rate.shortWindow) >= durationSeconds(rate.longWindow))
      yield error(at, 'short_window is not shorter than long_window', 'make it about a twelfth of it');
  }
}

function* chanceFindings(path: string, kpi: KpiName, objective: BudgetedObjective): Generator<Finding> {
  const budget = errorBudget(objective);
  const fast = burnRatesOf(objective).filter(({ severity }) => severity === objective.severity);
  const thresholds = fast.map((rate) => thresholdOf(rate, objective)).filter((share) => share > budget);
  const worst = (events: number): number =>
    Math.max(0, ...thresholds.map((threshold) => chanceOfAlert(events, budget, threshold)));
  const chance = worst(objective.min_events);
  if (chance <= mostChance) return;
  // Events are whole, so the chance goes up and down: enough is what no greater number undoes.
  const more = Array.from({ length: 1000 }, (_, i) => objective.min_events + i + 1);
  const lastTooFew = more.findLast((events) => worst(events) > mostChance) ?? objective.min_events;
  const enough = lastTooFew === more.at(-1) ? undefined : 10 * Math.ceil((lastTooFew + 1) / 10);
  yield warning(
    `${path}::min_events`,
    `with ${objective.min_events} ${metricsOf(kpi).events}, a release that just meets its objective alerts by bad luck in ${percent(chance)} of windows`,
    enough === undefined ? 'ask for more events, or state higher factors' : `write ${enough} or more`,
  );
}

function* limitFindings(path: string, kpi: KpiName, objective: WindowedObjective): Generator<Finding> {
  if (durationSeconds(objective.window) > mostWindowSeconds)
    yield error(
      `${path}::window`,
      `windows are kept in memory, and ${objective.window} is too long`,
      'write 1d or less',
    );
  if (kpi === 'incidents_per_run' && 'at_most' in objective && objective.at_most * objective.min_events < 1)
    yield warning(
      `${path}::min_events`,
      `with ${objective.min_events} runs a single incident is more than at_most ${objective.at_most}`,
      `write ${Math.ceil(1 / objective.at_most)} or more`,
    );
  if (metricsOf(kpi).unit !== 'ratio') return;
  if ('at_least' in objective && (objective.at_least <= 0 || objective.at_least >= 1))
    yield error(
      path,
      `at_least ${objective.at_least} is ${objective.at_least <= 0 ? 'always' : 'never'} met`,
      'write a share between 0 and 1',
    );
  if ('at_most' in objective && objective.at_most >= 1)
    yield error(path, `at_most ${objective.at_most} is always met`, 'write a share below 1');
}

function percent(share: number): string {
  return `${rounded(100 * share)} %`;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
