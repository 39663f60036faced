import type { Deployment } from './deployment.ts';

/** A release that one may go back to, and why: it passed, or it was what others were compared with. */
export interface Destination {
  readonly release: string;
  readonly why: 'passed' | 'established';
}

/**
 * Releases to go back to from `release`, the best first: the incumbent, then those that passed, then those that were
 * incumbents, of each the one that was seen last. Never one that failed.
 */
export function destinationsOf(deployment: Deployment, release: string): readonly Destination[] {
  return [...deployment.releases.values()]
    .filter(({ name, pair, isEstablished }) => {
      const isGood = isEstablished || pair?.passedMs !== undefined;
      return isGood && name !== release && pair?.failedMs === undefined;
    })
    .map(({ name, lastMs, pair }) => {
      const hasPassed = pair?.passedMs !== undefined;
      return { name, lastMs, hasPassed, rank: name === deployment.incumbent ? 2 : Number(hasPassed) };
    })
    .toSorted((a, b) => b.rank - a.rank || b.lastMs - a.lastMs)
    .map(({ name, hasPassed }) => ({ release: name, why: hasPassed ? 'passed' : 'established' }));
}
