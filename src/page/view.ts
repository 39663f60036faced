import { stateOf, type Incident } from '../incidents/incident.ts';
import type { Standing } from '../judge/standing.ts';
import { labelValue } from '../semconv/label-value.ts';
import { isRehearsal } from '../semconv/rehearsal.ts';
import { agentLines } from './agent-lines.ts';
import { noAmounts, noFigures, placeKey, type PlaceFigures, type WindowFigures } from './figures.ts';
import type { IncidentLine, LiveView, RollbackLine, Tile } from './live-view.ts';
import type { Assessed, Choice, Moment, Place, ShownRollback } from './moment.ts';
import { releaseLines } from './release-lines.ts';
import { rolledBackIn } from './rolled-back.ts';
import { rounded } from './rounded.ts';
import { amounts, quotient, tileKinds } from './tile-table.ts';
import { everywhere } from './trend-series.ts';

/** So many incidents and rollbacks are shown. */
const limitShown = 20;

const nothing: WindowFigures = {
  isComplete: false,
  places: new Map(),
  sums: noAmounts(),
};

/** What the page shows of `moment` to who chose `choice`. Pure: the same moment and choice give the same view. */
export function viewOf(moment: Moment, choice: Choice): LiveView {
  const { atMs, version, windows, assessed, flow } = moment;
  const common = { atMs, version, windows, window: choice.window, chosen: choice.place, flow };
  if (!assessed) return { ...common, ...idle };
  const figures = assessed.figures.get(choice.window) ?? nothing;
  const chosen = choice.place && chosenOf(choice.place, figures);
  const shown = chosen ? [chosen] : [...figures.places.values()].filter(isReal);
  const rolledBackMs = rolledBackIn(assessed.rollbacks.attempts, atMs);
  return {
    ...common,
    isActive: true,
    isComplete: figures.isComplete,
    hasPolicies: assessed.hasPolicies,
    trendTimesMs: assessed.trends.timesMs,
    tiles: tilesOf(moment.windows, assessed, choice, { figures, shown }),
    agents: agentLines(figures, assessed.standings, assessed.incidents, rolledBackMs),
    releases: chosen
      ? releaseLines(chosen, standingsAt(chosen, assessed.standings), assessed.evidence, rolledBackMs)
      : [],
    escalations: escalationsOf(shown),
    incidents: incidentsShown(assessed.incidents, choice.place).map(incidentLine),
    rollbacks: rollbacksShown(assessed.rollbacks.attempts, choice.place).map(rollbackLine),
    rollbacksStopped: assessed.rollbacks.fault ?? assessed.rollbacks.stopReason ?? null,
  };
}

/** What a process that stands by shows beside its flow. */
const idle = {
  isActive: false,
  isComplete: false,
  hasPolicies: false,
  trendTimesMs: [],
  tiles: [],
  agents: [],
  releases: [],
  escalations: [],
  incidents: [],
  rollbacks: [],
  rollbacksStopped: null,
} as const;

function chosenOf({ agent, environment }: Place, { places }: WindowFigures): PlaceFigures {
  return places.get(placeKey(agent, environment)) ?? noFigures(agent, environment);
}

function isReal({ environment }: Place): boolean {
  return !isRehearsal(environment);
}

/** Tiles of `shown`, which are one place, or all that are no rehearsals. */
function tilesOf(
  windows: readonly string[],
  { trends, objectiveOf }: Assessed,
  { window, place }: Choice,
  { figures, shown }: { readonly figures: WindowFigures; readonly shown: readonly PlaceFigures[] },
): readonly Tile[] {
  const key = place ? placeKey(place.agent, place.environment) : everywhere;
  const sums = place ? (shown[0]?.sums ?? nothing.sums) : figures.sums;
  const from = windows.indexOf(window) * amounts.length;
  return tileKinds.map((kind, index) => ({
    ...kind,
    value: quotient(sums, 2 * index),
    numerator: sums[2 * index]!,
    denominator: sums[2 * index + 1]!,
    objective: objectiveOf(kind.kpi, shown),
    trend: trends.of(key, (values) => rounded(quotient(values, from + 2 * index))),
  }));
}

function standingsAt(
  { agent, environment }: Place,
  standings: readonly Standing[],
): ReadonlyMap<string, Standing> {
  return new Map(
    standings
      .filter((each) => labelValue(each.agent) === agent && labelValue(each.environment) === environment)
      .map((each) => [labelValue(each.release), each]),
  );
}

function escalationsOf(shown: readonly PlaceFigures[]): LiveView['escalations'] {
  const runs = new Map<string, number>();
  for (const { releases } of shown)
    for (const { escalations } of releases)
      for (const [reason, count] of escalations) runs.set(reason, (runs.get(reason) ?? 0) + count);
  return [...runs]
    .map(([reason, count]) => ({ reason, runs: count }))
    .toSorted((a, b) => b.runs - a.runs || a.reason.localeCompare(b.reason));
}

function incidentsShown(all: readonly Incident[], place: Place | null): readonly Incident[] {
  return all
    .filter(isAt(place))
    .toSorted(
      (a, b) =>
        Number(stateOf(a) === 'resolved') - Number(stateOf(b) === 'resolved') || b.startedMs - a.startedMs,
    )
    .slice(0, limitShown);
}

function rollbacksShown(all: readonly ShownRollback[], place: Place | null): readonly ShownRollback[] {
  return all
    .filter(isAt(place))
    .toSorted((a, b) => Number(isWaiting(b)) - Number(isWaiting(a)) || b.requestedMs - a.requestedMs)
    .slice(0, limitShown);
}

function isWaiting({ state }: ShownRollback): boolean {
  return state === 'awaiting_approval';
}

/** Whether something is of `place`, where that is one. */
function isAt(place: Place | null): (each: Place) => boolean {
  return ({ agent, environment }) =>
    !place || (labelValue(agent) === place.agent && labelValue(environment) === place.environment);
}

function incidentLine(incident: Incident): IncidentLine {
  const { id, severity, agent, release, environment, title, startedMs, resolvedMs } = incident;
  const state = stateOf(incident);
  return {
    id,
    severity,
    state,
    agent,
    release,
    environment,
    title,
    startedMs,
    resolvedMs: resolvedMs ?? null,
  };
}

function rollbackLine(attempt: ShownRollback): RollbackLine {
  const { id, state, agent, environment, from, to, reason, outcome, requestedMs, approval, plan } = attempt;
  const { approvedBy, isOver, review, refusedUntilMs } = attempt;
  return {
    id,
    state,
    mode: plan.mode,
    agent,
    environment,
    fromRelease: from,
    toRelease: to === '' ? null : to,
    reason,
    outcome,
    requestedMs,
    approvalExpiresMs: isWaiting(attempt) ? (approval?.expiresMs ?? null) : null,
    refusedUntilMs: refusedUntilMs ?? null,
    approvals: approval?.approvals ?? null,
    approvedBy,
    approvers: plan.approvers,
    isOver,
    review: review ?? null,
  };
}
