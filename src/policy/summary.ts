import { burnRatesOf, isBudgeted, thresholdOf } from './burn-rate.ts';
import { judgedKpis, type CanaryGate } from './gate-schema.ts';
import { notEnforced } from './lint-later.ts';
import { demandOf } from './objective-rules.ts';
import { objectivesOf, type Objective } from './objective-schema.ts';
import type { Policy } from './policy-schema.ts';
import type { PolicyFile } from './read-policy.ts';

/** What a policy says, in lines for people. */
export function summaryOf({ policy, revision }: PolicyFile): readonly string[] {
  const { metadata, scope, risks = [] } = policy;
  const later = notEnforced(policy);
  return [
    `${metadata.name}, version ${metadata.version}, revision ${revision}: of ${metadata.owner}, pages ${metadata.on_call}`,
    `  claims ${scope.agents.join(', ')} in ${scope.environments.join(', ')}`,
    ...objectivesOf(policy.objectives).map(
      ([kpi, objective]) => `  ${demandOf(kpi, objective)}: ${alertsOn(objective)}`,
    ),
    ...gatesText(policy),
    ...rollbackText(policy),
    ...risks.map(({ id, owner, review_by: day }) => `  risk ${id} of ${owner}, to be reviewed by ${day}`),
    ...(later.length > 0 ? [`  not yet enforced: ${later.join(', ')}`] : []),
  ];
}

function alertsOn(objective: Objective): string {
  if (!isBudgeted(objective)) return `${objective.severity} while it is not`;
  return burnRatesOf(objective)
    .map((rate) => {
      const share = Number((100 * thresholdOf(rate, objective)).toPrecision(3));
      return `${rate.severity} above ${share} % bad over ${rate.longWindow}`;
    })
    .join(', ');
}

function gatesText({ gates = {} }: Policy): readonly string[] {
  const { offline, staging, canary } = gates;
  const demanded = Object.keys({ ...staging?.at_least, ...staging?.at_most });
  return [
    ...(offline
      ? [
          `  offline: passes ${offline.min_cases} cases of ${offline.dataset}, worse by less than ${percent(offline.margin)}`,
        ]
      : []),
    ...(staging ? [`  staging: passes ${staging.min_runs} runs, by ${demanded.join(', ')}`] : []),
    ...(canary
      ? [
          `  canary: ${percent(canary.share)} of the traffic by ${canary.unit}, judged for up to ${canary.max}, by evidence on ${weightsText(canary)}`,
        ]
      : []),
  ];
}

/** What evidence on each KPI is enough when a release is judged for the first time: the more the less it weighs, and twice as much where a floor is a second test. */
function weightsText({
  weights,
  floor = {},
  pause_at: pauseAt,
  rollback_at: rollbackAt,
}: CanaryGate): string {
  return judgedKpis
    .flatMap((kpi) => {
      const weight = weights[kpi] ?? 0;
      if (weight === 0) return [];
      const hasFloor = floor[kpi] !== undefined;
      const needed = (evidence: number) => Number((evidence / (weight / (hasFloor ? 2 : 1))).toPrecision(3));
      const means = `${percent(weight)}${hasFloor ? ', floor' : ''}`;
      return [`${kpi} (${means}) pauses at ${needed(pauseAt)} and rolls back at ${needed(rollbackAt)}`];
    })
    .join(', ');
}

function rollbackText({ rollback, drill, metadata }: Policy): readonly string[] {
  if (!rollback) return [];
  const { mode, target, environments = {}, cooldown, per_day: perDay, verify } = rollback;
  const others = Object.entries(environments).map(
    ([name, { mode: own = mode, target: other = target }]) => `; in ${name} ${own}, of ${other}`,
  );
  const by = mode === 'approve' ? ` by ${(metadata.approvers ?? []).join(' or ')}` : '';
  return [
    `  rollback: ${mode}${by}, of ${target}${others.join('')}; every ${cooldown}, ${perDay} a day; verified by ${verify.kpi} within ${verify.within}`,
    ...(drill ? [`  drill: ${drill.scenario} every ${drill.every}`] : []),
  ];
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
