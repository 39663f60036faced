import type { Severity } from '../semconv/vocabulary.ts';
import type { BudgetedObjective, Objective } from './objective-schema.ts';
import { durationSeconds } from './policy-values.ts';

/**
 * An alert on how fast an error budget is spent: it fires while the share of bad events over both windows is above
 * `factor` times the budget. The short window ends it soon after the cause is gone.
 */
export interface BurnRate {
  readonly factor: number;
  /** As PromQL writes it: `1d` is `24h` to a rolling gauge. */
  readonly longWindow: string;
  readonly shortWindow: string;
  readonly severity: Severity;
}

/**
 * The multiwindow alerts of the SRE workbook: so much of the budget of the period may go within the long window. For
 * 30 days and an objective of 99 % and more that is 14.4, 6, 3 and 1 times the budget.
 *
 * Below, 14.4 times the budget is more than all events, and the alert could never fire. So the threshold goes at most
 * `reach` of the way from the budget to all events: 90 % gets 3x, 2x, 1.5x and 1x.
 */
const standard = [
  { spent: 0.02, longWindow: '1h', shortWindow: '5m', reach: 2 / 9, slow: false },
  { spent: 0.05, longWindow: '6h', shortWindow: '30m', reach: 1 / 9, slow: false },
  { spent: 0.1, longWindow: '1d', shortWindow: '2h', reach: 1 / 18, slow: true },
  { spent: 0.1, longWindow: '3d', shortWindow: '6h', reach: 1 / 36, slow: true },
] as const;

/** Whether an objective has an error budget. */
export function isBudgeted(objective: Objective): objective is BudgetedObjective {
  return 'period' in objective;
}

/** The share of events that may be bad. */
export function errorBudget(objective: BudgetedObjective): number {
  return rounded('at_most' in objective ? objective.at_most : 1 - objective.at_least, 10);
}

/** The burn rates of an objective: those it states, else those that its budget and period give. */
export function burnRatesOf(objective: BudgetedObjective): readonly BurnRate[] {
  const { burn_rates: stated, severity, slow_severity: slowSeverity } = objective;
  if (stated)
    return stated.map((rate) => ({
      factor: rate.factor,
      longWindow: rate.long_window,
      shortWindow: rate.short_window,
      severity: rate.severity,
    }));
  const budget = errorBudget(objective);
  const periodSeconds = durationSeconds(objective.period);
  return standard.flatMap(({ spent, longWindow, shortWindow, reach, slow }) => {
    const alertSeverity = slow ? slowSeverity : severity;
    if (alertSeverity === undefined) return [];
    const wanted = Math.max(1, (spent * periodSeconds) / durationSeconds(longWindow));
    const reachable = (budget + (1 - budget) * reach) / budget;
    const factor = rounded(Math.min(wanted, reachable), 2);
    return [{ factor, longWindow, shortWindow, severity: alertSeverity }];
  });
}

/** The share of bad events above which a burn rate alerts. */
export function thresholdOf({ factor }: BurnRate, objective: BudgetedObjective): number {
  return rounded(factor * errorBudget(objective), 10);
}

/**
 * The chance that, of `events` events each bad with `budget`, more than the share `threshold` are bad: how often a release that just meets its
 * objective would alert.
 */
export function chanceOfAlert(events: number, budget: number, threshold: number): number {
  const odds = Math.log(budget / (1 - budget));
  let logTerm = events * Math.log(1 - budget);
  let below = 0;
  for (let bad = 0; bad <= events && bad <= threshold * events; bad++) {
    below += Math.exp(logTerm);
    logTerm += Math.log((events - bad) / (bad + 1)) + odds;
  }
  return Math.max(0, 1 - below);
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
