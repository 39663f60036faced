import { z } from 'zod';
import { kpiName } from './objective-schema.ts';
import { count, duration, name, ratio, text } from './policy-values.ts';

const budget = z
  .strictObject({
    usd: z.number().positive().optional(),
    tool_calls: count(1, 1_000_000).optional(),
    calls_of_a_tool: count(1, 1_000_000).optional().describe('Of the same tool, those made again included.'),
    duration: duration.optional(),
    warn_at: ratio.optional().describe('Share of the budget at which a warning is given.'),
    when_spent: z.enum(['warn', 'pause', 'deny']),
  })
  .optional();

/** What one run, session or day may spend. */
export const budgets = z
  .strictObject({ run: budget, session: budget, day: budget })
  .describe('Not yet enforced. What one run, one session and one day of an agent may spend.');

/** What a release must show before it goes on. */
export const gates = z
  .strictObject({
    offline: z
      .strictObject({
        dataset: text('which cases the release is tried on'),
        min_cases: count(1, 1_000_000),
        margin: ratio.describe('How much worse than the release before it may be.'),
      })
      .optional(),
    staging: z
      .strictObject({
        min_runs: count(1, 1_000_000),
        at_least: z.partialRecord(kpiName, ratio),
      })
      .optional(),
    canary: z
      .strictObject({
        share: ratio.describe('Of the traffic that the release gets.'),
        min_runs: count(1, 1_000_000),
        weights: z.partialRecord(kpiName, ratio).describe('How much each KPI matters; together 1.'),
        pause_at: z.number().min(1).describe('Evidence (an e-value) against the release at which it pauses.'),
        rollback_at: z.number().min(1).describe('Evidence at which it is rolled back.'),
        max: duration.describe('How long it may take to decide.'),
        on_timeout: z.enum(['pause', 'rollback']),
      })
      .optional(),
  })
  .describe('Not yet enforced. What a release must show before it goes on.');

/** What happens to a release that is unsafe. */
export const rollback = z
  .strictObject({
    mode: z.enum(['off', 'dry_run', 'approve', 'auto']),
    target: name('the target in the configuration of the executor'),
    cooldown: duration.describe('Between two rollbacks of the target.'),
    per_day: count(1, 100).describe('Rollbacks of the target.'),
    verify: z.strictObject({ kpi: kpiName, within: duration }),
  })
  .describe('Not yet enforced. What happens to a release that is unsafe.');

/** A case that shows what the policy does. */
export const policyTest = z
  .strictObject({
    name: text('what it shows'),
    fixture: text('which recorded spans it replays'),
    gate: z.enum(['offline', 'staging', 'canary']),
    verdict: z.enum(['pass', 'fail', 'inconclusive', 'environment']),
  })
  .describe('Not yet run. What a gate must say of recorded spans.');
