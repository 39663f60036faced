import { severities, type Severity } from '../semconv/vocabulary.ts';
import type { Answers, IncidentTimesRow } from './answers.ts';
import type { Month } from './month.ts';
import { fewest } from './rate.ts';

/** How long something took, in seconds; null where it never came to that. */
export interface Times {
  /** Of so many incidents. */
  readonly of: number;
  readonly medianSeconds: number | null;
  readonly p90Seconds: number | null;
}

/** Incidents of a month by severity. */
interface IncidentCounts {
  readonly month: Month;
  readonly all: number;
  readonly bySeverity: Readonly<Record<Severity, number>>;
}

/** One of the gravest incidents. */
export interface GraveIncident {
  readonly severity: string;
  readonly title: string;
  readonly agent: string;
  readonly release: string;
  readonly owner: string;
  readonly detected: string;
  /** Null where nobody said when it began. */
  readonly detectSeconds: number | null;
  /** Null while it is not over. */
  readonly resolveSeconds: number | null;
  /** Why it is over: `recovered`, `api`, `no_data`, `withdrawn`, or '' while it is not. */
  readonly resolution: string;
}

/** Incidents of the month and of those before. */
export interface IncidentFigures {
  /** In order, the last one that of the report. */
  readonly months: readonly IncidentCounts[];
  readonly all: number;
  /** Those of the month that were not over at its end. */
  readonly open: number;
  /** Of 1,000 runs; null where there were fewer than 20 runs. */
  readonly perThousandRuns: number | null;
  readonly perThousandRunsBefore: number | null;
  readonly detect: Times;
  readonly detectBefore: Times;
  readonly resolve: Times;
  readonly resolveBefore: Times;
  readonly gravest: readonly GraveIncident[];
  readonly byAgent: readonly { readonly agent: string; readonly incidents: number }[];
  /** Those of the month that name no environment, and so may be of another one. */
  readonly withoutEnvironment: number;
}

/** The incidents of `months`, beside the runs there were in the last of them and in those before. */
export function incidentFigures(
  answers: Pick<Answers, 'incidents' | 'incidentTimes' | 'gravest'>,
  months: readonly Month[],
  runs: { readonly now: number; readonly before: number },
): IncidentFigures {
  const { incidents, incidentTimes, gravest } = answers;
  const counts = months.map((month) => countsOf(month, incidents));
  const now = incidents.filter(({ month }) => month === months.at(-1));
  const all = sum(now.map((row) => row.incidents));
  const before = sum(counts.slice(0, -1).map((of) => of.all));
  const [timesNow, timesBefore] = [true, false].map((isNow) =>
    incidentTimes.find((row) => Boolean(row.isNow) === isNow),
  );
  const agents = Map.groupBy(now, ({ agent }) => agent);
  return {
    months: counts,
    all,
    open: sum(now.map(({ open }) => open)),
    perThousandRuns: perThousand(all, runs.now),
    perThousandRunsBefore: perThousand(before, runs.before),
    detect: detectTimes(timesNow),
    detectBefore: detectTimes(timesBefore),
    resolve: resolveTimes(timesNow),
    resolveBefore: resolveTimes(timesBefore),
    gravest: gravest.map(({ detectedMs, resolution, ...said }) => ({
      ...said,
      detected: new Date(detectedMs).toISOString(),
      resolution: resolution ?? '',
    })),
    byAgent: [...agents].map(([agent, rows]) => ({
      agent,
      incidents: sum(rows.map((row) => row.incidents)),
    })),
    withoutEnvironment: sum(now.map(({ nowhere }) => nowhere)),
  };
}

function countsOf(month: Month, rows: Answers['incidents']): IncidentCounts {
  const found = rows.filter((row) => row.month === month);
  const of = (severity: Severity): number =>
    sum(found.filter((row) => row.severity === severity).map((row) => row.incidents));
  const [sev1, sev2, sev3, sev4] = severities.map(of);
  return {
    month,
    all: sum(found.map((row) => row.incidents)),
    bySeverity: { sev1: sev1 ?? 0, sev2: sev2 ?? 0, sev3: sev3 ?? 0, sev4: sev4 ?? 0 },
  };
}

function detectTimes(row: IncidentTimesRow | undefined): Times {
  const { detected = 0, detectMedian = null, detectP90 = null } = row ?? {};
  return { of: detected, medianSeconds: detectMedian, p90Seconds: detectP90 };
}

function resolveTimes(row: IncidentTimesRow | undefined): Times {
  const { resolved = 0, resolveMedian = null, resolveP90 = null } = row ?? {};
  return { of: resolved, medianSeconds: resolveMedian, p90Seconds: resolveP90 };
}

function perThousand(incidents: number, runs: number): number | null {
  return runs < fewest ? null : (1000 * incidents) / runs;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
