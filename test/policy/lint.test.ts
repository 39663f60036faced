import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findingsOf } from '../../src/policy/lint.ts';
import { readPolicy, type PolicyFile } from '../../src/policy/read-policy.ts';
import { overlaps } from '../../src/policy/scope.ts';
import { runs } from '../property-runs.ts';
import { canary, everyObjective, found, policyFile, rollback, today, type Mapping } from './policies.ts';

const risk = {
  id: 'R-1',
  statement: 'a refund is paid twice',
  likelihood: 2,
  impact: 4,
  owner: 'ana',
  mitigation: 'idempotency keys',
  review_by: '2027-01-31',
};
const blocked = { name: 'bad', fixture: 'bad.json', gate: 'canary', release: '2', verdict: 'fail' };
const offline = { dataset: 'searches-7', min_cases: 200, margin: 0.02 };
const withCanary = (more: Mapping): Mapping => ({
  gates: { canary: { ...canary, ...more } },
  tests: [blocked],
});
const withStaging = (more: Mapping): Mapping => ({
  gates: { staging: { min_runs: 50, ...more } },
  tests: [{ ...blocked, gate: 'staging' }],
});
const withOffline = (more: Mapping): Mapping => ({
  gates: { offline: { ...offline, ...more } },
  tests: [{ ...blocked, gate: 'offline', baseline: '1' }],
});
const withRollback = (more: Mapping): Mapping => ({ ...withCanary({}), rollback: { ...rollback, ...more } });
const success = (more: Mapping): Mapping => ({ objectives: { run_success: more } });
const rate = (factor: number, more: Mapping = {}): Mapping =>
  success({ burn_rates: [{ factor, long_window: '1h', short_window: '5m', severity: 'sev2', ...more }] });

test('a sound policy has no findings', () => {
  expect(found()).toEqual([]);
  expect(found({ objectives: everyObjective })).toEqual([]);
  expect(
    found({ objectives: { tool_call_retry: { ...everyObjective['tool_call_retry'], at_most: 0 } } }),
  ).toEqual([]);
  expect(
    found({
      objectives: { review_cost_usd_per_run: { ...everyObjective['review_cost_usd_per_run'], at_most: 5 } },
    }),
  ).toEqual([]);
  expect(found({ risks: [risk], gates: { canary }, tests: [blocked], rollback })).toEqual([]);
  expect(
    found({
      ...withRollback({ environments: { production: { mode: 'dry_run' } } }),
      ...withCanary({ on_timeout: 'rollback', floor: { run_success: 0.9 }, tick: '10s' }),
      drill: { every: '13w', scenario: 'tools-fail' },
    }),
  ).toEqual([]);
  expect(found(withOffline({ min_cases: 189 }))).toEqual([]);
  expect(found(withOffline({ margin: 0.2 }))).toEqual([]);
  expect(found(withCanary({ margin: 0.2 }))).toEqual([]);
  expect(found(withStaging({ at_least: { run_success: 0.95 }, at_most: { tool_call_duration: 3 } }))).toEqual(
    [],
  );
});

test('the events that are called enough are, and so is every number above', () => {
  const [line = ''] = found(success({ min_events: 20 }));
  const enough = Number(/write (\d+) or more/.exec(line)?.[1]);
  for (let events = enough; events < enough + 100; events++)
    expect(found(success({ min_events: events }))).toEqual([]);
});

test.each([
  ['6m', [300_000, 3_600_000], []],
  [
    '5m',
    [300_000, 3_600_000],
    ['error: rollback::verify::within: 5m is not longer than 5m, the shortest of exporters::kpi::windows'],
  ],
  [
    '4m',
    [3_600_000, 300_000],
    ['error: rollback::verify::within: 4m is not longer than 5m, the shortest of exporters::kpi::windows'],
  ],
  ['4m', [60_000, 3_600_000], []],
  ['4m', undefined, []],
] as const)('a rollback verified within %s is refused where no window is shorter: %j', (...of) => {
  const [within, windowsMs, expected] = of;
  const file = policyFile({
    ...withRollback({ verify: { kpi: 'run_success', min_events: 20, within } }),
    ...withCanary({ deadline: '1m' }),
  });
  const lines = (findingsOf([file], today, { windowsMs }).get(file) ?? []).map(
    ({ level, path, sentence }) => `${level}: ${path}: ${sentence}`,
  );
  expect(lines).toEqual(expected.map((line) => expect.stringContaining(line)));
});

