import { Kpis, type KpiSettings } from '../kpi/kpis.ts';
import type { RunSettings } from '../runs/run-assembler.ts';

/** Durations in milliseconds, of event time. */
export interface AssessorSettings extends Omit<KpiSettings, 'idleAfterMs' | 'expireAfterMs'> {
  /** A run without a root span ends this long after its last span. */
  readonly idleTimeoutMs: number;
  /** Runs in memory, open ones and those that ended a moment ago. */
  readonly maxRuns: number;
  /** Whether a run that ended with a call for a tool that nobody made counts as one that waits for an approval. */
  readonly guessEscalations: boolean;
  /** How often a snapshot is written, unless they are so large that this would take too much of the time. */
  readonly snapshotEveryMs: number;
}

const idleAfterMs = 1000;
const expireAfterMs = 24 * 3_600_000;
/** For so long senders try again by default, a Collector among them: what they send again is then still known. */
const resendMs = 300_000;
const spansPerRun = 10;

/** KPIs that nothing has reached yet. */
export function kpisOf(settings: AssessorSettings): Kpis {
  return new Kpis({ ...settings, idleAfterMs, expireAfterMs });
}

/** How runs are put together for `kpis`. */
export function runSettingsOf(
  { idleTimeoutMs, latenessMs, maxRuns, guessEscalations }: AssessorSettings,
  kpis: Kpis,
): RunSettings {
  return {
    idleTimeoutMs,
    rememberMs: latenessMs + resendMs,
    rememberIdleMs: kpis.longestWindowMs,
    holdMs: latenessMs / 2,
    maxRuns,
    maxSpansPerRun: 10_000,
    maxSpans: spansPerRun * maxRuns,
    guessEscalations,
  };
}
