import type { Side } from './blocks.ts';
import type { CanaryRules } from './canary-rules.ts';
import type { Deployment } from './deployment.ts';
import type { Figures } from './figures.ts';
import type { Pair } from './pair.ts';
import type { Tally } from './tally.ts';

/** A run of which the judge waits for something. */
export interface Run {
  readonly slot: number;
  home: Deployment;
  /** Stream time at which it was first seen. */
  readonly firstMs: number;
  release: string;
  /** Of its session or user; '' where it is a unit of its own. */
  unitId: string;
  /** The other release that it said when its tick was closed, and when; its own where it moved to another deployment. */
  late: { readonly release: string; readonly timeMs: number } | undefined;
  /** When it ended, in stream time; Infinity while it has not. */
  endedMs: number;
  figures: Figures | undefined;
  isFailed: boolean;
  /** How long it took, in milliseconds, where it was first seen when it ended; else undefined. */
  tookMs: number | undefined;
  /** When an evaluator spoke; Infinity while none has. */
  scoredMs: number;
  /** From the end of the tick it joined. */
  unit: Unit | undefined;
  /** Runs that are part of this one, as came out after they joined: they end as it does. */
  readonly absorbed: Run[];
}

/** Where a unit is counted. */
interface Place {
  readonly pair: Pair;
  readonly side: Side;
  readonly tally: Tally;
}

/** What the router keeps together, in one release: a run, or the runs of a session or user in its first hour. */
export interface Unit {
  readonly release: string;
  readonly id: string;
  readonly firstMs: number;
  /** Runs that are first seen from then on are ignored. */
  untilMs: number;
  open: number;
  isSettled: boolean;
  /** For each KPI of the rules, the sum of what its runs showed, and how many did. */
  readonly sums: number[];
  readonly counts: number[];
  readonly places: Place[];
}

const windowMs = 3_600_000;
/** A session ends when no run of it begins for so long. */
const idleMs = 1_800_000;

export function newUnit(rules: CanaryRules, run: Run): Unit {
  return {
    release: run.release,
    id: run.unitId,
    firstMs: run.firstMs,
    untilMs: run.firstMs,
    open: 0,
    isSettled: false,
    sums: rules.kpis.map(() => 0),
    counts: rules.kpis.map(() => 0),
    places: [],
  };
}

/** Makes `run` one of the unit's. */
export function addRun(rules: CanaryRules, unit: Unit, run: Run): void {
  run.unit = unit;
  unit.open++;
  if (unit.id === '') return;
  const lastMs = unit.firstMs + windowMs;
  unit.untilMs =
    rules.unit === 'session' ? Math.min(lastMs, Math.max(unit.untilMs, run.firstMs + idleMs)) : lastMs;
}

/** Adds what a run of the unit showed. */
export function addFigures(unit: Unit, figures: Figures): void {
  for (const [kpi, figure] of figures.entries()) {
    if (Number.isNaN(figure)) continue;
    unit.sums[kpi]! += figure;
    unit.counts[kpi]!++;
  }
}

/** The mean of what its runs showed; NaN where none did. */
export function meansOf({ sums, counts }: Unit): Figures {
  return sums.map((sum, kpi) => sum / counts[kpi]!);
}

/** Of which session or user a run is; '' where it is a unit of its own. */
export function unitIdOf(
  { unit }: CanaryRules,
  { sessionId, userId }: { readonly sessionId: string; readonly userId: string },
): string {
  if (unit === 'run') return '';
  return unit === 'session' ? sessionId : userId;
}

/** Start of the tick in which the run was first seen. */
export function tickOf({ firstMs, home }: Run): number {
  return Math.max(home.tickMs, Math.floor(firstMs / home.rules.tickMs) * home.rules.tickMs);
}

/** Ends `run`, and what turned out to be part of it, with what it showed. */
export function endRun(run: Run, figures: Run['figures'], timeMs: number): void {
  for (const one of [run, ...run.absorbed]) {
    one.figures = figures;
    one.endedMs = timeMs;
  }
}
