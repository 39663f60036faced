import { labelValue } from '../semconv/label-value.ts';
import { actions, verdicts, type Standing, type TestStanding } from './standing.ts';
import type { Ignored } from './ticks.ts';

type Labels = readonly (readonly [name: string, value: string])[];

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** A metric with its series, as `/metrics` shows it. */
interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
}

/** The value of the label `baseline` where a release has none to compare with. */
const noBaseline = 'none';

/** What each release that runs stands at, so that no alert goes on of one that does not; `ignored` is what the judge left out. */
export function judgeFamilies(judged: readonly Standing[], ignored: Readonly<Ignored>): readonly Family[] {
  const standings = judged.filter(({ isRunning }) => isRunning);
  return [
    ...evidenceFamilies(standings),
    gauge(
      'plimsoll_release_verdict',
      'What is said of a release: 1 for the verdict, 0 for the others.',
      standings.flatMap((standing) =>
        verdicts.map((verdict) => ({
          labels: [...releaseLabels(standing), ['verdict', verdict]],
          value: Number(verdict === standing.verdict),
        })),
      ),
    ),
    gauge(
      'plimsoll_release_action',
      'What should be done about a release now: 1 for the action, 0 for the others.',
      standings.flatMap((standing) =>
        actions.map((action) => ({
          labels: [...releaseLabels(standing), ['action', action]],
          value: Number(action === standing.action),
        })),
      ),
    ),
    gauge(
      'plimsoll_release_started_timestamp_seconds',
      'When the judgement of a release began.',
      standings.map((standing) => ({ labels: releaseLabels(standing), value: standing.startedMs / 1000 })),
    ),
    ...splitFamilies(standings),
    gauge(
      'plimsoll_release_starts',
      'How often the judgement of a release began: with its state lost, or another baseline. Each time it needs more evidence.',
      standings.map((standing) => ({ labels: releaseLabels(standing), value: standing.starts })),
    ),
    {
      name: 'plimsoll_release_ignored_runs_total',
      help: 'Runs of which the judge did not take all: a later one of a unit that is counted (again), not ended by the deadline, so that it failed (late), changed its release or unit too late (relabelled), told a figure that is no number, so that it never ends (unsound), no room (refused).',
      kind: 'counter',
      samples: Object.entries(ignored).map(([reason, value]) => ({ labels: [['reason', reason]], value })),
    },
  ];
}

function evidenceFamilies(standings: readonly Standing[]): readonly Family[] {
  const tests = standings.flatMap((standing) => standing.tests.map((test) => ({ standing, test })));
  return [
    gauge(
      'plimsoll_release_log_evidence',
      'Evidence of a test on a KPI of a release, as natural logarithm of the e-value: that it is worse than its baseline (worse), than the policy ever allows (floor), than the release that it replaced (before), or surely not worse by the margin (not_worse).',
      tests.map(({ standing, test }) => ({ labels: testLabels(standing, test), value: test.logEvidence })),
    ),
    gauge(
      'plimsoll_release_log_evidence_threshold',
      'Evidence at which a test pauses a release, rolls it back or passes it, as natural logarithm of the e-value.',
      tests.flatMap(({ standing, test }) =>
        byAction(testLabels(standing, test), {
          pause: test.pauseAt,
          rollback: test.rollbackAt,
          pass: test.passAt,
        }),
      ),
    ),
    gauge(
      'plimsoll_release_detectable_drop_ratio',
      'The least rise of the share of bad that would lead to the action in the time there is, in 80 of 100 cases; absent where none would.',
      tests.flatMap(({ standing, test }) =>
        byAction([...releaseLabels(standing), ['kpi', test.kpi]], { ...test.detectableDrop }),
      ),
    ),
  ];
}

function splitFamilies(standings: readonly Standing[]): readonly Family[] {
  return [
    gauge(
      'plimsoll_release_units',
      'Units (runs, sessions or users) by which a release and its baseline are judged.',
      standings.flatMap((standing) =>
        Object.entries(standing.units).flatMap(([arm, units]) =>
          Object.entries(units).map(([state, value]: readonly [string, number]) => ({
            labels: [...releaseLabels(standing), ['arm', arm] as const, ['state', state] as const],
            value,
          })),
        ),
      ),
    ),
    gauge(
      'plimsoll_release_split_dispersion',
      'How unevenly units went to a release and its baseline over the last 4 hours, by minute: about 1 where each went on its own, above 2 the router keeps more together than the unit of the policy.',
      standings.flatMap((standing) =>
        standing.splitDispersion === undefined
          ? []
          : [{ labels: releaseLabels(standing), value: standing.splitDispersion }],
      ),
    ),
    gauge(
      'plimsoll_release_split_log_evidence',
      'Evidence that a release does not get the share of units that the policy states, as natural logarithm of the e-value.',
      standings.map((standing) => ({ labels: releaseLabels(standing), value: standing.splitLogEvidence })),
    ),
  ];
}

function byAction(labels: Labels, values: Readonly<Record<string, number | undefined>>): readonly Sample[] {
  return Object.entries(values).flatMap(([action, value]) =>
    value === undefined ? [] : [{ labels: [...labels, ['action', action]], value }],
  );
}

function releaseLabels({ agent, release, baseline, environment }: Standing): Labels {
  return [
    ['agent', labelValue(agent)],
    ['release', labelValue(release)],
    ['environment', labelValue(environment)],
    ['baseline', baseline === undefined ? noBaseline : labelValue(baseline)],
  ];
}

function testLabels(standing: Standing, { kpi, test }: TestStanding): Labels {
  return [...releaseLabels(standing), ['kpi', kpi], ['test', test]];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, kind: 'gauge', samples };
}
