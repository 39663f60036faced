import { error, type Finding } from './finding.ts';
import type { Policy } from './policy-schema.ts';

/** What is wrong with the tests of a policy. `hasFixture` says whether a file is there, as seen from the policy. */
export function* testFindings(
  { gates = {}, tests = [] }: Policy,
  hasFixture: (path: string) => boolean,
): Generator<Finding> {
  const seen = new Set<string>();
  for (const [i, test] of tests.entries()) {
    const path = `tests::${i}`;
    const { name, gate, fixture, release, baseline, verdict } = test;
    if (gates[gate] === undefined)
      yield error(
        `${path}::gate`,
        `the policy has no gate ${gate}`,
        `add gates::${gate}, or remove the test`,
      );
    if (seen.has(name)) yield error(`${path}::name`, 'is there already', 'give each test a name of its own');
    seen.add(name);
    if (!hasFixture(fixture))
      yield error(
        `${path}::fixture`,
        `there is no file ${fixture}, as seen from the policy`,
        'add it, or correct the path',
      );
    if (gate === 'offline' && baseline === undefined)
      yield error(`${path}::baseline`, 'is missing', 'name the release that it is compared with');
    if (baseline === release)
      yield error(`${path}::baseline`, 'is the release itself', 'name the one before');
    if (verdict === 'environment' && gate !== 'canary')
      yield error(`${path}::verdict`, 'is only what canaries find', 'write pass, fail or inconclusive');
  }
}
