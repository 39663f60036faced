import type { Standing } from '../judge/standing.ts';
import type { Plan } from '../plan.ts';
import { durationSeconds } from '../policy/policy-values.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { covers } from '../policy/scope.ts';
import { Replay, type Turn } from './replay.ts';
import { trafficEndMs, trafficRequests } from './traffic-requests.ts';
import type { Traffic } from './traffic.ts';

/** Traffic of tests begins then, so that the same files always give the same: 2026-01-01. */
const startMs = 1_767_225_600_000;
const minuteMs = 60_000;

/** What a gate said of a fixture. */
export interface Finding {
  /** Undefined where it could not say anything. */
  readonly verdict: Standing['verdict'] | undefined;
  /** For people: when, of what and why, or why nothing could be said. */
  readonly found: string;
}

/** What the judge says of `release` in the end, and since when, as far as `traffic` is judged by the policy in `file`. */
export function canaryFinding(
  file: PolicyFile,
  { release, baseline }: { readonly release: string; readonly baseline: string | undefined },
  traffic: Traffic,
  parts: { readonly plan: Plan; readonly assess: NonNullable<Plan['assess']> },
): Finding {
  const { agent, environment, releases } = traffic;
  if (!covers(file.policy.scope, agent, environment))
    return unsaid(`the fixture is of ${agent} in ${environment}, which is not in the scope of the policy`);
  for (const name of [release, ...(baseline === undefined ? [] : [baseline])])
    if (releases.every((one) => one.release !== name))
      return unsaid(
        `the fixture has no release ${name}: it has ${releases.map((one) => one.release).join(', ')}`,
      );
  const last = replayed(file, traffic, parts).courseOf(release).at(-1);
  if (!last) return unsaid(`nothing was judged: ${release} got no runs, or too few`);
  if (baseline !== undefined && last.standing.baseline !== baseline)
    return unsaid(`${release} was compared with ${last.standing.baseline ?? 'no release'}, not ${baseline}`);
  return { verdict: last.standing.verdict, found: turnText(last) };
}

/** All of `traffic` under the policy in `file`, and what comes of it when nothing more arrives: all runs have ended. */
export function replayed(
  file: PolicyFile,
  traffic: Traffic,
  parts: { readonly plan: Plan; readonly assess: NonNullable<Plan['assess']> },
): Replay {
  const replay = new Replay({ ...parts, policies: [file] }, startMs);
  for (const request of trafficRequests(traffic, startMs)) replay.take(request);
  const deadlineSeconds = durationSeconds(file.policy.gates?.canary?.deadline ?? '1m');
  replay.advance(trafficEndMs(traffic, startMs) + 1000 * deadlineSeconds + 5 * minuteMs);
  return replay;
}

/** A finding that nothing could be said, and why. */
export function unsaid(found: string): Finding {
  return { verdict: undefined, found };
}

/** A turn in a few words: `fail after 6 min, 31 units: run_success is worse than that of 1.4.0: …`. */
function turnText({ timeMs, standing: { verdict, startedMs, units, reason } }: Turn): string {
  const minutes = Math.max(0, Math.round((timeMs - startedMs) / minuteMs));
  return `${verdict} after ${minutes} min, ${units.candidate.settled} units: ${reason}`;
}
