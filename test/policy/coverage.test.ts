import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Coverage } from '../../src/policy/coverage.ts';
import { runs } from '../property-runs.ts';
import { policyFile } from './policies.ts';

const scoped = (agents: readonly string[], environments: readonly string[], name = 'a') =>
  policyFile({ metadata: { name }, scope: { agents, environments } });

test('a policy covers the agents and environments that its scope names, and those that begin as it says', () => {
  const search = scoped(['search', 'shop-*'], ['production'], 'search');
  const rest = scoped(['*'], ['staging*'], 'rest');
  const coverage = new Coverage([search, rest]);
  const asked = (agent: string, environment: string) => coverage.revision(agent, environment);
  expect(asked('search', 'production')).toBe(search.revision);
  expect(asked('shop-', 'production')).toBe(search.revision);
  expect(asked('shop-eu', 'production')).toBe(search.revision);
  expect(asked('search', 'staging')).toBe(rest.revision);
  expect(asked('anything', 'staging-2')).toBe(rest.revision);
  for (const [agent, environment] of [
    ['search-eu', 'production'],
    ['shop', 'production'],
    ['search', 'productive'],
    ['search', ''],
    ['', 'production'],
    ['__proto__', 'constructor'],
    ['drill:search', 'production'],
    ['search', 'drill:drill:production'],
  ] as const)
    expect(asked(agent, environment)).toBe('');
});

test('a rehearsal is covered as the environment that is meant', () => {
  const coverage = new Coverage([scoped(['search'], ['production', 'staging*'])]);
  const meant = coverage.revision('search', 'production');
  expect(meant).not.toBe('');
  expect(coverage.revision('search', 'drill:production')).toBe(meant);
  expect(coverage.revision('search', 'drill:staging-2')).toBe(meant);
  expect(coverage.revision('search', 'drill:')).toBe('');
  expect(coverage.revision('search', 'drill')).toBe('');
});

test('good outcomes are those of the policy, and success and completed where there is none', () => {
  const coverage = new Coverage([policyFile({ good_outcomes: ['success', 'escalated'] })]);
  expect(coverage.goodOutcomes('search-agent', 'production')).toEqual(new Set(['success', 'escalated']));
  expect(coverage.goodOutcomes('search-agent', 'staging')).toEqual(new Set(['success', 'completed']));
});

test('the target of a quality score is that of the evaluator of the objective', () => {
  const quality_score = {
    evaluator: 'relevance',
    at_least: 0.8,
    window: '1h',
    min_events: 20,
    severity: 'sev3',
  };
  const coverage = new Coverage([policyFile({ objectives: { quality_score } })]);
  expect(coverage.qualityTarget('search-agent', 'production', 'relevance')).toBe(0.8);
  expect(coverage.qualityTarget('search-agent', 'production', 'tone')).toBeUndefined();
  expect(coverage.qualityTarget('search-agent', 'staging', 'relevance')).toBeUndefined();
  expect(new Coverage([policyFile()]).qualityTarget('search-agent', 'production', 'relevance')).toBe(
    undefined,
  );
});

test('property: what was asked before changes no answer, and neither do more names than are remembered', () => {
  const policies = [scoped(['a*'], ['x'], 'a'), scoped(['b'], ['*'], 'b')];
  const used = new Coverage(policies);
  for (let n = 0; n < 25_000; n++) used.revision(`agent ${n}`, n % 2 === 0 ? 'x' : `environment ${n}`);
  const name = fc.constantFrom('a', 'aa', 'b', 'x', 'y', '', 'bb');
  fc.assert(
    fc.property(name, name, (agent, environment) => {
      expect(used.revision(agent, environment)).toBe(new Coverage(policies).revision(agent, environment));
    }),
    { numRuns: runs },
  );
});
