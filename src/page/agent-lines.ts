import { stateOf, type Incident } from '../incidents/incident.ts';
import type { Standing } from '../judge/standing.ts';
import { labelValue } from '../semconv/label-value.ts';
import { noFigures, placeKey, type PlaceFigures, type WindowFigures } from './figures.ts';
import type { AgentLine } from './live-view.ts';
import type { RolledBackMs } from './rolled-back.ts';
import { rounded } from './rounded.ts';
import { placeOf, quotient } from './tile-table.ts';
import { gravity } from './verdict-gravity.ts';

/** So many agents are shown. */
const limitAgents = 1000;

/**
 * All agents of a window, and those that are judged or have open incidents before a run of theirs ended, the worst
 * first: by verdict, then by open incidents, then by success.
 */
export function agentLines(
  { places }: WindowFigures,
  standings: readonly Standing[],
  incidents: readonly Incident[],
  rolledBackMs: RolledBackMs,
): readonly AgentLine[] {
  const all = new Map(places);
  const seen = (agent: string, environment: string): string => {
    const key = placeKey(agent, environment);
    if (!all.has(key)) all.set(key, noFigures(agent, environment));
    return key;
  };
  const verdicts = new Map<string, AgentLine['verdict']>();
  for (const standing of standings) {
    const { agent, environment, isRunning } = standing;
    if (!isRunning) continue;
    const verdict = rolledBackMs(standing) === null ? standing.verdict : 'rolled_back';
    const key = seen(labelValue(agent), labelValue(environment));
    if (gravity(verdict) > gravity(verdicts.get(key) ?? null)) verdicts.set(key, verdict);
  }
  const open = new Map<string, number>();
  for (const incident of incidents) {
    if (stateOf(incident) === 'resolved') continue;
    const key = seen(incident.agent, incident.environment);
    open.set(key, (open.get(key) ?? 0) + 1);
  }
  return [...all]
    .map(([key, place]) => lineOf(place, verdicts.get(key) ?? null, open.get(key) ?? 0))
    .toSorted(worstFirst)
    .slice(0, limitAgents);
}

function lineOf(
  { agent, environment, sums, releases }: PlaceFigures,
  verdict: AgentLine['verdict'],
  openIncidents: number,
): AgentLine {
  const runsAt = placeOf('run_success') + 1;
  return {
    agent,
    environment,
    runs: sums[runsAt]!,
    success: rounded(quotient(sums, placeOf('run_success'))),
    escalation: rounded(quotient(sums, placeOf('run_escalation'))),
    costUsdPerRun: rounded(quotient(sums, placeOf('cost_usd_per_run'))),
    releases: releases.filter((each) => each.sums[runsAt]! > 0).length,
    openIncidents,
    verdict,
  };
}

function worstFirst(a: AgentLine, b: AgentLine): number {
  return (
    Number(gravity(b.verdict) >= gravity('environment')) * gravity(b.verdict) -
      Number(gravity(a.verdict) >= gravity('environment')) * gravity(a.verdict) ||
    b.openIncidents - a.openIncidents ||
    (a.success ?? 2) - (b.success ?? 2) ||
    b.runs - a.runs ||
    a.agent.localeCompare(b.agent) ||
    a.environment.localeCompare(b.environment)
  );
}
