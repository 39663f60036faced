import { canaryRulesOf } from '../policy/canary-rules.ts';
import type { JudgedKpi } from '../policy/gate-schema.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { exampleOf } from '../policy/scope.ts';
import type { Behaviour, Traffic } from './traffic.ts';

/** The releases of a drill. */
export interface DrillReleases {
  /** Gets most of the traffic, and is what is gone back to. */
  readonly baseline: string;
  /** A healthy canary: nothing may happen to it. */
  readonly good: string;
  /** A canary that does what the scenario says. */
  readonly bad: string;
}

/** One way in which a release may go wrong. */
interface Scenario {
  readonly summary: string;
  /** Whether it is to be rolled back; what every release suffers at once is not. */
  readonly isReleasesFault: boolean;
  /** KPIs in which it shows, of which the policy must judge one. */
  readonly shownBy: readonly JudgedKpi[];
  /** How runs go then, where they went so before. */
  readonly change: (healthy: Behaviour) => Partial<Behaviour>;
}

const toolsFail: Partial<Behaviour> = { tool_failure: 0.3, gives_up: 0.6 };

/** What each scenario is, by its name. */
export const knownScenarios: ReadonlyMap<string, Scenario> = new Map(
  Object.entries<Scenario>({
    'tools-fail-30-percent': {
      summary: 'the tools of the new release fail in three of ten calls',
      isReleasesFault: true,
      shownBy: ['run_success', 'tool_call_success', 'tool_call_attempt_success'],
      change: () => toolsFail,
    },
    'runs-hang': {
      summary: 'three of ten runs of the new release never end',
      isReleasesFault: true,
      shownBy: ['run_success'],
      change: () => ({ hang: 0.3 }),
    },
    'escalations-double': {
      summary: 'the new release asks a human twice as often',
      isReleasesFault: true,
      shownBy: ['run_escalation', 'run_containment'],
      change: ({ escalation }) => ({ escalation: Math.min(1, 2 * escalation) }),
    },
    outage: {
      summary: 'the tools of all releases fail for a while',
      isReleasesFault: false,
      shownBy: ['run_success', 'tool_call_success', 'tool_call_attempt_success'],
      change: () => toolsFail,
    },
  }),
);

/** How a drill is run. */
export interface DrillSettings {
  /** Names the drill; releases are named after it. */
  readonly id: string;
  /** The label of the environment. */
  readonly environment: string;
  readonly seed: number;
  /** Runs of each canary in a minute. */
  readonly runsPerMinute: number;
  /** In ticks of the policy: how long the baseline is alone, and for how long runs begin. */
  readonly leadTicks: number;
  readonly ticks: number;
  /** How long a run takes. */
  readonly seconds: number;
  readonly exportSeconds: number;
}

/** An outage begins so many ticks after the canaries, and lasts so many. */
const outageTicks = { after: 5, for: 15 };

/** The releases of the drill `id`. */
export function releasesOf(id: string): DrillReleases {
  return { baseline: `drill-${id}-baseline`, good: `drill-${id}-good`, bad: `drill-${id}-bad` };
}

/**
 * The traffic of a drill of `scenario` under the policy in `file`, for its first agent:
 * a baseline that is well within the objectives, and after some minutes two canaries, one just as well and one that does
 * what the scenario says, with the share of the traffic that the gate expects.
 */
export function drillTraffic(file: PolicyFile, scenario: Scenario, settings: DrillSettings): Traffic {
  const { id, environment, seed, runsPerMinute, leadTicks, ticks, seconds, exportSeconds } = settings;
  const { scope, gates } = file.policy;
  const share = gates?.canary?.share ?? 0.5;
  const tick = tickMsOf(file) / 60_000;
  const from = leadTicks * tick;
  const outageFrom = from + outageTicks.after * tick;
  const releases = releasesOf(id);
  const healthy: Behaviour = { ...healthyUnder(file), runs_per_minute: runsPerMinute, seconds };
  const changed = scenario.change(healthy);
  return {
    agent: exampleOf(scope.agents),
    environment,
    minutes: ticks * tick,
    seed,
    tools: ['get_order', 'check_policy', 'issue_refund'],
    runs_per_session: 1,
    export_seconds: exportSeconds,
    releases: [
      { ...healthy, release: releases.baseline, runs_per_minute: (runsPerMinute * (1 - share)) / share },
      { ...healthy, release: releases.good, from },
      {
        ...healthy,
        ...(scenario.isReleasesFault && changed),
        release: releases.bad,
        from,
      },
    ],
    ...(!scenario.isReleasesFault && {
      outage: { ...changed, from: outageFrom, until: outageFrom + outageTicks.for * tick },
    }),
  };
}

/** The environment that is rehearsed under the policy in `file`: its first. */
export function rehearsedEnvironment({ policy }: PolicyFile): string {
  return exampleOf(policy.scope.environments);
}

/** How often evidence is taken under the policy in `file`. */
export function tickMsOf(file: PolicyFile): number {
  return canaryRulesOf(file)?.tickMs ?? 60_000;
}

/** Runs that miss no objective of the policy: bad in a quarter, and escalated in half, of what it allows. */
function healthyUnder({
  policy: { objectives },
}: PolicyFile): Omit<Behaviour, 'runs_per_minute' | 'seconds'> {
  const { run_success: success, run_escalation: escalation, tool_call_success: calls } = objectives;
  const { cost_usd_per_run: cost } = objectives;
  return {
    tool_failure: calls ? (1 - calls.at_least) / 4 : 0.02,
    gives_up: 0.3,
    retry: 0,
    run_failure: success ? (1 - success.at_least) / 4 : 0.02,
    escalation: escalation ? escalation.at_most / 2 : 0.05,
    hang: 0,
    cost_usd: cost ? cost.at_most / 2 : 0.002,
  };
}

/** Why `scenario` shows nothing under the policy in `file`, as a sentence; undefined when it does show. */
export function unseenBy(file: PolicyFile, name: string, { shownBy }: Scenario): string | undefined {
  const canary = file.policy.gates?.canary;
  if (!canary) return `${file.file}: has no gates::canary, so no release is judged: add it`;
  if (shownBy.some((kpi) => (canary.weights[kpi] ?? 0) > 0)) return undefined;
  return `${file.file}: gates::canary::weights: ${name} shows in ${shownBy.join(' and ')}, which have no weight: give one some, or drill another scenario`;
}
