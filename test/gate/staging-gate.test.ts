import { expect, test } from 'vitest';
import { judgeStaging } from '../../src/gate/staging-gate.ts';

const rules = {
  minRuns: 50,
  demands: [
    { kpi: 'run_success', side: 'at_least', bound: 0.85, minEvents: 50 },
    { kpi: 'cost_usd_per_run', side: 'at_most', bound: 0.01, minEvents: 50 },
  ],
} as const;
const judged = (runs: number, values: Readonly<Record<string, number>>, events = runs) =>
  judgeStaging(
    { runs, kpis: new Map(Object.entries(values).map(([kpi, value]) => [kpi, { value, events }])) },
    rules,
  );

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
  ['by one run that was priced, however dear', judged(50, { run_success: 1, cost_usd_per_run: 9 }, 1)],
  ['where nothing is demanded', judgeStaging({ runs: 99, kpis: new Map() }, { minRuns: 1, demands: [] })],
])('nobody can tell %s', (_, { verdict }) => {
  expect(verdict).toBe('inconclusive');
});

test('a KPI with too few events of its own neither passes nor fails, and the reason says so', () => {
  const few = {
    verdict: 'inconclusive',
    reason:
      'too little is known of run_success (49 events, 50 are asked for), cost_usd_per_run (49 events, 50 are asked for), over 60 runs',
  };
  expect(judged(60, { run_success: 1, cost_usd_per_run: 0.001 }, 49)).toEqual(few);
  expect(judged(60, { run_success: 0, cost_usd_per_run: 9 }, 49)).toEqual(few);
});
