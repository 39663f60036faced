import type { Incident } from '../../src/incidents/incident.ts';
import type { Standing } from '../../src/judge/standing.ts';
import type { Family } from '../../src/kpi/family.ts';
import { figuresIn } from '../../src/page/figures.ts';
import type { Assessed, Moment, ShownRollback } from '../../src/page/moment.ts';
import { amounts } from '../../src/page/tile-table.ts';
import { amountSeries, evidenceSeries } from '../../src/page/trend-series.ts';
import { Trends } from '../../src/page/trends.ts';

export const noon = Date.UTC(2026, 10, 26, 12);
export const windows = ['5m', '1h'];

/** A canary of the agent `refund` that does badly. */
export const standing: Standing = {
  agent: 'refund',
  environment: 'production',
  release: '1.5.0',
  policy: 'refund-agent',
  revision: 'aaaaaaaaaaaa',
  baseline: '1.4.0',
  verdict: 'fail',
  action: 'rollback',
  isRunning: true,
  reason: 'run_success is worse than that of 1.4.0',
  startedMs: noon - 600_000,
  decidedMs: noon - 60_000,
  starts: 1,
  units: { candidate: { open: 2, settled: 20 }, baseline: { open: 3, settled: 180 } },
  tests: [
    { kpi: 'run_success', test: 'not_worse', logEvidence: -3.25, passAt: 4.6 },
    { kpi: 'run_success', test: 'floor', logEvidence: 0.5, rollbackAt: 5.3 },
    { kpi: 'run_success', test: 'worse', logEvidence: 4.987_654_321, pauseAt: 3, rollbackAt: 4.6 },
  ],
  splitDispersion: undefined,
  splitLogEvidence: 0,
};

export const incident: Incident = {
  id: 'incident-1',
  key: 'policy/refund-agent/run_success',
  source: 'policy',
  policy: 'refund-agent',
  revision: 'aaaaaaaaaaaa',
  kpi: 'run_success',
  agent: 'refund',
  release: '1.5.0',
  environment: 'production',
  severity: 'sev2',
  owner: 'payments',
  title: 'refund: run_success is too low',
  summary: '60 % of 20 runs',
  startedMs: noon - 300_000,
  detectedMs: noon - 290_000,
  acknowledgedMs: undefined,
  mitigatedMs: undefined,
  resolvedMs: undefined,
  resolution: undefined,
  repeats: 0,
  version: 1,
};

export const rollback: ShownRollback = {
  id: 'rollback-1',
  state: 'awaiting_approval',
  agent: 'refund',
  environment: 'production',
  from: '1.5.0',
  to: '1.4.0',
  reason: 'run_success is worse than that of 1.4.0',
  outcome: '',
  requestedMs: noon - 60_000,
  approval: { expiresMs: noon + 840_000, approvals: 2 },
  approvedBy: ['ada'],
  plan: { mode: 'approve', approvers: ['ada', 'grace'] },
  isOver: false,
  doneMs: undefined,
  refusedUntilMs: undefined,
  review: undefined,
};

/** What is assessed where nothing is. */
export function assessedOf(families: readonly Family[], over: Partial<Assessed> = {}): Assessed {
  return {
    figures: figuresIn(families),
    standings: [],
    incidents: [],
    rollbacks: { attempts: [], stopReason: undefined, fault: undefined },
    trends: new Trends({ width: windows.length * amounts.length, limit: 1001 }),
    evidence: new Trends({ width: 1, limit: 100 }),
    objectiveOf: () => null,
    hasPolicies: true,
    ...over,
  };
}

/** The same with a point of the trends at each of `timesMs`. */
export function withTrends(assessed: Assessed, timesMs: readonly number[]): Assessed {
  for (const timeMs of timesMs) {
    assessed.trends.add(timeMs, amountSeries(assessed.figures, windows));
    assessed.evidence.add(timeMs, evidenceSeries(assessed.standings));
  }
  return assessed;
}

export function momentOf(assessed: Assessed | undefined): Moment {
  return { atMs: noon, version: '0.0.0', windows, assessed, flow: [] };
}
