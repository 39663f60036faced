import type { Standing, TestStanding } from '../judge/standing.ts';
import { noAmounts, type PlaceFigures, type ReleaseFigures } from './figures.ts';
import type { RolledBackMs } from './rolled-back.ts';
import { rounded } from './rounded.ts';
import type { ReleaseLine } from './live-view.ts';
import type { Trends } from './trends.ts';
import { placeOf, quotient } from './tile-table.ts';
import { testKey } from './trend-series.ts';
import { gravity } from './verdict-gravity.ts';

/** So many releases of an agent are shown. */
const limitReleases = 50;

type Judged = NonNullable<ReleaseLine['judged']>;

/**
 * The releases of one agent that have runs in the window or are judged: those that somebody should look at first.
 * `standings` are those of the agent, by the label of the release.
 */
export function releaseLines(
  { agent, environment, releases }: PlaceFigures,
  standings: ReadonlyMap<string, Standing>,
  evidence: Trends,
  rolledBackMs: RolledBackMs,
): readonly ReleaseLine[] {
  const all = new Map(releases.map((each) => [each.release, each]));
  for (const release of standings.keys())
    if (!all.has(release)) all.set(release, noFigures(agent, environment, release));
  const lines = [...all.values()].flatMap((each) => {
    const standing = standings.get(each.release);
    const runs = each.sums[placeOf('run_success') + 1]!;
    if (runs === 0 && standing?.isRunning !== true) return [];
    const judged = standing && { ...judgedOf(standing, evidence), rolledBackMs: rolledBackMs(standing) };
    return [lineOf(each, runs, judged)];
  });
  return lines
    .toSorted(
      (a, b) =>
        gravity(b.judged?.verdict ?? null) - gravity(a.judged?.verdict ?? null) ||
        b.runs - a.runs ||
        a.release.localeCompare(b.release),
    )
    .slice(0, limitReleases);
}

function noFigures(agent: string, environment: string, release: string): ReleaseFigures {
  const sums = noAmounts();
  return { agent, environment, release, sums, durationP95Seconds: null, escalations: new Map() };
}

function lineOf(
  { release, sums, durationP95Seconds }: ReleaseFigures,
  runs: number,
  judged: Judged | undefined,
): ReleaseLine {
  return {
    release,
    runs,
    success: rounded(quotient(sums, placeOf('run_success'))),
    escalation: rounded(quotient(sums, placeOf('run_escalation'))),
    costUsdPerRun: rounded(quotient(sums, placeOf('cost_usd_per_run'))),
    durationP95Seconds: rounded(durationP95Seconds),
    judged: judged ?? null,
  };
}

function judgedOf(standing: Standing, evidence: Trends): Omit<Judged, 'rolledBackMs'> {
  const { baseline, verdict, action, reason, isRunning, units, tests } = standing;
  const nearest = nearestToRollback(tests);
  return {
    baseline: baseline ?? null,
    verdict,
    action,
    reason,
    isRunning,
    units: units.candidate.settled,
    baselineUnits: units.baseline.settled,
    tests: tests.map(({ kpi, test, logEvidence, pauseAt, rollbackAt, passAt }) => ({
      kpi,
      test,
      logEvidence: rounded(logEvidence),
      pauseAt: rounded(pauseAt ?? null),
      rollbackAt: rounded(rollbackAt ?? null),
      passAt: rounded(passAt ?? null),
    })),
    evidenceTest: nearest && {
      kpi: nearest.kpi,
      test: nearest.test,
      rollbackAt: rounded(nearest.rollbackAt),
    },
    evidenceTrend: nearest
      ? evidence.of(testKey(standing, nearest), ([log]) => rounded(log ?? null))
      : evidence.timesMs.map(() => null),
  };
}

type RollingTest = TestStanding & Required<Pick<TestStanding, 'rollbackAt'>>;

function nearestToRollback(tests: readonly TestStanding[]): RollingTest | null {
  const rolling = tests.filter((each): each is RollingTest => each.rollbackAt !== undefined);
  return rolling.toSorted((a, b) => share(b) - share(a))[0] ?? null;
}

/** How much of the evidence for a rollback is there. */
function share({ logEvidence, rollbackAt }: RollingTest): number {
  return logEvidence / rollbackAt;
}
