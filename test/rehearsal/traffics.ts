import { stringify } from 'yaml';
import { loadConfig } from '../../src/config.ts';
import { planOf } from '../../src/plan.ts';
import { Replay } from '../../src/rehearsal/replay.ts';
import { trafficRequests } from '../../src/rehearsal/traffic-requests.ts';
import { readTraffic, type Traffic } from '../../src/rehearsal/traffic.ts';
import type { PolicyFile } from '../../src/policy/read-policy.ts';

/** Twenty minutes of a healthy release. */
export const plainTraffic = {
  agent: 'refund-agent',
  environment: 'production',
  minutes: 20,
  seed: 7,
  releases: [{ release: '1.4.0', runs_per_minute: 30 }],
};

/** `plainTraffic` with `changes`. */
export function trafficOf(changes: object = {}): Traffic {
  const read = readTraffic(stringify({ ...plainTraffic, ...changes }));
  if ('faults' in read) throw new Error(read.faults.join('\n'));
  return read.traffic;
}

/** When traffic of tests begins. */
export const startMs = Date.UTC(2026, 10, 26, 12);

const plan = planOf(loadConfig([new URL('../../config/plimsoll.yaml', import.meta.url).pathname]));

/** What a laptop's pipeline makes of `traffic` under `policies`, `laterMinutes` after the last run began. */
export function replayed(traffic: Traffic, policies: readonly PolicyFile[] = [], laterMinutes = 10): Replay {
  const { assess } = plan;
  if (!assess) throw new Error('the configuration of a laptop assesses');
  const replay = new Replay({ plan, assess, policies }, startMs);
  for (const request of trafficRequests(traffic, startMs)) replay.take(request);
  replay.advance(startMs + (traffic.minutes + laterMinutes) * 60_000);
  return replay;
}
