import { error, type Finding } from './finding.ts';
import type { Policy } from './policy-schema.ts';

/** What is wrong with the budgets of a policy, which are not yet enforced. */
export function* budgetFindings({ budgets = {} }: Policy): Generator<Finding> {
  for (const [scope, budget] of Object.entries(budgets)) {
    const { warn_at: _, when_spent: __, ...limits } = budget ?? {};
    if (budget && Object.keys(limits).length === 0)
      yield error(`budgets::${scope}`, 'limits nothing', 'set usd, tool_calls, calls_of_a_tool or duration');
  }
}

/** The parts of a policy that it has and that nothing enforces yet. */
export function notEnforced(policy: Policy): readonly string[] {
  return (['review', 'budgets'] as const).filter((part) => policy[part] !== undefined);
}
