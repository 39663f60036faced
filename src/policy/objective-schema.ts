import { z } from 'zod';
import type { KpiName } from './kpi-metrics.ts';
import { count, duration, evaluator, positive, ratio, severity, window } from './policy-values.ts';

const burnRate = z
  .strictObject({
    factor: positive.describe('How many times faster than allowed the error budget is spent.'),
    long_window: duration.describe('So that the alert is sure.'),
    short_window: duration.describe('So that the alert ends soon after the cause does.'),
    severity,
  })
  .describe('An alert on the speed at which the error budget is spent.');

const budgeted = {
  period: duration.describe('The time over which the objective holds, such as 30d.'),
  min_events: count(1, 1_000_000).describe('Fewer events than these in the window of an alert fire nothing.'),
  severity: severity.describe('Of alerts over hours: the error budget is being spent fast.'),
  slow_severity: severity.optional().describe('Of alerts over days; without it there are none.'),
  burn_rates: z
    .array(burnRate)
    .min(1)
    .optional()
    .describe('In place of those that are computed from the objective and its period.'),
};

const windowed = {
  window: window.describe('One of exporters::kpi::windows of the configuration, such as 1h.'),
  min_events: budgeted.min_events,
  severity,
};

const least = ratio.describe('It must be so much or more.');
const most = ratio.describe('It must be so much or less.');
const mostOf = (unit: string) => positive.describe(`It must be so much or less, in ${unit}.`);
const atMostUsd = z.strictObject({ at_most: mostOf('US dollars'), ...windowed });

/** What each KPI must be. An objective has either an error budget (`period`) or a rolling window (`window`). */
export const objectives = z
  .strictObject({
    run_success: z
      .strictObject({ at_least: least, ...budgeted })
      .optional()
      .describe('Share of runs that ended well.'),
    run_escalation: z
      .strictObject({ at_most: most, ...budgeted })
      .optional()
      .describe('Share of runs in which control passed to a human.'),
    run_containment: z
      .strictObject({ at_least: least, ...windowed })
      .optional()
      .describe('Share of runs in which no human was needed and which nobody gave up.'),
    outcome_evidence: z
      .strictObject({ at_least: least, ...budgeted })
      .optional()
      .describe('Share of runs whose outcome somebody confirmed.'),
    run_duration: z
      .strictObject({
        stat: z.enum(['mean', 'p50', 'p95', 'p99']).describe('The mean, or which quantile.'),
        at_most: mostOf('seconds'),
        ...windowed,
      })
      .optional()
      .describe('How long runs take, from the first span to the end.'),
    incidents_per_run: z
      .strictObject({ at_most: mostOf('incidents'), ...windowed })
      .optional()
      .describe('Incidents that opened, per run.'),
    quality_score: z
      .strictObject({ evaluator: evaluator.describe('Whose scores.'), at_least: least, ...windowed })
      .optional()
      .describe('The mean of what an evaluator finds of runs, 0 to 1.'),
    cost_usd_per_run: atMostUsd.optional().describe('Cost of models, tools and review per run.'),
    cost_usd_per_success: atMostUsd
      .optional()
      .describe('Cost of all runs, the failed ones too, per run that ended well.'),
    review_cost_usd_per_run: atMostUsd.optional().describe('Cost of human review per run.'),
    tool_call_success: z
      .strictObject({ at_least: least, ...budgeted })
      .optional()
      .describe('Share of tool calls whose last attempt did not fail.'),
    tool_call_attempt_success: z
      .strictObject({ at_least: least, ...budgeted })
      .optional()
      .describe('Share of attempts at tool calls that did not fail.'),
    tool_call_retry: z
      .strictObject({ at_most: most, ...windowed })
      .optional()
      .describe('Share of tool calls that were made again.'),
    tool_call_duration: z
      .strictObject({
        stat: z.enum(['p50', 'p95', 'p99']).describe('Which quantile.'),
        at_most: mostOf('seconds'),
        ...windowed,
      })
      .optional()
      .describe('How long calls take, of each tool.'),
  } satisfies Record<KpiName, z.ZodType>)
  .describe('What each KPI must be.');

/** The name of a KPI. */
export const kpiName = objectives.keyof().meta({ title: 'name of an objective' });

/** An objective on one KPI, whatever its kind. */
export type Objective = NonNullable<z.infer<typeof objectives>[KpiName]>;

/** An objective with an error budget: over its period, so many events may be bad. */
export type BudgetedObjective = Extract<Objective, { period: string }>;

/** An objective on the value over a rolling window. */
export type WindowedObjective = Extract<Objective, { window: string }>;

/** The objectives that are stated, in the order of the KPIs. */
export function objectivesOf(stated: z.infer<typeof objectives>): readonly (readonly [KpiName, Objective])[] {
  return kpiName.options.flatMap((kpi) => {
    const objective = stated[kpi];
    return objective ? [[kpi, objective] as const] : [];
  });
}

/**
 * What an objective asks of the mean over its events; undefined where it is on a quantile: those of several windows, tools
 * or releases do not add up.
 */
export function meanBoundOf(objective: Objective): number | undefined {
  if ('stat' in objective && objective.stat !== 'mean') return undefined;
  return 'at_least' in objective ? objective.at_least : objective.at_most;
}
