import { expect, test } from 'vitest';
import { offlineRulesOf, stagingRulesOf } from '../../src/policy/gate-rules.ts';
import type { MetricFamily } from '../../src/policy/kpi-figures.ts';
import { stagingFiguresOf } from '../../src/policy/staging-figures.ts';
import { everyObjective, policyFile } from './policies.ts';

const file = policyFile({
  objectives: everyObjective,
  gates: {
    offline: { dataset: 'refunds-7', min_cases: 200, margin: 0.02 },
    staging: {
      min_runs: 50,
      at_most: {
        tool_call_duration: 3,
        run_duration: 60,
        incidents_per_run: 0.01,
        run_escalation: 0.2,
        cost_usd_per_run: 0.01,
      },
      at_least: { run_success: 0.85, quality_score: 0.7, tool_call_success: 0.9 },
    },
  },
});

test('gates ask for what the policy says', () => {
  expect(offlineRulesOf(file)).toEqual({
    dataset: 'refunds-7',
    minCases: 200,
    margin: 0.02,
    goodOutcomes: ['success', 'completed'],
  });
  expect(stagingRulesOf(file)).toEqual({
    minRuns: 50,
    demands: [
      { kpi: 'run_success', side: 'at_least', bound: 0.85, minEvents: 50 },
      { kpi: 'run_escalation', side: 'at_most', bound: 0.2, minEvents: 50 },
      { kpi: 'run_duration', side: 'at_most', bound: 60, minEvents: 50 },
      { kpi: 'incidents_per_run', side: 'at_most', bound: 0.01, minEvents: 50 },
      { kpi: 'quality_score', side: 'at_least', bound: 0.7, minEvents: 50 },
      { kpi: 'cost_usd_per_run', side: 'at_most', bound: 0.01, minEvents: 50 },
      { kpi: 'tool_call_success', side: 'at_least', bound: 0.9, minEvents: 200 },
      { kpi: 'tool_call_duration', side: 'at_most', bound: 3, minEvents: 20 },
    ],
  });
  expect(offlineRulesOf(policyFile())).toBeUndefined();
  expect(stagingRulesOf(policyFile())).toBeUndefined();
});

const release = { agent: 'search-agent', release: '2', environment: 'staging' };

function gauge(name: string, value: number, labels: Readonly<Record<string, string>>): MetricFamily {
  const samples = [{ labels: Object.entries({ ...release, window: '24h', ...labels }), value }];
  return { name: `plimsoll_kpi_${name}`, samples };
}

function shareOf(
  kpi: string,
  [numerator, denominator]: readonly [number, number],
  labels: Readonly<Record<string, string>> = {},
): readonly MetricFamily[] {
  return [gauge(`${kpi}_numerator`, numerator, labels), gauge(`${kpi}_denominator`, denominator, labels)];
}

test('figures are those of the release over the longest window, of all tools, of the evaluator, of the slowest tool that was called often enough, each with its events', () => {
  const { runs, kpis } = stagingFiguresOf(file, release, [
    ...shareOf('run_success', [90, 100]),
    ...shareOf('run_success', [1, 10], { window: '5m' }),
    ...shareOf('run_success', [1, 10], { window: '90s' }),
    ...shareOf('run_success', [0, 500], { release: '1' }),
    ...shareOf('run_success', [0, 500], { environment: 'production' }),
    ...shareOf('tool_call_success', [90, 100], { tool: 'a' }),
    ...shareOf('tool_call_success', [10, 100], { tool: 'b' }),
    ...shareOf('quality_score', [40, 50], { evaluator: 'Answer "relevance" (v2)*' }),
    ...shareOf('quality_score', [0, 50], { evaluator: 'another' }),
    ...shareOf('run_escalation', [0, 0]),
    ...shareOf('incidents_per_run', [1, 100]),
    ...shareOf('run_duration', [3000, 100]),
    gauge('run_duration_seconds', 30, { stat: 'mean' }),
    gauge('run_duration_seconds', 75, { stat: 'p95' }),
    gauge('tool_call_duration_seconds', 2, { tool: 'a', stat: 'p95' }),
    gauge('tool_call_duration_denominator', 100, { tool: 'a' }),
    gauge('tool_call_duration_denominator', 100, { tool: 'b' }),
    gauge('tool_call_duration_denominator', 1, { tool: 'seldom' }),
    gauge('tool_call_duration_seconds', 60, { tool: 'seldom', stat: 'p95' }),
    gauge('tool_call_duration_seconds', 4, { tool: 'b', stat: 'p95' }),
    gauge('tool_call_duration_seconds', 9, { tool: 'b', stat: 'p99' }),
  ]);
  expect(runs).toBe(100);
  expect(Object.fromEntries(kpis)).toEqual({
    run_success: { value: 0.9, events: 100 },
    tool_call_success: { value: 0.5, events: 200 },
    run_duration: { value: 75, events: 100 },
    incidents_per_run: { value: 0.01, events: 100 },
    quality_score: { value: 0.8, events: 50 },
    tool_call_duration: { value: 4, events: 100 },
  });
});

test('of a release that nobody saw there are no figures', () => {
  expect(stagingFiguresOf(file, release, [])).toEqual({ runs: 0, kpis: new Map() });
});

test('where no tool was called often enough the slowest of them says of how few calls', () => {
  const { kpis } = stagingFiguresOf(file, release, [
    gauge('tool_call_duration_denominator', 3, { tool: 'a' }),
    gauge('tool_call_duration_seconds', 2, { tool: 'a', stat: 'p95' }),
    gauge('tool_call_duration_denominator', 1, { tool: 'b' }),
    gauge('tool_call_duration_seconds', 4, { tool: 'b', stat: 'p95' }),
  ]);
  expect(kpis.get('tool_call_duration')).toEqual({ value: 4, events: 1 });
});
