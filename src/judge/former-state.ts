import type { CanaryRules } from './canary-rules.ts';
import type { Deployment } from './deployment.ts';
import type { JudgeState } from './judge.ts';
import type { Pair } from './pair.ts';

/**
 * Makes a state of version 1 one of version 2, in place, so that no evidence is lost and what has failed stays failed:
 * costs, the only amounts that it knows, have their limits and caps by other names there.
 */
export function renewState({ deployments }: Pick<JudgeState, 'deployments'>): void {
  for (const deployment of deployments.values()) {
    const pairs = pairsOf(deployment);
    const { rules, nextRules } = deployment;
    for (const each of new Set([rules, nextRules, ...[...pairs].map((pair) => pair.rules)]))
      if (each) renewRules(each);
    for (const { ended, scored } of pairs)
      for (const kpi of [...ended.kpis, ...scored.kpis]) rename(kpi, 'capUsd', 'cap');
  }
}

function renewRules({ kpis }: CanaryRules): void {
  for (const kpi of kpis) {
    rename(kpi, 'limitUsd', 'limit');
    if (kpi.limit !== undefined) Reflect.set(kpi, 'reference', kpi.limit); // objectives on costs are on their mean
  }
}

/** The pairs of its releases, and those that a unit was placed in before its release got another one. */
function pairsOf({ releases, units, unscored }: Deployment): ReadonlySet<Pair> {
  const pairs = new Set<Pair>();
  for (const { pair } of releases.values()) if (pair) pairs.add(pair);
  for (const { unit } of unscored) for (const { pair } of unit?.places ?? []) pairs.add(pair);
  for (const unit of units) for (const { pair } of unit.places) pairs.add(pair);
  return pairs;
}

function rename(thing: object, was: string, is: string): void {
  if (!Object.hasOwn(thing, was)) return;
  Reflect.set(thing, is, Reflect.get(thing, was));
  Reflect.deleteProperty(thing, was);
}
