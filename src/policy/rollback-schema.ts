import { z } from 'zod';
import { kpiName } from './objective-schema.ts';
import { count, duration, name } from './policy-values.ts';

const mode = z.enum(['off', 'dry_run', 'approve', 'auto']);
const target = name('the target in the configuration of the executor').regex(
  /^(?!sandbox\/|global$)/,
  'is a name that no target of the configuration has: name another',
);

/** What happens to a release that is unsafe. */
export const rollback = z
  .strictObject({
    mode: mode.describe(
      'dry_run only says what would be done; approve waits for metadata::approvers, as many as the target needs.',
    ),
    target,
    environments: z
      .record(
        z.string(),
        z.strictObject({ mode: mode.optional().describe('As above.'), target: target.optional() }),
      )
      .optional()
      .describe('What is different in an environment.'),
    cooldown: duration.describe('Between two rollbacks of the target.'),
    per_day: count(1, 100).describe('Rollbacks of the target.'),
    approval_within: duration
      .optional()
      .describe('An approval that is asked for expires after this. 1h unless said.'),
    verify: z
      .strictObject({
        kpi: kpiName.describe('The KPI whose objective the release that was restored must meet.'),
        min_events: count(1, 1_000_000).describe('Of that release, after the rollback.'),
        within: duration.describe('Else somebody is told.'),
      })
      .describe('How it is known that the rollback helped.'),
  })
  .describe('What happens to a release that is unsafe.');
