import { stringify } from 'yaml';
import { readPolicy, type PolicyFile } from '../policy/read-policy.ts';
import { canaryOf } from './demo-fleet.ts';

/** The share of the runs that the demo gives to its canary. */
export const canaryShare = 0.2;

/** The name of the deployment of the demo among the targets of the executor. */
export const demoTarget = 'demo-deployment';

/** The policy of the demo: like one for production, but that it decides within seconds and acts by itself. */
const policy = {
  apiVersion: 'plimsoll/v1',
  kind: 'ReliabilityPolicy',
  metadata: { name: canaryOf.agent, version: 1, owner: 'demo-team', on_call: 'demo-on-call' },
  scope: { agents: [canaryOf.agent], environments: [canaryOf.environment] },
  good_outcomes: ['success', 'completed'],
  objectives: {
    run_success: { at_least: 0.8, period: '30d', min_events: 150, severity: 'sev2' },
    tool_call_success: { at_least: 0.9, period: '30d', min_events: 150, severity: 'sev3' },
  },
  severities: {
    sev2: { page: true, acknowledge_within: '30m' },
    sev3: { page: false, acknowledge_within: '4h' },
  },
  gates: {
    canary: {
      share: canaryShare,
      unit: 'run',
      deadline: '30s',
      min_runs: 20,
      weights: { run_success: 0.6, tool_call_success: 0.4 },
      margin: 0.05,
      pause_at: 20,
      rollback_at: 100,
      max: '1h',
      on_timeout: 'pause',
      tick: '2s',
    },
  },
  rollback: {
    mode: 'auto',
    target: demoTarget,
    cooldown: '1m',
    per_day: 3,
    verify: { kpi: 'run_success', min_events: 20, within: '2m' },
  },
  tests: [
    {
      name: 'the canary of the demo is rolled back',
      gate: 'canary',
      fixture: 'demo.traffic.yaml',
      release: canaryOf.canary,
      verdict: 'fail',
    },
  ],
};

/** The policy of the demo, to be written to `file`. */
export function demoPolicy(file: string): { readonly text: string; readonly read: PolicyFile } {
  const text = stringify(policy);
  const result = readPolicy(file, text);
  if ('read' in result) return { text, read: result.read };
  throw new Error(result.findings.map(({ path, sentence }) => `${path}: ${sentence}`).join('; '));
}
