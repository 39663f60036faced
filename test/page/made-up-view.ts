import type { AgentLine, FlowStage, LiveView, ReleaseLine, Tile } from '../../src/page/live-view.ts';

const minuteMs = 60_000;
const points = 120;

/** A number from 0 to 1 that is the same every time. */
function noise(seed: number): number {
  const value = Math.sin(seed * 12.9898) * 43_758.5453;
  return value - Math.floor(value);
}

function trend(seed: number, level: number, fall: number, spread: number): readonly number[] {
  return Array.from({ length: points }, (_, i) => {
    const fallen = fall * Math.max(0, (i - 80) / 40);
    return level - fallen + spread * (noise(seed + i) - 0.5) + spread * Math.sin((i + seed) / 9);
  });
}

function tile(about: Omit<Tile, 'trend' | 'numerator'>, fall = 0, spread = 0.02): Tile {
  const value = about.value ?? 0;
  const scale = about.unit === 'ratio' ? 1 : Math.max(value, 0.0001);
  return {
    ...about,
    numerator: value * about.denominator,
    trend: trend(about.kpi.length, value + fall * scale, fall * scale, spread * scale),
  };
}

const tiles: readonly Tile[] = [
  tile({ kpi: 'run_success', title: 'Success', unit: 'ratio', better: 'higher', value: 0.843, denominator: 4128, counted: 'runs', objective: 0.9 }, 0.09), // prettier-ignore
  tile({ kpi: 'run_escalation', title: 'Escalated', unit: 'ratio', better: 'lower', value: 0.081, denominator: 4128, counted: 'runs', objective: 0.1 }, -0.02), // prettier-ignore
  tile({ kpi: 'cost_per_run', title: 'Cost per run', unit: 'USD', better: 'lower', value: 0.0123, denominator: 4128, counted: 'runs', objective: 0.05 }, 0, 0.06), // prettier-ignore
  tile({ kpi: 'cost_per_success', title: 'Cost per success', unit: 'USD', better: 'lower', value: 0.0146, denominator: 3480, counted: 'successes', objective: null }, -0.1, 0.06), // prettier-ignore
  tile({ kpi: 'tool_call_success', title: 'Tool calls that succeed', unit: 'ratio', better: 'higher', value: 0.912, denominator: 12_408, counted: 'calls', objective: null }, 0.06), // prettier-ignore
  tile({ kpi: 'run_duration', title: 'Duration, p95', unit: 'seconds', better: 'lower', value: 12.4, denominator: 4128, counted: 'runs', objective: null }, 0, 0.08), // prettier-ignore
  tile({ kpi: 'incidents_per_run', title: 'Incidents per run', unit: 'incidents', better: 'lower', value: 0.0005, denominator: 4128, counted: 'runs', objective: null }), // prettier-ignore
  tile({ kpi: 'evidence_coverage', title: 'Outcomes that somebody confirmed', unit: 'ratio', better: 'higher', value: 0.236, denominator: 4128, counted: 'runs', objective: null }), // prettier-ignore
];

const judgedRelease = (atMs: number): ReleaseLine => ({
  release: '1.5.0-rc1',
  runs: 384,
  success: 0.612,
  escalation: 0.164,
  costUsdPerRun: 0.0181,
  durationP95Seconds: 19.8,
  judged: {
    baseline: '1.4.0',
    verdict: 'fail',
    action: 'rollback',
    reason:
      'run_success is worse than that of 1.4.0: evidence 2,040 now, 100 is enough to roll back; 384 runs against 1204',
    isRunning: atMs > 0,
    rolledBackMs: null,
    units: 384,
    baselineUnits: 1204,
    tests: [
      { kpi: 'run_success', test: 'worse', logEvidence: 7.62, pauseAt: 3, rollbackAt: 4.6, passAt: null },
      { kpi: 'run_success', test: 'floor', logEvidence: 0.9, pauseAt: 3.7, rollbackAt: 5.3, passAt: null },
      {
        kpi: 'tool_call_success',
        test: 'worse',
        logEvidence: 3.4,
        pauseAt: 3,
        rollbackAt: 6.2,
        passAt: null,
      },
      {
        kpi: 'run_success',
        test: 'not_worse',
        logEvidence: -3,
        pauseAt: null,
        rollbackAt: null,
        passAt: 4.6,
      },
    ],
    evidenceTest: { kpi: 'run_success', test: 'worse', rollbackAt: 4.6 },
    evidenceTrend: Array.from({ length: points }, (_, i) =>
      i < 40 ? null : Math.max(-0.6, (i - 55) / 7.5) + 0.3 * noise(i),
    ),
  },
});

const oldRelease: ReleaseLine = {
  release: '1.4.0',
  runs: 1204,
  success: 0.934,
  escalation: 0.058,
  costUsdPerRun: 0.0119,
  durationP95Seconds: 11.2,
  judged: null,
};

const fewRelease: ReleaseLine = {
  release: '1.3.9-hotfix',
  runs: 7,
  success: 0.857,
  escalation: 0,
  costUsdPerRun: 0.0121,
  durationP95Seconds: 10.9,
  judged: null,
};

