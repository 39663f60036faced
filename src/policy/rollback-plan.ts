import { environmentMeant } from '../semconv/rehearsal.ts';
import type { KpiName } from './kpi-metrics.ts';
import type { Policy } from './policy-schema.ts';
import { durationSeconds } from './policy-values.ts';
import type { PolicyFile } from './read-policy.ts';

type Rollback = NonNullable<Policy['rollback']>;

/** What is done about an unsafe release in one environment. */
export interface RollbackPlan {
  readonly policy: string;
  readonly revision: string;
  readonly owner: string;
  readonly approvers: readonly string[];
  readonly mode: Rollback['mode'];
  /** In the configuration of the executor. */
  readonly target: string;
  readonly cooldownMs: number;
  readonly perDay: number;
  /** So long an approval that is asked for may be given. */
  readonly approvalMs: number;
  readonly verify: { readonly kpi: KpiName; readonly minEvents: number; readonly withinMs: number };
}

/** Unless the policy says another. */
const usualApproval = '1h';

/**
 * What the policy has done about an unsafe release in `environment`, which it covers; undefined where it does not say. In
 * a rehearsal that is what would be done in the environment that is meant: to act on nothing real is for the executor.
 */
export function rollbackPlanOf(
  { policy, revision }: PolicyFile,
  environment: string,
): RollbackPlan | undefined {
  const { rollback, metadata } = policy;
  if (!rollback) return undefined;
  const { mode = rollback.mode, target = rollback.target } =
    new Map(Object.entries(rollback.environments ?? {})).get(environmentMeant(environment)) ?? {};
  const { kpi, min_events: minEvents, within } = rollback.verify;
  return {
    policy: metadata.name,
    revision,
    owner: metadata.owner,
    approvers: metadata.approvers ?? [],
    mode,
    target,
    cooldownMs: 1000 * durationSeconds(rollback.cooldown),
    perDay: rollback.per_day,
    approvalMs: 1000 * durationSeconds(rollback.approval_within ?? usualApproval),
    verify: { kpi, minEvents, withinMs: 1000 * durationSeconds(within) },
  };
}
