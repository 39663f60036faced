import { burnRatesOf, isBudgeted, thresholdOf } from './burn-rate.ts';
import { notEnforced } from './lint-later.ts';
import { demandOf } from './objective-rules.ts';
import { objectivesOf, type Objective } from './objective-schema.ts';
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
