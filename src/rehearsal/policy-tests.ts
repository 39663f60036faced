import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readCases } from '../gate/offline-cases.ts';
import { judgeOffline } from '../gate/offline-gate.ts';
import { judgeStaging } from '../gate/staging-gate.ts';
import type { Plan } from '../plan.ts';
import { offlineRulesOf, stagingRulesOf } from '../policy/gate-rules.ts';
import type { Policy } from '../policy/policy-schema.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { canaryFinding, replayed, unsaid, type Finding } from './canary-test.ts';
import { stagingFiguresOf } from '../policy/staging-figures.ts';
import { readTraffic, type Traffic } from './traffic.ts';

type PolicyTest = NonNullable<Policy['tests']>[number];

/** What became of one test of a policy. */
export interface TestResult {
  readonly policy: string;
  readonly name: string;
  readonly isMet: boolean;
  /** What was found, when and why, for people. */
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
    const wanted = isMet || verdict === undefined ? '' : `not ${test.verdict} but `;
    yield { policy: file.policy.metadata.name, name: test.name, isMet, found: wanted + found };
  }
}

function findingOf(
  file: PolicyFile,
  test: PolicyTest,
  parts: { readonly plan: Plan; readonly assess: NonNullable<Plan['assess']> },
): Finding {
  const path = resolve(dirname(file.file), test.fixture);
  const text = textOf(path);
  if (text === undefined) return unsaid(`cannot read ${path}: correct fixture`);
  if (test.gate === 'offline') return offlineFinding(file, test, path, text);
  const read = readTraffic(text);
  if ('faults' in read) return unsaid(`${path}: ${read.faults.join('; ')}`);
  return test.gate === 'canary'
    ? canaryFinding(file, { release: test.release, baseline: test.baseline }, read.traffic, parts)
    : stagingFinding(file, test, read.traffic, parts);
}

function offlineFinding(
  file: PolicyFile,
  { release, baseline }: PolicyTest,
  path: string,
  text: string,
): Finding {
  const rules = offlineRulesOf(file);
  if (!rules || baseline === undefined)
    return unsaid('the policy has no gates::offline, or the test names no baseline');
  const read = readCases(text);
  if ('faults' in read) return unsaid(`${path}: ${read.faults.join('; ')}`);
  const { verdict, reason } = judgeOffline(read.cases, { release, baseline }, rules);
  return { verdict, found: `${verdict}: ${reason}` };
}

/** What the gate says by the KPIs of the release in the environment of the traffic, when all of it was replayed. */
function stagingFinding(
  file: PolicyFile,
  { release }: PolicyTest,
  traffic: Traffic,
  parts: { readonly plan: Plan; readonly assess: NonNullable<Plan['assess']> },
): Finding {
  const rules = stagingRulesOf(file);
  if (!rules) return unsaid('the policy has no gates::staging');
  const { agent, environment } = traffic;
  const families = replayed(file, traffic, parts).families();
  const figures = stagingFiguresOf(file, { agent, release, environment }, families);
  const { verdict, reason } = judgeStaging(figures, rules);
  return { verdict, found: `${verdict}: ${reason}` };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
