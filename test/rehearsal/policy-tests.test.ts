import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../src/config.ts';
import { planOf } from '../../src/plan.ts';
import { readPolicy } from '../../src/policy/read-policy.ts';
import { testResults, type TestResult } from '../../src/rehearsal/policy-tests.ts';
import { plainTraffic } from './traffics.ts';

const shipped = new URL('../../config/policies/refund-agent.yaml', import.meta.url).pathname;
const plan = planOf(loadConfig([new URL('../../config/plimsoll.yaml', import.meta.url).pathname]));
const folder = mkdtempSync(join(tmpdir(), 'plimsoll-policy-tests-'));
afterAll(() => rmSync(folder, { recursive: true }));

function resultsOf(file: string, text = readFileSync(file, 'utf8')): readonly TestResult[] {
  const read = readPolicy(file, text);
  const { assess } = plan;
  if (!('read' in read) || !assess) throw new Error(JSON.stringify(read));
  return [...testResults(read.read, { plan, assess })];
}

/** What comes of the shipped policy with one test instead of its own, and a fixture of this traffic. */
function resultOf(
  policyTest: object,
  traffic: object = {},
  changePolicy: (policy: { gates: object }) => void = () => undefined,
): TestResult {
  const policy = parse(readFileSync(shipped, 'utf8'));
  changePolicy(policy);
  policy.tests = [
    {
      name: 'a test',
      gate: 'canary',
      fixture: 'a.traffic.yaml',
      release: 'new',
      verdict: 'fail',
      ...policyTest,
    },
  ];
  writeFileSync(join(folder, 'a.traffic.yaml'), stringify({ ...plainTraffic, ...traffic }));
  const [result] = resultsOf(join(folder, 'policy.yaml'), stringify(policy));
  if (!result) throw new Error('a policy with a test has a result');
  return result;
}

const old = { release: 'old', runs_per_minute: 36 };

test('the tests of the shipped policy pass, and say when and why', () => {
  const results = resultsOf(shipped);
  expect(results.filter(({ isMet }) => !isMet)).toEqual([]);
  const found = (name: string) => results.find((one) => one.name === name)?.found;
  expect(found('failing tools are rolled back')).toMatch(
    /^fail after \d+ min, \d+ units: run_success is worse than that of 1\.4\.0: evidence \d+ now/,
  );
  expect(found('a healthy canary goes on')).toMatch(
    /^pass after \d+ min, \d+ units: no KPI is worse than that of 1\.4\.0 by /,
  );
});

test('a test whose release ends with another verdict fails and says both', () => {
  const result = resultOf(
    {},
    { minutes: 6, releases: [old, { release: 'new', from: 2, runs_per_minute: 4 }] },
  );
  expect(result).toMatchObject({ policy: 'refund-agent', name: 'a test', isMet: false });
  expect(result.found).toMatch(/^not fail but inconclusive after \d+ min, \d+ units: \w+/);
});

test('a release that is worse from a minute on fails after it', () => {
  const late = { release: 'new', from: 2, runs_per_minute: 10, after: [{ minute: 30, run_failure: 0.6 }] };
  const releases = [{ ...old, runs_per_minute: 90 }, late];
  const result = resultOf({}, { minutes: 50, releases });
  expect(result.isMet).toBe(true);
  const [, minutes] = /^fail after (\d+) min/.exec(result.found) ?? [];
  expect(Number(minutes)).toBeGreaterThanOrEqual(28);
  expect(Number(minutes)).toBeLessThan(48);
});

const withStaging = (policy: { gates: object }): void => {
  policy.gates = { ...policy.gates, staging: { min_runs: 50, at_least: { run_success: 0.9 } } };
};

const stagingAt = (run_failure: number) =>
  resultOf(
    { gate: 'staging' },
    { environment: 'staging', releases: [{ release: 'new', runs_per_minute: 30, run_failure }] },
    withStaging,
  );

test('staging is judged by the KPIs of the release in the environment of the traffic', () => {
  expect(stagingAt(0.5)).toMatchObject({
    isMet: true,
    found: expect.stringMatching(/^fail: run_success is 0\.\d+/),
  });
  expect(stagingAt(0).found).toMatch(/^not fail but pass: run_success 1, over \d+ runs$/);
});

test.each<[object, object, string | RegExp]>([
  [{ fixture: 'none.yaml' }, {}, /^cannot read .*none\.yaml: correct fixture$/],
  [{}, { minutes: 0 }, /a\.traffic\.yaml: minutes: must be more than 0; /],
  [{ release: 'other' }, { releases: [old] }, 'the fixture has no release other: it has old'],
  [
    { release: 'old' },
    { agent: 'x', releases: [old] },
    'the fixture is of x in production, which is not in the scope of the policy',
  ],
  [
    {},
    { releases: [old, { release: 'new', from: 19.99, runs_per_minute: 0.001 }] },
    'nothing was judged: new got no runs, or too few',
  ],
])('test %j with traffic %j fails with a sentence', (policyTest, traffic, sentence) => {
  const { isMet, found } = resultOf(policyTest, traffic);
  expect(isMet).toBe(false);
  expect(found).toMatch(sentence);
});