const firstAgents: readonly AgentLine[] = [
  { agent: 'refund-agent', environment: 'production', runs: 1595, success: 0.854, escalation: 0.083, costUsdPerRun: 0.0134, releases: 3, openIncidents: 2, verdict: 'fail' }, // prettier-ignore
  { agent: 'billing-copilot', environment: 'production', runs: 1411, success: 0.931, escalation: 0.062, costUsdPerRun: 0.0098, releases: 2, openIncidents: 0, verdict: 'inconclusive' }, // prettier-ignore
  { agent: 'triage-agent', environment: 'staging', runs: 12, success: 0.75, escalation: 0.25, costUsdPerRun: 0.0402, releases: 1, openIncidents: 0, verdict: null }, // prettier-ignore
];

function manyAgents(count: number): readonly AgentLine[] {
  return Array.from({ length: count }, (_, i) => ({
    agent: `agent-${String(i).padStart(3, '0')}`,
    environment: i % 5 === 0 ? 'staging' : 'production',
    runs: Math.round(4 + 900 * noise(i)),
    success: 0.6 + 0.4 * (i / count),
    escalation: 0.2 * noise(i + 7),
    costUsdPerRun: 0.002 + 0.05 * noise(i + 3),
    releases: 1 + (i % 3),
    openIncidents: i < 4 ? 1 : 0,
    verdict: i < 4 ? 'fail' : i % 2 === 0 ? 'pass' : null,
  }));
}

const flow: readonly FlowStage[] = [
  {
    stage: 'received',
    total: 1_284_233,
    perSecond: 412.4,
    backlog: { amount: 0, unit: 'requests' },
    fault: null,
  },
  { stage: 'refused', total: 14, perSecond: 0, backlog: null, fault: null },
  { stage: 'on the stream', total: 1_284_219, perSecond: 412.1, backlog: null, fault: null },
  {
    stage: 'stored',
    total: 1_283_980,
    perSecond: 409.8,
    backlog: { amount: 239, unit: 'spans' },
    fault: null,
  },
  {
    stage: 'assessed',
    total: 1_284_201,
    perSecond: 411.9,
    backlog: { amount: 18, unit: 'spans' },
    fault: null,
  },
  { stage: 'dead letters', total: 3, perSecond: 0, backlog: null, fault: null },
];

/** A view that no pipeline made: a bad release of `refund-agent`, whose rollback waits for approval, among `count` agents. */
export function madeUpView(count: number, over: Partial<LiveView> = {}): LiveView {
  const atMs = Date.UTC(2026, 10, 3, 14, 3);
  return {
    atMs,
    isActive: true,
    version: '0.1.0',
    windows: ['5m', '1h', '24h'],
    window: '1h',
    isComplete: true,
    hasPolicies: true,
    chosen: null,
    trendTimesMs: Array.from({ length: points }, (_, i) => atMs - (points - 1 - i) * 30_000),
    tiles,
    agents: count === 3 ? firstAgents : manyAgents(count),
    releases: [],
    escalations: [
      { reason: 'approval', runs: 181 },
      { reason: 'human_handoff', runs: 96 },
      { reason: 'guardrail', runs: 41 },
      { reason: 'budget', runs: 12 },
      { reason: 'other', runs: 4 },
    ],
    incidents: [
      { id: 'i3', severity: 'sev1', state: 'open', agent: 'refund-agent', release: '1.5.0-rc1', environment: 'production', title: 'run_success of refund-agent 1.5.0-rc1 is below 90 %', startedMs: atMs - 6 * minuteMs, resolvedMs: null }, // prettier-ignore
      { id: 'i2', severity: 'sev3', state: 'acknowledged', agent: 'refund-agent', release: '1.5.0-rc1', environment: 'production', title: 'issue_refund answers with errors', startedMs: atMs - 21 * minuteMs, resolvedMs: null }, // prettier-ignore
      { id: 'i1', severity: 'sev2', state: 'resolved', agent: 'billing-copilot', release: '2.0.1', environment: 'production', title: 'cost_per_run of billing-copilot is above $0.05', startedMs: atMs - 190 * minuteMs, resolvedMs: atMs - 150 * minuteMs }, // prettier-ignore
    ],
    rollbacks: [
      { id: 'r2', state: 'awaiting_approval', mode: 'approve', agent: 'refund-agent', environment: 'production', fromRelease: '1.5.0-rc1', toRelease: '1.4.0', reason: 'run_success is worse than that of 1.4.0: evidence 2,040 now, 100 is enough to roll back', outcome: '', requestedMs: atMs - 3 * minuteMs, approvalExpiresMs: atMs + 12 * minuteMs, refusedUntilMs: null, approvals: 1, approvedBy: [], approvers: ['ana', 'ben'], isOver: false, review: null }, // prettier-ignore
      { id: 'r1', state: 'done', mode: 'auto', agent: 'billing-copilot', environment: 'production', fromRelease: '2.0.2', toRelease: '2.0.1', reason: 'run_success is worse than the policy ever allows', outcome: 'verified: 97 of 100 runs succeed', requestedMs: atMs - 26 * 60 * minuteMs, approvalExpiresMs: null, refusedUntilMs: null, approvals: null, approvedBy: [], approvers: [], isOver: true, review: null }, // prettier-ignore
    ],
    rollbacksStopped: null,
    flow,
    ...over,
  };
}

/** What the same pipeline shows of `agent` in `environment`: the releases of `all`, or, where it has none, some. */
export function viewOfAgent(all: LiveView, agent: string, environment: string): LiveView {
  return {
    ...all,
    chosen: { agent, environment },
    releases: all.releases.length > 0 ? all.releases : [judgedRelease(all.atMs), oldRelease, fewRelease],
    incidents: all.incidents.filter((each) => each.agent === agent),
    rollbacks: all.rollbacks.filter((each) => each.agent === agent),
  };
}
