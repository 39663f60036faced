import { error, type Finding } from './finding.ts';
import type { Policy } from './policy-schema.ts';

/** A test as a policy has it. */
export type PolicyTest = NonNullable<Policy['tests']>[number];

/** What is wrong with the tests of a policy. `faultsOf` says what is wrong with a file, as seen from the policy; undefined where there is none. */
export function* testFindings(
  { gates = {}, tests = [] }: Policy,
  faultsOf: (fixture: string, gate: PolicyTest['gate']) => readonly string[] | undefined,
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
    const faults = faultsOf(fixture, gate);
    for (const fault of faults ?? [])
      yield error(`${path}::fixture`, `${fixture}: ${fault}`, 'correct the file');
    if (faults === undefined)
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
