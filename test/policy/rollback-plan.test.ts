import { expect, test } from 'vitest';
import { Coverage } from '../../src/policy/coverage.ts';
import { rollbackPlanOf } from '../../src/policy/rollback-plan.ts';
import { policyFile, rollback } from './policies.ts';

const file = policyFile({
  metadata: { approvers: ['risk@example.com'] },
  scope: { agents: ['search-agent'], environments: ['production', 'staging'] },
  rollback: {
    ...rollback,
    mode: 'approve',
    environments: { staging: { mode: 'auto', target: 't-staging' }, production: { target: 't-production' } },
  },
});

test('an unsafe release is met as the policy says, with what differs in its environment', () => {
  const plan = {
    policy: 'search-agent',
    revision: file.revision,
    owner: 'team-search',
    approvers: ['risk@example.com'],
    mode: 'approve',
    target: 't-production',
    cooldownMs: 1_800_000,
    perDay: 6,
    approvalMs: 3_600_000,
    verify: { kpi: 'run_success', minEvents: 20, withinMs: 1_200_000 },
  };
  expect(rollbackPlanOf(file, 'production')).toEqual(plan);
  expect(rollbackPlanOf(file, 'staging')).toEqual({ ...plan, mode: 'auto', target: 't-staging' });
  expect(rollbackPlanOf(policyFile({ rollback }), 'production')).toMatchObject({
    mode: 'auto',
    target: 't',
    approvers: [],
  });
});

test('in a rehearsal it is met as in the environment that is meant', () => {
  expect(rollbackPlanOf(file, 'drill:staging')).toEqual(rollbackPlanOf(file, 'staging'));
});

test('an approval may take as long as the policy says', () => {
  const patient = policyFile({ rollback: { ...rollback, approval_within: '4h' } });
  expect(rollbackPlanOf(patient, 'production')?.approvalMs).toBe(4 * 3_600_000);
});

test('of an agent that no policy covers, or whose policy does not say, there is no plan', () => {
  const coverage = new Coverage([file]);
  expect(coverage.rollbackPlan('search-agent', 'staging')?.target).toBe('t-staging');
  expect(coverage.rollbackPlan('search-agent', 'drill:production')?.target).toBe('t-production');
  expect(coverage.rollbackPlan('search-agent', 'test')).toBeUndefined();
  expect(coverage.rollbackPlan('another', 'production')).toBeUndefined();
  expect(new Coverage([policyFile()]).rollbackPlan('search-agent', 'production')).toBeUndefined();
});