test('nothing is wrong with the shipped policy', () => {
  const file = 'config/policies/refund-agent.yaml';
  const result = readPolicy(file, readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'));
  const files = 'read' in result ? [result.read] : [];
  const windowsMs = [300_000, 3_600_000, 86_400_000];
  expect([...findingsOf(files, today, { windowsMs }).values()]).toEqual([[]]);
});

test.each<[string, Mapping, string]>([
  [
    'a factor for 99.9 % on 90 %',
    rate(14.4),
    'error: objectives::run_success::burn_rates::0: the alert can never fire: at 14.4 times the error budget of 10 %, 144 % of all events would have to be bad: remove burn_rates',
  ],
  [
    'a factor that only all events reach',
    rate(10),
    'error: objectives::run_success::burn_rates::0: the alert can never fire',
  ],
  [
    'a factor that half of all events reach',
    rate(5),
    'warning: objectives::run_success::burn_rates::0: the alert hardly ever fires: 50 % of all events would have to be bad: lower the factor, to less than 5,',
  ],
  [
    'a factor below 1',
    rate(0.9),
    'error: objectives::run_success::burn_rates::0: the alert fires while the objective is met: write a factor of 1 or more',
  ],
  [
    'windows the wrong way round',
    rate(3, { short_window: '1h' }),
    'error: objectives::run_success::burn_rates::0: short_window is not shorter than long_window',
  ],
  [
    'a window of one scrape',
    rate(3, { short_window: '30s' }),
    'error: objectives::run_success::burn_rates::0: short_window 30s may hold a single scrape',
  ],
  [
    'a success of 1',
    success({ at_least: 1 }),
    'error: objectives::run_success: at_least 1 leaves no error budget',
  ],
  ['a success of 0', success({ at_least: 0 }), 'error: objectives::run_success: at_least 0 is always met'],
  [
    'no escalation at all',
    { objectives: { run_escalation: { ...everyObjective['run_escalation'], at_most: 0 } } },
    'error: objectives::run_escalation: allows no escalation, so that an agent which asks for help is at fault',
  ],
  [
    'a period of an hour',
    success({ period: '1h' }),
    'error: objectives::run_success::period: 1h is no period for an error budget: write 7d to 90d',
  ],
  [
    'too few events to tell',
    success({ min_events: 20 }),
    'warning: objectives::run_success::min_events: with 20 runs, a release that just meets its objective alerts by bad luck in 4.32 % of windows: write 60 or more',
  ],
  [
    'a severity that it does not define',
    success({ severity: 'sev1' }),
    'error: objectives::run_success: names sev1, which the policy does not define: define severities::sev1',
  ],
  [
    'a window of a week',
    { objectives: { run_containment: { at_least: 0.5, window: '7d', min_events: 5, severity: 'sev3' } } },
    'error: objectives::run_containment::window: windows are kept in memory, and 7d is too long',
  ],
  [
    'a containment of 1',
    { objectives: { run_containment: { at_least: 1, window: '1h', min_events: 5, severity: 'sev3' } } },
    'error: objectives::run_containment: at_least 1 is never met',
  ],
  [
    'a share of calls made again that is never too high',
    { objectives: { tool_call_retry: { at_most: 1, window: '1h', min_events: 5, severity: 'sev3' } } },
    'error: objectives::tool_call_retry: at_most 1 is always met: write a share below 1',
  ],
  [
    'incidents of which a single one is too many',
    { objectives: { incidents_per_run: { at_most: 0.001, window: '1h', min_events: 20, severity: 'sev3' } } },
    'warning: objectives::incidents_per_run::min_events: with 20 runs a single incident is more than at_most 0.001: write 1000 or more',
  ],
  [
    'a score that no evaluator gives',
    { objectives: { quality_score: { ...everyObjective['quality_score'], at_least: 1 } } },
    'error: objectives::quality_score: at_least 1 is never met',
  ],
  [
    'no objective',
    { objectives: { run_success: null } },
    'error: objectives: state nothing: state at least one',
  ],
  [
    'failures that are good',
    { good_outcomes: ['success', 'completed', 'failure'] },
    'error: good_outcomes: counts failed runs as good, so no objective on success means anything: remove failure',
  ],
  [
    'runs given up that are good',
    { good_outcomes: ['success', 'completed', 'abandoned'] },
    'warning: good_outcomes: counts runs that are abandoned as good',
  ],
  [
    'confirmed runs that are not good',
    { good_outcomes: ['completed'] },
    'error: good_outcomes: does not count as good what somebody confirmed',
  ],
  [
    'only confirmed runs are good, and nobody has to confirm',
    { good_outcomes: ['success'] },
    'warning: good_outcomes: every run that nobody confirms counts as bad',
  ],
  [
    'an owner who is nobody',
    { metadata: { owner: 'TBD' } },
    'error: metadata::owner: "TBD" is nobody: name who answers',
  ],
  [
    'a receiver that is nobody',
    { metadata: { on_call: 'none' } },
    'error: metadata::on_call: "none" is nobody',
  ],
  ['a risk of nobody', { risks: [{ ...risk, owner: 'todo' }] }, 'error: risks::0::owner: "todo" is nobody'],
  [
    'an overdue review',
    { risks: [{ ...risk, review_by: '2026-11-25' }] },
    'error: risks::0::review_by: the review of R-1 was due by 2026-11-25: let ana review it, and set the next day',
  ],
  [
    'a review that is due',
    { risks: [{ ...risk, review_by: '2026-11-26' }] },
    'warning: risks::0::review_by: the review of R-1 is due by 2026-11-26: let ana review it',
  ],
  ['two risks with one id', { risks: [risk, risk] }, 'error: risks::1::id: R-1 is there already'],
  [
    'a graver severity that waits longer',
    { severities: { sev3: { acknowledge_within: '10m' } } },
    'warning: severities::sev3::acknowledge_within: is to be acknowledged sooner than sev2, which is graver',
  ],
  [
    'a graver severity that does not page',
    { severities: { sev2: { page: false }, sev3: { page: true } } },
    'error: severities::sev3::page: pages, and sev2, which is graver, does not',
  ],
  [
    'a budget of nothing',
    { budgets: { run: { warn_at: 0.8, when_spent: 'deny' } } },
    'error: budgets::run: limits nothing',
  ],
  [
    'a gate that no test makes block',
    { gates: { canary }, tests: [{ ...blocked, verdict: 'pass' }] },
    'error: gates::canary: no test makes it block, so nobody knows that it can: add a test with gate: canary and verdict: fail',
  ],
  [
    'a test of a gate that it has not',
    { tests: [blocked] },
    'error: tests::0::gate: the policy has no gate canary',
  ],
  [
    'weights beyond 1',
    {
      gates: { canary: { ...canary, weights: { run_success: 0.6, run_escalation: 0.6 } } },
      tests: [blocked],
    },
    'error: gates::canary::weights: sum up to 1.2: let them sum up to 1',
  ],
  [
    'a pause after the rollback',
    { gates: { canary: { ...canary, pause_at: 200 } }, tests: [blocked] },
    'error: gates::canary::pause_at: is above rollback_at',
  ],
  [
    'a pause by chance',
    { gates: { canary: { ...canary, pause_at: 5 } }, tests: [blocked] },
    'warning: gates::canary::pause_at: a healthy release pauses with a chance of up to 1 in 5',
  ],
  [
    'a canary with all traffic',
    { gates: { canary: { ...canary, share: 1 } }, tests: [blocked] },
    'error: gates::canary::share: leaves one of the two releases without traffic',
  ],
  [
    'a canary that nothing tells apart',
    withCanary({ margin: 0 }),
    'error: gates::canary::margin: is not above the tolerance of 0, so a release that is tolerated never passes: raise it',
  ],
  [
    'a tolerance beyond the margin',
    withCanary({ tolerance: 0.05 }),
    'error: gates::canary::margin: is not above the tolerance of 0.05',
  ],
  [
    'a deadline that the decision does not wait for',
    withCanary({ deadline: '24h' }),
    'error: gates::canary::deadline: the time to decide, 24h, is over before a run must have ended: shorten it, or raise max',
  ],
  [
    'a tick beyond the deadline',
    withCanary({ tick: '16m' }),
    'error: gates::canary::tick: is longer than the deadline of 15m',
  ],
  [
    'a weight of nothing',
    withCanary({ weights: { run_success: 1, run_escalation: 0 } }),
    'error: gates::canary::weights::run_escalation: has no weight, so it decides nothing',
  ],
  [
    'a weight on scores of nobody',
    withCanary({ weights: { run_success: 0.5, quality_score: 0.5 } }),
    'error: gates::canary::weights::quality_score: nothing says whose scores: add objectives::quality_score',
  ],
  [
    'a weight on costs without a limit',
    withCanary({ weights: { run_success: 0.5, cost_usd_per_run: 0.5 } }),
    'error: gates::canary::weights::cost_usd_per_run: nothing says what is dear, so costs cannot be weighed: add objectives::cost_usd_per_run',
  ],
  [
    'a weight on durations without a limit',
    withCanary({ weights: { run_success: 0.5, run_duration: 0.5 } }),
    'error: gates::canary::weights::run_duration: nothing says what is slow, so durations cannot be weighed: add objectives::run_duration',
  ],
  [
    'a floor below the mean that the objective allows',
    {
      ...withCanary({ weights: { run_duration: 1 }, floor: { run_duration: 30 } }),
      objectives: { run_duration: { ...everyObjective['run_duration'], stat: 'mean' } },
    },
    'error: gates::canary::floor::run_duration: 30 is stricter than the objective of 60, so releases that meet the objective are rolled back: write 60 or more',
  ],
  [
    'a floor of durations that no run reaches',
    {
      ...withCanary({ weights: { run_duration: 1 }, floor: { run_duration: 900 } }),
      objectives: { run_duration: everyObjective['run_duration'] },
    },
    'error: gates::canary::floor::run_duration: no run counts as longer than the deadline of 15m, so it is never missed: write less than 900, or raise deadline',
  ],
  [
    'a floor without weight',
    withCanary({ floor: { run_escalation: 0.5 } }),
    'error: gates::canary::floor::run_escalation: has no weight, so nothing comes of it: add gates::canary::weights::run_escalation',
  ],
  [
    'a floor above the objective',
    withCanary({ floor: { run_success: 0.95 } }),
    'error: gates::canary::floor::run_success: 0.95 is stricter than the objective of 0.9, so releases that meet the objective are rolled back: write 0.9 or less',
  ],
  [
    'a floor below the objective of what is bad',
    {
      ...withCanary({ weights: { run_escalation: 1 }, floor: { run_escalation: 0.1 } }),
      objectives: { run_escalation: everyObjective['run_escalation'] },
    },
    'error: gates::canary::floor::run_escalation: 0.1 is stricter than the objective of 0.2, so releases that meet the objective are rolled back: write 0.2 or more',
  ],
  [
    'a floor that is never met',
    withCanary({ floor: { run_success: 1 } }),
    'error: gates::canary::floor::run_success: 1 is never met: write a share below 1',
  ],
  [
    'a time-out that asks for a rollback which there is not',
    withCanary({ on_timeout: 'rollback' }),
    'error: gates::canary::on_timeout: asks for a rollback, and the policy has none',
  ],
  [
    'a time-out that asks for a rollback which is off',
    { ...withCanary({ on_timeout: 'rollback' }), rollback: { ...rollback, mode: 'off' } },
    'error: gates::canary::on_timeout: asks for a rollback, and the policy has none',
  ],
  [
    'a staging where the canary is',
    {
      gates: { canary, staging: { min_runs: 50, at_least: { run_success: 0.8 } } },
      tests: [blocked, { ...blocked, name: 'staged', gate: 'staging' }],
    },
    'warning: gates::staging: the policy is about production alone, where the canary is, so staging has no runs of its own: add its environment to scope::environments',
  ],
  [
    'a staging that demands nothing',
    withStaging({}),
    'error: gates::staging: demands nothing: set at_least or at_most of a KPI',
  ],
  [
    'a staging that demands the wrong side',
    withStaging({ at_least: { run_escalation: 0.2 } }),
    'error: gates::staging::at_least::run_escalation: is no better for being more: write at_most::run_escalation',
  ],
  [
    'a staging that demands the other wrong side',
    withStaging({ at_most: { run_success: 0.9 } }),
    'error: gates::staging::at_most::run_success: is no worse for being more: write at_least::run_success',
  ],
  [
    'a staging that everything meets',
    withStaging({ at_least: { run_success: 0 } }),
    'error: gates::staging::at_least::run_success: 0 is always met',
  ],
  [
    'a staging that every share meets',
    withStaging({ at_most: { tool_call_retry: 1 } }),
    'error: gates::staging::at_most::tool_call_retry: 1 is always met: write a share below 1',
  ],
  [
    'a staging on scores of nobody',
    withStaging({ at_least: { quality_score: 0.7 } }),
    'error: gates::staging::quality_score: nothing says whose scores',
  ],
  [
    'a data set that is too small for the margin',
    withOffline({ min_cases: 188 }),
    'warning: gates::offline::min_cases: with 188 cases even a release that ends each of them alike may be worse by 0.02: write 189 or more, or a wider margin',
  ],
  [
    'a margin of nothing',
    withOffline({ margin: 0 }),
    'warning: gates::offline::margin: lets only a release pass that is surely better',
  ],
  [
    'a margin within which everything is',
    withOffline({ margin: 1 }),
    'error: gates::offline::margin: lets a release pass that is worse by 100 of 100 events: write 0.2 or less, such as 0.02',
  ],
  [
    'a canary whose margin is too wide',
    withCanary({ margin: 0.25 }),
    'error: gates::canary::margin: lets a release pass that is worse by 25 of 100 events: write 0.2 or less',
  ],
  ['a rollback that nothing calls for', { rollback }, 'error: rollback: nothing would call for it'],
  [
    'a rollback elsewhere that nothing calls for',
    { rollback: { ...rollback, mode: 'off', environments: { production: { mode: 'auto' } } } },
    'error: rollback: nothing would call for it',
  ],
  [
    'an approval elsewhere that nobody may give',
    withRollback({ environments: { production: { mode: 'approve' } } }),
    'error: rollback::environments::production::mode: wants an approval and nobody may give it',
  ],
  ...['global', 'sandbox/production/search-agent'].map((target): [string, Mapping, string] => [
    `a rollback of ${target}, which is no target`,
    withRollback({ target }),
    'error: rollback::target: is a name that no target of the configuration has: name another',
  ]),
  [
    'a rollback of no target in one environment',
    withRollback({ environments: { production: { target: 'sandbox/x' } } }),
    'error: rollback::environments::production::target: is a name that no target of the configuration has',
  ],
  [
    'a rollback in an environment of others',
    withRollback({ environments: { staging: { mode: 'off' } } }),
    'error: rollback::environments::staging: is none of the environments of the policy (production): correct its name, or add it to scope::environments',
  ],
  [
    'a rollback in a rehearsal',
    withRollback({ environments: { 'drill:production': { mode: 'off' } } }),
    'error: rollback::environments::drill:production: is a rehearsal, in which nothing real is done',
  ],
  [
    'a rollback that is verified by a quantile',
    {
      ...withRollback({ verify: { kpi: 'tool_call_duration', min_events: 20, within: '20m' } }),
      objectives: everyObjective,
    },
    'error: rollback::verify::kpi: tool_call_duration is a quantile, and those of several windows do not add up: write another KPI',
  ],
  [
    'a rollback that is verified by a quantile of runs',
    {
      ...withRollback({ verify: { kpi: 'run_duration', min_events: 20, within: '20m' } }),
      objectives: everyObjective,
    },
    'error: rollback::verify::kpi: run_duration is a quantile, and those of several windows do not add up: write stat: mean there, or another KPI here',
  ],
  [
    'a rollback of what several agents run',
    { ...withRollback({}), scope: { agents: ['search-agent', 'refund-agent'] } },
    'warning: rollback::target: is that of several agents (search-agent, refund-agent): a rollback of one of them changes what the others run',
  ],
  [
    'a rollback of what agents of one beginning run',
    { ...withRollback({}), scope: { agents: ['search-*'] } },
    'warning: rollback::target: is that of several agents (search-*)',
  ],
  [
    'a rollback verified by a KPI without objective',
    withRollback({ verify: { kpi: 'run_escalation', min_events: 20, within: '20m' } }),
    'error: rollback::verify::kpi: nothing says what run_escalation must be: add objectives::run_escalation',
  ],
  [
    'a rollback verified before runs have ended',
    withRollback({ verify: { kpi: 'run_success', min_events: 20, within: '5m' } }),
    'warning: rollback::verify::within: is shorter than the 15m that a run may take, so few runs have ended by then: write 15m or more',
  ],
  [
    'a drill of nothing',
    { drill: { every: '90d', scenario: 'tools-fail' } },
    'error: drill: rehearses a rollback, and the policy has none',
  ],
  [
    'a drill once a year',
    { ...withRollback({}), drill: { every: '365d', scenario: 'tools-fail' } },
    'warning: drill::every: 365d is less than once a quarter',
  ],
  [
    'a test of a data set without a baseline',
    { gates: { offline }, tests: [{ ...blocked, gate: 'offline' }] },
    'error: tests::0::baseline: is missing: name the release that it is compared with',
  ],
  [
    'a test of a release against itself',
    { gates: { canary }, tests: [{ ...blocked, baseline: '2' }] },
    'error: tests::0::baseline: is the release itself: name the one before',
  ],
  [
    'a test of a data set that expects what only canaries find',
    {
      gates: { offline },
      tests: [
        { ...blocked, gate: 'offline', baseline: '1' },
        { ...blocked, name: 'other', gate: 'offline', baseline: '1', verdict: 'environment' },
      ],
    },
    'error: tests::1::verdict: is only what canaries find: write pass, fail or inconclusive',
  ],
  [
    'two tests with one name',
    { gates: { canary }, tests: [blocked, blocked] },
    'error: tests::1::name: is there already',
  ],
  [
    'a rehearsal in the scope',
    { scope: { environments: ['production', 'drill:staging'] } },
    'error: scope::environments::1: drill:staging is a rehearsal, which is covered as the environment that it means: remove it',
  ],
  [
    'an approval that nobody may give',
    { gates: { canary }, tests: [blocked], rollback: { ...rollback, mode: 'approve' } },
    'error: rollback::mode: wants an approval and nobody may give it: list metadata::approvers',
  ],
  [
    'the name of the pipeline',
    { metadata: { name: 'plimsoll-pipeline' } },
    'error: metadata::name: plimsoll-pipeline names the rules of the pipeline itself',
  ],
])('%s is found', (_, changes, start) => {
  const lines = found(changes);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(start);
});

test('the file of a test is looked for as seen from the policy, where somebody can look', () => {
  const file = policyFile({ gates: { canary }, tests: [blocked] }, 'policies/search.yaml');
  const asked: string[] = [];
  const findings = findingsOf([file], today, {
    fixtureFaults: (...names) => {
      asked.push(names.join(' '));
      return undefined;
    },
  });
  expect(asked).toEqual(['policies/search.yaml bad.json canary']);
  expect(findings.get(file)).toEqual([
    {
      level: 'error',
      path: 'tests::0::fixture',
      sentence: 'there is no file bad.json, as seen from the policy: add it, or correct the path',
    },
  ]);
});

const other = (agents: readonly string[], environments = ['production']): PolicyFile =>
  policyFile({ metadata: { name: 'other' }, scope: { agents, environments } }, 'other.yaml');

describe('two policies', () => {
  test('may not claim the same agent in the same environment, whether by name or by its beginning', () => {
    const line =
      'error: scope: claims search-agent in production, which other.yaml claims as search-*: let one policy alone decide about an agent in an environment';
    expect(found({}, other(['a', 'search-*']))).toEqual([line]);
    expect(found({}, other(['search-agent']))).toHaveLength(1);
    expect(found({}, other(['search-agent'], ['prod*']))).toHaveLength(1);
    expect(found({}, other(['search-agents'], ['*']))).toEqual([]);
    expect(found({}, other(['search-agent'], ['staging']))).toEqual([]);
  });

  test('may hardly have the same target', () => {
    const second = (target: string): PolicyFile =>
      policyFile(
        {
          ...withRollback({ environments: { production: { target } } }),
          metadata: { name: 'other' },
          scope: { agents: ['other'] },
        },
        'other.yaml',
      );
    expect(found(withRollback({ target: 'shared' }), second('shared'))).toEqual([
      'warning: rollback::target: shared is that of the agents of other.yaml, too: a rollback of one of them changes what the others run: name a target for each agent that is released on its own',
    ]);
    expect(found(withRollback({ target: 'own' }), second('another'))).toEqual([]);
    expect(found({}, second('t'))).toEqual([]);
  });

  test('may not have the same name', () => {
    expect(found({}, policyFile({ scope: { agents: ['other'] } }, 'other.yaml'))).toEqual([
      'error: metadata::name: search-agent is the name of other.yaml, too: give one of them another name',
    ]);
  });
});

const fits = ([start, open]: readonly [string, boolean], name: string): boolean =>
  open ? name.startsWith(start) : name === start;

test('patterns overlap when, and only when, some name fits both', () => {
  const letter = fc.constantFrom('a', 'b');
  const pattern = fc.tuple(fc.string({ unit: letter, maxLength: 3 }), fc.boolean());
  const names = [['']];
  for (let length = 1; length <= 4; length++)
    names.push((names[length - 1] ?? []).flatMap((name) => [`${name}a`, `${name}b`]));
  fc.assert(
    fc.property(pattern, pattern, (a, b) => {
      const [x = '', y = ''] = [a, b].map(([start, open]) => (open ? `${start}*` : start));
      expect(overlaps(x, y)).toBe(names.flat().some((name) => fits(a, name) && fits(b, name)));
    }),
    { numRuns: runs },
  );
});
