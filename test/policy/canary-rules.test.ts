import { expect, test } from 'vitest';
import { canaryRulesOf } from '../../src/policy/canary-rules.ts';
import { Coverage } from '../../src/policy/coverage.ts';
import { canary, everyObjective, policyFile } from './policies.ts';

const kpi = (name: string, reference: number | undefined, most: number | undefined, more = {}) => ({
  kpi: name,
  weight: 0.1,
  reference,
  floor: most,
  ...more,
});

test('a canary is judged by what its gate says, in the units of the judge', () => {
  const file = policyFile({ gates: { canary } });
  const { kpis: _, ...rules } = canaryRulesOf(file)!;
  expect(rules).toEqual({
    policy: 'search-agent',
    revision: file.revision,
    share: 0.1,
    unit: 'run',
    deadlineMs: 900_000,
    tickMs: 60_000,
    minRuns: 20,
    margin: 0.05,
    tolerance: 0,
    pauseAt: 20,
    rollbackAt: 100,
    maxMs: 86_400_000,
    onTimeout: 'pause',
    goodOutcomes: ['success', 'completed'],
  });
  const more = { tick: '10s', tolerance: 0.01 };
  expect(canaryRulesOf(policyFile({ gates: { canary: { ...canary, ...more } } }))).toMatchObject({
    tickMs: 10_000,
    tolerance: 0.01,
  });
});

test('of every KPI the share of bad counts, whichever way it is stated, and of costs and durations the amount', () => {
  const weights = {
    run_success: 0.1,
    run_escalation: 0.1,
    run_containment: 0.1,
    outcome_evidence: 0.1,
    run_duration: 0.1,
    quality_score: 0.1,
    cost_usd_per_run: 0.1,
    review_cost_usd_per_run: 0.1,
    tool_call_success: 0.1,
    tool_call_attempt_success: 0.1,
    tool_call_retry: 0.1,
  };
  const floor = {
    run_success: 0.6,
    run_escalation: 0.4,
    quality_score: 0.5,
    cost_usd_per_run: 0.2,
    run_duration: 90,
    tool_call_retry: 0.45,
  };
  const rules = canaryRulesOf(
    policyFile({ objectives: everyObjective, gates: { canary: { ...canary, weights, floor } } }),
  );
  expect(rules?.kpis).toEqual([
    kpi('run_success', 0.1, 0.4),
    kpi('run_escalation', 0.2, 0.4),
    kpi('run_containment', 0.3, undefined),
    kpi('outcome_evidence', 0.2, undefined),
    kpi('run_duration', undefined, 90, { limit: 60 }),
    kpi('quality_score', 0.2, 0.5, { evaluator: 'Answer "relevance" (v2)*' }),
    kpi('cost_usd_per_run', 0.05, 0.2, { limit: 0.05 }),
    kpi('review_cost_usd_per_run', 0.5, undefined, { limit: 0.5 }),
    kpi('tool_call_success', 0.005, undefined),
    kpi('tool_call_attempt_success', 0.05, undefined),
    kpi('tool_call_retry', 0.2, 0.45),
  ]);
});

test('only an objective on the mean says what the mean of durations may be', () => {
  const weights = { run_duration: 1 };
  const of = (stat: string) =>
    canaryRulesOf(
      policyFile({
        objectives: { run_duration: { ...everyObjective['run_duration'], stat } },
        gates: { canary: { ...canary, weights } },
      }),
    )?.kpis[0];
  expect(of('mean')).toMatchObject({ reference: 60, limit: 60 });
  for (const stat of ['p50', 'p95', 'p99'])
    expect(of(stat)).toMatchObject({ reference: undefined, limit: 60 });
});

test('a KPI without an objective has no reference, and one without weight decides nothing', () => {
  const weights = { run_success: 0, run_escalation: 0.5, cost_usd_per_run: 0.5 };
  expect(canaryRulesOf(policyFile({ gates: { canary: { ...canary, weights } } }))?.kpis).toEqual([
    { kpi: 'run_escalation', weight: 0.5, reference: undefined, floor: undefined },
    { kpi: 'cost_usd_per_run', weight: 0.5, reference: undefined, floor: undefined },
  ]);
});

test('without a gate for canaries, and of an agent that no policy covers, there are no rules', () => {
  expect(canaryRulesOf(policyFile())).toBeUndefined();
  const file = policyFile({ gates: { canary } });
  const coverage = new Coverage([file]);
  expect(coverage.canaryRules('search-agent', 'production')).toEqual(canaryRulesOf(file));
  expect(coverage.canaryRules('search-agent', 'drill:production')).toEqual(canaryRulesOf(file));
  expect(coverage.canaryRules('search-agent', 'staging')).toBeUndefined();
});
