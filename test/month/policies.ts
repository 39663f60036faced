import type { TableRow } from '../../src/core/table-row.ts';
import { policyRow } from '../../src/policy/policy-row.ts';
import type { PolicyFile } from '../../src/policy/read-policy.ts';
import { canary, policyFile, rollback, type Mapping } from '../policy/policies.ts';
import { at } from './days.ts';

const budget = { period: '30d', min_events: 50, severity: 'sev2' };
const objectives = {
  run_success: { at_least: 0.88, slow_severity: null, ...budget },
  run_escalation: { at_most: 0.2, ...budget },
};
const severities: Mapping = {
  sev1: { page: true, acknowledge_within: '15m' },
  sev4: { page: false, acknowledge_within: '1d' },
};

const doubleRefund: Mapping = {
  id: 'R-1',
  statement: 'A refund is paid twice because a call is made again after a timeout.',
  likelihood: 2,
  impact: 5,
  owner: 'team-payments',
  mitigation: 'Idempotency keys in issue_refund.',
  review_by: '2027-01-31',
};
const wrongAccount: Mapping = {
  id: 'R-2',
  statement: 'A refund goes to an account that the customer no longer has.',
  likelihood: 2,
  impact: 3,
  owner: 'ana@example.com',
  mitigation: 'Accounts are verified on the day of the refund.',
  review_by: '2026-09-30',
};
const injected: Mapping = {
  id: 'R-3',
  statement: 'Text in a ticket talks the agent into a refund that nobody is owed.',
  likelihood: 3,
  impact: 4,
  owner: 'security',
  mitigation: 'Refunds above 50 USD wait for an approval.',
  review_by: '2026-12-31',
};
const staleAnswers: Mapping = {
  id: 'S-1',
  statement: 'Answers quote a price list of last year.',
  likelihood: 4,
  impact: 2,
  owner: 'team-support',
  mitigation: 'The index is built anew each night.',
  review_by: '2026-11-30',
};

function refunds(version: number, changes: Mapping): PolicyFile {
  return policyFile({
    metadata: { name: 'refund-agent', version, owner: 'team-payments', on_call: 'payments-on-call' },
    scope: { agents: ['refund-agent'], environments: ['production', 'staging'] },
    objectives,
    severities,
    gates: { canary },
    rollback: { ...rollback, target: 'refund-agent-production' },
    drill: { every: '90d', scenario: 'tools-fail-30-percent' },
    ...changes,
  });
}

/** The policy of refunds until the middle of October: a run that was passed on to a human is good. */
const refundsBefore = refunds(3, {
  good_outcomes: ['success', 'completed', 'escalated'],
  risks: [doubleRefund, wrongAccount],
});
/** And since then. */
const refundsNow = refunds(4, {
  good_outcomes: ['success', 'completed'],
  risks: [doubleRefund, wrongAccount, injected],
});
const support = policyFile({
  metadata: { name: 'support-agent', version: 1, owner: 'team-support', on_call: 'support-on-call' },
  scope: { agents: ['support-agent'], environments: ['production'] },
  objectives,
  severities,
  gates: { canary },
  rollback: { ...rollback, mode: 'dry_run', target: 'support-agent-production' },
  drill: { every: '90d', scenario: 'tools-fail-30-percent' },
  risks: [staleAnswers],
});
const invoices = policyFile({
  metadata: { name: 'invoice-agent', version: 1, owner: 'team-billing', on_call: 'billing-on-call' },
  scope: { agents: ['invoice-*'], environments: ['production'] },
  objectives: { ...objectives, run_escalation: null },
});

const inUse: readonly (readonly [agent: string, sinceMs: number, PolicyFile])[] = [
  ['refund-agent', at('07-01 00:00'), refundsBefore],
  ['refund-agent', at('10-14 08:00'), refundsNow],
  ['support-agent', at('07-01 00:00'), support],
  ['invoice-agent', at('10-12 09:00'), invoices],
];

/** The policy that covers `agent` in `environment` at `timeMs`; undefined where none does. */
export function policyAt(agent: string, environment: string, timeMs: number): PolicyFile | undefined {
  const found = inUse.findLast(([of, sinceMs]) => of === agent && sinceMs <= timeMs)?.[2];
  return found?.policy.scope.environments.includes(environment) ? found : undefined;
}

/** Rows of `policies`. */
export function policyRows(): readonly TableRow[] {
  return inUse.map(([, sinceMs, file]) => policyRow(file, sinceMs));
}
