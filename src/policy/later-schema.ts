import { z } from 'zod';
import { count, duration, positive, ratio } from './policy-values.ts';

const budget = (what: string) =>
  z
    .strictObject({
      usd: positive.optional().describe('US dollars.'),
      tool_calls: count(1, 1_000_000).optional().describe('Calls of tools.'),
      calls_of_a_tool: count(1, 1_000_000)
        .optional()
        .describe('Of the same tool, those made again included.'),
      duration: duration.optional().describe('How long it may take.'),
      warn_at: ratio.optional().describe('Share of the budget at which a warning is given.'),
      when_spent: z.enum(['warn', 'pause', 'deny']).describe('What happens then.'),
    })
    .optional()
    .describe(what);

/** What one run, session or day may spend. */
export const budgets = z
  .strictObject({
    run: budget('Of one run.'),
    session: budget('Of one session.'),
    day: budget('Of one day.'),
  })
  .describe('Not yet enforced. What one run, one session and one day of an agent may spend.');
