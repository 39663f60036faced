import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { runKpis, scoreKpis, toolKpis } from '../../src/kpi/kpi-table.ts';
import { kpiMetrics } from '../../src/policy/kpi-metrics.ts';
import { policyJsonSchema } from '../../src/policy/policy-schema.ts';
import { readPolicy } from '../../src/policy/read-policy.ts';
import { runs } from '../property-runs.ts';
import { canary, changed, everyObjective, found, plain, policyFile, type Mapping } from './policies.ts';

test('the published JSON Schema is that of the policies that are read (else: plimsoll policy schema)', () => {
  const published = readFileSync(
    new URL('../../config/policies/policy.schema.json', import.meta.url),
    'utf8',
  );
  expect(JSON.parse(published)).toEqual(JSON.parse(policyJsonSchema()));
});

test('objectives may name only KPIs that the pipeline exports, in their units', () => {
  const exported = [...runKpis, ...scoreKpis, ...toolKpis].map(({ stem, unit }) => [
    stem.replace('plimsoll_kpi_', ''),
    unit,
  ]);
  const named = Object.entries(kpiMetrics).map(([kpi, { unit }]) => [kpi, unit]);
  expect(Object.fromEntries(exported)).toMatchObject(Object.fromEntries(named));
  expect(Object.keys(everyObjective).toSorted()).toEqual(Object.keys(kpiMetrics).toSorted());
});

test.each<[string, Mapping, string]>([
  [
    'a misspelt key',
    { metadata: { ownr: 'x' } },
    'metadata: unknown key ownr: remove it or correct its spelling; known are name, version, owner, ',
  ],
  [
    'an unknown part',
    { budget: {} },
    'the policy: unknown key budget: remove it or correct its spelling; known are apiVersion, kind, ',
  ],
  [
    'an unknown KPI',
    { objectives: { run_sucess: {} } },
    'objectives: unknown KPI run_sucess: remove it or correct its spelling; known are run_success, ',
  ],
  ['no owner', { metadata: { owner: null } }, 'metadata::owner: is missing: name the team that answers'],
  ['no receiver', { metadata: { on_call: null } }, 'metadata::on_call: is missing: name the receiver'],
  [
    'an owner that needs quotes',
    { metadata: { owner: 'the "A" team' } },
    'metadata::owner: must be letters, digits',
  ],
  ['a number for a name', { metadata: { owner: 7 } }, 'metadata::owner: must be text: name the team'],
  [
    'a version between two',
    { metadata: { version: 1.5 } },
    'metadata::version: must be a whole number from 1 to 1000000',
  ],
  ['another kind', { kind: 'SLO' }, 'kind: must be ReliabilityPolicy'],
  ['no kind', { kind: null }, 'kind: is missing: write ReliabilityPolicy'],
  [
    'a success of 92',
    { objectives: { run_success: { at_least: 92 } } },
    'objectives::run_success::at_least: is a share from 0 to 1: write 0.92',
  ],
  [
    'text for a number',
    { objectives: { run_success: { at_least: 'most' } } },
    'objectives::run_success::at_least: must be a number from 0 to 1',
  ],
  [
    'a bound on the wrong side',
    { objectives: { run_success: { at_most: 0.9 } } },
    'objectives::run_success: run_success takes at_least, not at_most',
  ],
  [
    'a share in percent',
    { objectives: { run_escalation: { ...everyObjective['run_escalation'], at_most: '12.5 %' } } },
    'objectives::run_escalation::at_most: is a share from 0 to 1: write 0.125',
  ],
  [
    'a share of 200',
    { objectives: { run_success: { at_least: 200 } } },
    'objectives::run_success::at_least: must be a number from 0 to 1',
  ],
  [
    'a window beside a period',
    { objectives: { run_success: { window: '1h' } } },
    'objectives::run_success: run_success takes a period, not window',
  ],
  [
    'a period beside a window',
    { objectives: { tool_call_retry: { ...everyObjective['tool_call_retry'], period: '30d' } } },
    'objectives::tool_call_retry: tool_call_retry takes a window, not period',
  ],
  [
    'a misspelt key of an objective',
    { objectives: { run_success: { burnrates: [] } } },
    'objectives::run_success: unknown key burnrates: remove it or correct its spelling; known are at_least, period, min_events, severity, slow_severity, burn_rates',
  ],
  [
    'a misspelt key in a list',
    {
      objectives: {
        run_success: {
          burn_rates: [{ factor: 2, long_window: '1h', short_window: '5m', severity: 'sev2', faktor: 2 }],
        },
      },
    },
    'objectives::run_success::burn_rates::0: unknown key faktor: remove it or correct its spelling; known are factor, ',
  ],
  [
    'a number of minutes',
    { severities: { sev2: { page: true, acknowledge_within: 15 } } },
    'severities::sev2::acknowledge_within: must be a duration of 1s or more',
  ],
  [
    'a tick of no whole second',
    { gates: { canary: { ...canary, tick: '1ms' } } },
    'gates::canary::tick: must be a duration of 1s or more, a whole number up to 99999 and its unit, such as 30s',
  ],
  [
    'as much evidence as nothing',
    { gates: { canary: { ...canary, pause_at: 0.5 } } },
    'gates::canary::pause_at: must be a number of 1 or more',
  ],
  [
    'evidence in words',
    { gates: { canary: { ...canary, rollback_at: 'much' } } },
    'gates::canary::rollback_at: must be a number of 1 or more',
  ],
  [
    'a likelihood of nothing',
    {
      risks: [
        {
          id: 'R-1',
          statement: 'x',
          likelihood: 0,
          impact: 1,
          owner: 'x',
          mitigation: 'x',
          review_by: '2027-01-31',
        },
      ],
    },
    'risks::0::likelihood: must be a whole number from 1 to 5',
  ],
  [
    'no duration',
    { severities: { sev2: { page: true, acknowledge_within: null } } },
    'severities::sev2::acknowledge_within: is missing: write a duration such as 30d',
  ],
  [
    'no minimum of events',
    { objectives: { run_success: { min_events: null } } },
    'objectives::run_success::min_events: is missing: set it',
  ],
  [
    'a cost of nothing',
    { objectives: { cost_usd_per_run: { at_most: 0, window: '1h', min_events: 5, severity: 'sev3' } } },
    'objectives::cost_usd_per_run::at_most: must be a number above 0',
  ],
  [
    'a cost in quotes',
    { objectives: { cost_usd_per_run: { at_most: '0.005', window: '1h', min_events: 5, severity: 'sev3' } } },
    'objectives::cost_usd_per_run::at_most: must be a number above 0',
  ],
  [
    'a score of nobody',
    { objectives: { quality_score: { at_least: 0.8, window: '1h', min_events: 5, severity: 'sev3' } } },
    'objectives::quality_score::evaluator: is missing: name the evaluator',
  ],
  [
    'a template for an evaluator',
    { objectives: { quality_score: { ...everyObjective['quality_score'], evaluator: '{{ .X }}' } } },
    'objectives::quality_score::evaluator: must be the name of an evaluator, without braces',
  ],
  [
    'a duration in words',
    { objectives: { run_success: { period: 'a month' } } },
    'objectives::run_success::period: must be a duration of 1s or more',
  ],
  [
    'a severity of its own',
    { objectives: { run_success: { severity: 'P1' } } },
    'objectives::run_success::severity: must be one of sev1, sev2, sev3, sev4',
  ],
  [
    'an outcome that there is not',
    { good_outcomes: ['ok'] },
    'good_outcomes::0: must be one of success, completed, failure',
  ],
  ['nothing good', { good_outcomes: [] }, 'good_outcomes: must list 1 or more'],
  [
    'a * in the middle',
    { scope: { agents: ['a*b'] } },
    'scope::agents::0: must be the name of an agent, or its beginning and *',
  ],
  [
    'a day that there is not',
    {
      risks: [
        {
          id: 'R-1',
          statement: 's',
          likelihood: 1,
          impact: 1,
          owner: 'o',
          mitigation: 'm',
          review_by: '2027-02-30',
        },
      ],
    },
    'risks::0::review_by: must be a day such as 2027-01-31',
  ],
  [
    'a template in an address',
    { metadata: { runbook_url: 'https://x/{{ .X }}' } },
    'metadata::runbook_url: must be a URL',
  ],
])('%s is an error that names the path and the fix', (_, changes, start) => {
  const lines = found(changes);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`error: ${start}`);
});

