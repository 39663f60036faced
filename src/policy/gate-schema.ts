import { z } from 'zod';
import type { KpiName } from './kpi-metrics.ts';
import { kpiName } from './objective-schema.ts';
import { count, duration, evidence, name, positive, ratio, text } from './policy-values.ts';

/** The KPIs that one run can show, so that a gate can judge releases by their runs. */
export const judgedKpis = [
  'run_success',
  'run_escalation',
  'run_containment',
  'outcome_evidence',
  'run_duration',
  'quality_score',
  'cost_usd_per_run',
  'review_cost_usd_per_run',
  'tool_call_success',
  'tool_call_attempt_success',
  'tool_call_retry',
] as const satisfies readonly KpiName[];

/** The name of a KPI that one run can show. */
export type JudgedKpi = (typeof judgedKpis)[number];

const judgedKpi = z.enum(judgedKpis, {
  error: ({ input }) =>
    `${String(input)} is nothing that one run shows: write one of ${judgedKpis.join(', ')}`,
});

const offline = z.strictObject({
  dataset: text('which cases the release is tried on'),
  min_cases: count(1, 1_000_000).describe('With fewer it is inconclusive.'),
  margin: ratio.describe('How much worse than the release before it may be.'),
});

const staging = z.strictObject({
  min_runs: count(1, 1_000_000).describe('With fewer it is inconclusive.'),
  at_least: z
    .partialRecord(kpiName, ratio)
    .optional()
    .describe('What each of these ratios must be, over the longest window.'),
  at_most: z
    .partialRecord(kpiName, positive)
    .optional()
    .describe(
      'What each of these may be; a duration in the stat of its objective, or the p95 where there is none.',
    ),
});

const canary = z.strictObject({
  share: ratio.describe('Of the traffic that the release gets.'),
  unit: z
    .enum(['run', 'session', 'user'])
    .describe('What the router keeps together: it sends all runs of one to the same release.'),
  deadline: duration.describe('A run that has not ended by then has failed.'),
  min_runs: count(1, 1_000_000).describe('Units of the release before it passes.'),
  weights: z.partialRecord(judgedKpi, ratio).describe('How much each KPI matters; together 1.'),
  margin: ratio.describe('It passes when it is surely not worse by so much.'),
  tolerance: ratio.optional().describe('Worse by so much is not worse. 0 unless said.'),
  floor: z
    .partialRecord(judgedKpi, positive)
    .optional()
    .describe(
      'What each of these must be whatever other releases do: the least, or of amounts and of what is bad the most: a duration counts by its mean.',
    ),
  pause_at: evidence.describe('Evidence (an e-value) against the release at which it pauses.'),
  rollback_at: evidence.describe('Evidence at which it is rolled back.'),
  max: duration.describe('How long it may take to decide.'),
  on_timeout: z.enum(['pause', 'rollback']).describe('What happens when it takes longer.'),
  tick: duration.optional().describe('How often evidence is taken. 1m unless said.'),
});

/** What a release must show before it goes on. */
export const gates = z
  .strictObject({
    offline: offline.optional().describe('On a data set, by exact tests.'),
    staging: staging.optional().describe('By the gauges of the environment in which it was tried.'),
    canary: canary.optional().describe('Beside the release that was there, by the judge.'),
  })
  .describe('What a release must show before it goes on.');

/** What a canary must show. */
export type CanaryGate = z.infer<typeof canary>;

/** The names of gates. */
export const gateNames = ['offline', 'staging', 'canary'] as const;

/** A case that shows what the policy does. */
export const policyTest = z
  .strictObject({
    name: text('what it shows'),
    fixture: text('which file it replays, as seen from the policy'),
    gate: z.enum(gateNames).describe('The gate that is asked.'),
    release: name('the release that is judged'),
    baseline: name('the release that it is compared with').optional(),
    verdict: z.enum(['pass', 'fail', 'inconclusive', 'environment']).describe('What it must say.'),
  })
  .describe('What a gate must say of a fixture.');
