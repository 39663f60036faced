import { z } from 'zod';
import type { KpiName } from './kpi-metrics.ts';
import { count, duration, evaluator, ratio, severity, window } from './policy-values.ts';

const burnRate = z
  .strictObject({
    factor: z.number().positive().describe('How many times faster than allowed the error budget is spent.'),
    long_window: duration,
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

const atMostUsd = z.strictObject({ at_most: z.number().positive(), ...windowed });

/** What each KPI must be. An objective has either an error budget (`period`) or a rolling window (`window`). */
export const objectives = z
  .strictObject({
    run_success: z.strictObject({ at_least: ratio, ...budgeted }).optional(),
    run_escalation: z.strictObject({ at_most: ratio, ...budgeted }).optional(),
    run_containment: z.strictObject({ at_least: ratio, ...windowed }).optional(),
    outcome_evidence: z.strictObject({ at_least: ratio, ...budgeted }).optional(),
    quality_score: z
      .strictObject({ evaluator: evaluator.describe('Whose scores.'), at_least: ratio, ...windowed })
      .optional()
      .describe('The mean of what an evaluator finds of runs, 0 to 1.'),
    cost_usd_per_run: atMostUsd.optional(),
    cost_usd_per_success: atMostUsd.optional(),
    review_cost_usd_per_run: atMostUsd.optional(),
    tool_call_success: z.strictObject({ at_least: ratio, ...budgeted }).optional(),
    tool_call_attempt_success: z.strictObject({ at_least: ratio, ...budgeted }).optional(),
    tool_call_retry: z.strictObject({ at_most: ratio, ...windowed }).optional(),
    tool_call_duration: z
      .strictObject({ stat: z.enum(['p50', 'p95', 'p99']), at_most: z.number().positive(), ...windowed })
      .optional()
      .describe('In seconds, of each tool.'),
  } satisfies Record<KpiName, z.ZodType>)
  .describe('What each KPI must be.');

/** The name of a KPI. */
export const kpiName = objectives.keyof();

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
