import { error, warning, type Finding } from './finding.ts';
import { gateNames } from './gate-schema.ts';
import type { Policy } from './policy-schema.ts';

/** What is wrong with the parts of a policy that are not yet enforced. */
export function* laterFindings(policy: Policy): Generator<Finding> {
  yield* budgetFindings(policy);
  yield* gateFindings(policy);
  yield* rollbackFindings(policy);
  yield* testFindings(policy);
}

/** The parts of a policy that it has and that nothing enforces yet. */
export function notEnforced(policy: Policy): readonly string[] {
  return (['review', 'budgets', 'gates', 'rollback', 'drill', 'tests'] as const).filter(
    (part) => policy[part] !== undefined,
  );
}

function* budgetFindings({ budgets = {} }: Policy): Generator<Finding> {
  for (const [scope, budget] of Object.entries(budgets)) {
    const { warn_at: _, when_spent: __, ...limits } = budget ?? {};
    if (budget && Object.keys(limits).length === 0)
      yield error(`budgets::${scope}`, 'limits nothing', 'set usd, tool_calls, calls_of_a_tool or duration');
  }
}

function* gateFindings({ gates = {}, tests = [] }: Policy): Generator<Finding> {
  for (const gate of gateNames) {
    if (gates[gate] === undefined) continue;
    if (!tests.some((test) => test.gate === gate && test.verdict === 'fail'))
      yield error(
        `gates::${gate}`,
        'no test makes it block, so nobody knows that it can',
        `add a test with gate: ${gate} and verdict: fail`,
      );
  }
  const { canary } = gates;
  if (!canary) return;
  const sum = Object.values(canary.weights).reduce((total, weight) => total + weight, 0);
  if (Math.abs(sum - 1) > 1e-9)
    yield error('gates::canary::weights', `sum up to ${Number(sum.toFixed(4))}`, 'let them sum up to 1');
  if (canary.pause_at > canary.rollback_at)
    yield error('gates::canary::pause_at', 'is above rollback_at, so it would never pause', 'lower it');
  if (canary.pause_at < 20)
    yield warning(
      'gates::canary::pause_at',
      `a healthy release pauses with a chance of up to 1 in ${canary.pause_at}`,
      'write 20 or more',
    );
  if (canary.share <= 0 || canary.share >= 1)
    yield error(
      'gates::canary::share',
      'leaves one of the two releases without traffic',
      'write a share between 0 and 1',
    );
}

function* rollbackFindings({ rollback, gates, metadata }: Policy): Generator<Finding> {
  if (!rollback) return;
  if (rollback.mode === 'approve' && !metadata.approvers)
    yield error('rollback::mode', 'wants an approval and nobody may give it', 'list metadata::approvers');
  if (rollback.mode !== 'off' && !gates?.canary)
    yield error('rollback', 'nothing would call for it', 'add gates::canary, or write mode: off');
}

function* testFindings({ gates = {}, tests = [] }: Policy): Generator<Finding> {
  const seen = new Set<string>();
  for (const [i, { name, gate }] of tests.entries()) {
    if (gates[gate] === undefined)
      yield error(
        `tests::${i}::gate`,
        `the policy has no gate ${gate}`,
        `add gates::${gate}, or remove the test`,
      );
    if (seen.has(name))
      yield error(`tests::${i}::name`, 'is there already', 'give each test a name of its own');
    seen.add(name);
  }
}