test('text that is no YAML is told with line and column, and so is a key that is there twice', () => {
  for (const text of ['kind: [', 'kind: a\nkind: b\n'])
    expect(readPolicy('x.yaml', text)).toEqual({
      findings: [
        {
          level: 'error',
          path: expect.stringMatching(/^\d+:\d+$/),
          sentence: expect.stringContaining('not valid YAML'),
        },
      ],
    });
  expect(readPolicy('x.yaml', 'kind: *elsewhere\n')).toEqual({
    findings: [
      {
        level: 'error',
        path: 'the policy',
        sentence: expect.stringMatching(/^not valid YAML: Unresolved alias .*: correct the alias$/),
      },
    ],
  });
  expect(readPolicy('x.yaml', '')).toEqual({
    findings: [{ level: 'error', path: 'the policy', sentence: 'must be a mapping' }],
  });
});

const shipped = readFileSync(new URL('../../config/policies/refund-agent.yaml', import.meta.url), 'utf8');

/** `value` with the keys of every mapping in another order. */
function shuffled(value: unknown, order: (key: string) => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, order));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => order(a) - order(b))
      .map(([key, item]) => [key, shuffled(item, order)]),
  );
}

const revisionOf = (text: string): string => {
  const result = readPolicy('x.yaml', text);
  return 'read' in result ? result.read.revision : JSON.stringify(result);
};

test('the revision of a policy is the same whatever the order of its keys, its comments and its style', () => {
  const base = readPolicy('x.yaml', shipped);
  const policy = 'read' in base ? base.read.policy : undefined;
  fc.assert(
    fc.property(fc.func(fc.integer()), fc.boolean(), (order, flow) => {
      const text = stringify(shuffled(policy, order), { collectionStyle: flow ? 'flow' : 'block' });
      expect(revisionOf(`# a comment\n${text}`)).toBe(revisionOf(shipped));
    }),
    { numRuns: runs / 10 },
  );
});

test('any change of a value changes the revision', () => {
  const changes: readonly Mapping[] = [
    { metadata: { version: 4 } },
    { metadata: { owner: 'team-find' } },
    { objectives: { run_success: { at_least: 0.91 } } },
    { good_outcomes: ['completed', 'success'] },
    { scope: { environments: ['production', 'staging'] } },
    { review: { rate: 0.1 } },
  ];
  const revisions = [{}, ...changes].map((change) => policyFile(change).revision);
  expect(new Set(revisions).size).toBe(revisions.length);
  for (const revision of revisions) expect(revision).toMatch(/^[0-9a-f]{12}$/);
});

test('a policy with everything in it is read, and one with an objective on every KPI', () => {
  expect(readPolicy('x.yaml', shipped)).toHaveProperty('read');
  expect(readPolicy('x.yaml', stringify(changed(plain, { objectives: everyObjective })))).toHaveProperty(
    'read',
  );
});
