import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Plan } from '../plan.ts';
import type { Policy } from '../policy/policy-schema.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { canaryFinding, type Finding } from './canary-test.ts';
import { readTraffic, type Traffic } from './traffic.ts';

type PolicyTest = NonNullable<Policy['tests']>[number];

/** What became of one test of a policy. */
export interface TestResult {
  readonly policy: string;
  readonly name: string;
  readonly isMet: boolean;
  /** What was found, and when, for people. */
  readonly found: string;
}

/** Carries out the tests of the policy in `file`, as a pipeline set up by `parts` would judge. Faults of fixtures are failed tests. */
export function* testResults(
  file: PolicyFile,
  parts: { readonly plan: Plan; readonly assess: NonNullable<Plan['assess']> },
): Generator<TestResult> {
  for (const test of file.policy.tests ?? []) {
    const { verdict, found } = findingOf(file, test, parts);
    const isMet = verdict === test.verdict;
    const wanted = isMet || verdict === undefined ? '' : `, not ${test.verdict}`;
    yield { policy: file.policy.metadata.name, name: test.name, isMet, found: found + wanted };
  }
}

function findingOf(
  file: PolicyFile,
  test: PolicyTest,
  parts: { readonly plan: Plan; readonly assess: NonNullable<Plan['assess']> },
): Finding {
  const path = resolve(dirname(file.file), test.fixture);
  const text = textOf(path);
  if (text === undefined) return { verdict: undefined, found: `cannot read ${path}: correct fixture` };
  const read = readTraffic(text);
  if ('faults' in read) return { verdict: undefined, found: `${path}: ${read.faults.join('; ')}` };
  return gateFinding(file, test, read.traffic, parts);
}

function gateFinding(
  file: PolicyFile,
  { gate, release, baseline }: PolicyTest,
  traffic: Traffic,
  parts: { readonly plan: Plan; readonly assess: NonNullable<Plan['assess']> },
): Finding {
  if (gate === 'canary') return canaryFinding(file, { release, baseline }, traffic, parts);
  return { verdict: undefined, found: `gate ${gate} is to come` };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
