import { expect, test } from 'vitest';
import { judgeStaging } from '../../src/gate/staging-gate.ts';

const rules = {
  minRuns: 50,
  demands: [
    { kpi: 'run_success', side: 'at_least', bound: 0.85 },
    { kpi: 'cost_usd_per_run', side: 'at_most', bound: 0.01 },
  ],
} as const;
const judged = (runs: number, values: Readonly<Record<string, number>>, asked = rules) =>
  judgeStaging({ runs, values: new Map(Object.entries(values)) }, asked);

test('a release passes staging when every KPI is as demanded', () => {
  expect(judged(50, { run_success: 0.85, cost_usd_per_run: 0.01 })).toEqual({
    verdict: 'pass',
    reason: 'run_success 0.85, cost_usd_per_run 0.01, over 50 runs',
  });
});

test('it fails when one is not, whatever is unknown of others', () => {
  expect(judged(60, { run_success: 0.8499 })).toEqual({
    verdict: 'fail',
    reason: 'run_success is 0.8499 and must be at least 0.85, over 60 runs',
  });
  expect(judged(60, { run_success: 0.9, cost_usd_per_run: 0.02 }).verdict).toBe('fail');
});

test.each([
  ['with too few runs, however bad', judged(49, { run_success: 0, cost_usd_per_run: 9 })],
  ['while a KPI has no figure', judged(50, { run_success: 1 })],
  ['of a figure that is no number', judged(50, { run_success: 1, cost_usd_per_run: Number.NaN })],
  ['where nothing is demanded', judgeStaging({ runs: 99, values: new Map() }, { minRuns: 1, demands: [] })],
])('nobody can tell %s', (_, { verdict }) => {
  expect(verdict).toBe('inconclusive');
});
