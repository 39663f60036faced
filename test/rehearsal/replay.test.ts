import { expect, test } from 'vitest';
import type { Family } from '../../src/kpi/family.ts';
import { policyFile } from '../policy/policies.ts';
import { replayed, startMs, trafficOf } from './traffics.ts';

/** The value of a KPI of a release over the longest window. */
function valueOf(families: readonly Family[], name: string, release: string): number | undefined {
  const family = families.find((one) => one.name === name);
  const wanted = new Map([
    ['release', release],
    ['window', '24h'],
  ]);
  return family?.samples.find(({ labels }) =>
    [...wanted].every(([key, value]) => labels.some(([k, v]) => k === key && v === value)),
  )?.value;
}

const minuteOf = (ms: number | undefined) => (ms! - startMs) / 60_000;

const familiesWith = (tool_failure: number) =>
  replayed(
    trafficOf({ minutes: 10, releases: [{ release: 'a', runs_per_minute: 30, tool_failure }] }),
  ).families();

test('the KPIs of a replay are those that the traffic describes', () => {
  const releases = [
    { release: 'good', runs_per_minute: 60, escalation: 0.1, cost_usd: 0.01 },
    { release: 'bad', runs_per_minute: 60, tool_failure: 0.2, gives_up: 1, hang: 0.1 },
  ];
  const families = replayed(trafficOf({ minutes: 60, releases })).families();
  const kpi = (name: string, release: string) => valueOf(families, `plimsoll_kpi_${name}`, release);
  expect(kpi('run_success_ratio', 'good')).toBe(1);
  expect(Math.abs(kpi('run_escalation_ratio', 'good')! - 0.1)).toBeLessThan(0.02);
  expect(Math.abs(kpi('cost_usd_per_run', 'good')! - 0.01)).toBeLessThan(0.001);
  expect(Math.abs(kpi('tool_call_success_ratio', 'bad')! - 0.8)).toBeLessThan(0.02);
  // A tenth hangs; of the others 0.8 cubed see all three tools answer.
  expect(Math.abs(kpi('run_success_ratio', 'bad')! - 0.9 * 0.512)).toBeLessThan(0.05);
});

test('the same traffic replayed gives the same, and with another chance it does not', () => {
  expect(familiesWith(0.2)).toEqual(familiesWith(0.2));
  expect(familiesWith(0.2)).not.toEqual(familiesWith(0.3));
});

test('an objective that the traffic misses opens an incident when its events show it, and time alone resolves it', () => {
  const policy = policyFile({
    scope: { agents: ['refund-agent'] },
    objectives: {
      run_success: null,
      cost_usd_per_run: { at_most: 0.005, window: '5m', min_events: 30, severity: 'sev3' },
    },
  });
  const outage = { from: 20, until: 30, cost_usd: 0.02 };
  const traffic = trafficOf({ minutes: 60, outage });
  const [incident, ...others] = replayed(traffic, [policy]).incidents;
  expect(others).toEqual([]);
  expect(incident).toMatchObject({ agent: 'refund-agent', release: '1.4.0', severity: 'sev3' });
  expect(minuteOf(incident?.detectedMs)).toBeGreaterThan(20);
  expect(minuteOf(incident?.detectedMs)).toBeLessThan(30);
  expect(minuteOf(incident?.resolvedMs)).toBeGreaterThan(30);
  expect([...replayed(trafficOf({ minutes: 60 }), [policy]).incidents]).toEqual([]);
});
