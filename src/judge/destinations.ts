import { destinationOf, type Deployment, type Destination } from './deployment.ts';

/**
 * Releases to go back to from `release`, the best first: the incumbent, then those that passed, then those that were
 * incumbents, of each the one that was seen last; then those that were not seen for long. Never one that failed.
 */
export function destinationsOf(deployment: Deployment, release: string): readonly Destination[] {
  const { incumbent, releases, remembered } = deployment;
  const rankOf = ({ release: name, why }: Destination): number =>
    name === incumbent ? 2 : Number(why === 'passed');
  const recent = [...releases.values()]
    .toSorted((a, b) => b.lastMs - a.lastMs)
    .flatMap((one) => destinationOf(one) ?? [])
    .toSorted((a, b) => rankOf(b) - rankOf(a));
  return [...recent, ...remembered].filter(({ release: name }) => name !== release);
}
