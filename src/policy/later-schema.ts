import { z } from 'zod';
import { count, duration, ratio } from './policy-values.ts';

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
