import type { DrillCheck } from '../rehearsal/drill-record.ts';
import type { DrillReleases } from '../rehearsal/scenarios.ts';
import type { Sight } from './drill-sight.ts';

/** How often a live drill sends the same alert. */
export const alertRepeats = 3;

/** What a live drill saw. A sight that is undefined was never had. */
export interface DrillSeen {
  readonly releases: DrillReleases;
  /** Whether the bad release is to be rolled back; else all releases suffer an outage, and none is. */
  readonly isFault: boolean;
  /** Whether a signal ended it. */
  readonly isInterrupted: boolean;
  /** Why requests with traffic were not taken, in order. */
  readonly refusals: readonly string[];
  /** Links that must be seen beside those to the executor. */
  readonly awaited: readonly string[];
  readonly links: ReadonlySet<string>;
  /** What the executor said to each alert that was sent to it. */
  readonly answers: readonly string[];
  /** The last looks. */
  readonly bad: Sight | undefined;
  readonly good: Sight | undefined;
  readonly baseline: Sight | undefined;
  /** The looks at the bad release since an outage began, in order. */
  readonly outage: readonly Sight[];
}

/** What a live drill wants to be so. Nothing is met by what was not seen. */
export function drillChecks(seen: DrillSeen): readonly DrillCheck[] {
  const { releases, isFault, baseline, good, bad } = seen;
  return [
    sentCheck(seen),
    ...(isFault ? rolledBackChecks(seen) : [outageCheck(seen)]),
    untouchedBy(releases.baseline, baseline, false),
    untouchedBy(releases.good, good, true),
    ...(isFault ? [] : [untouchedBy(releases.bad, bad, true)]),
  ];
}

function sentCheck({ isInterrupted, refusals, links }: DrillSeen): DrillCheck {
  const what = 'the traffic is taken';
  if (isInterrupted) return { what, isMet: false, found: 'the drill was interrupted' };
  const [first] = refusals;
  if (first !== undefined)
    return {
      what,
      isMet: false,
      found: `requests that were not: ${refusals.length}, the first for: ${first}`,
    };
  const isMet = links.has('first bad span sent');
  return { what, isMet, found: isMet ? 'all of it' : 'none of the bad release' };
}

function rolledBackChecks({ releases, bad, links, answers, awaited }: DrillSeen): readonly DrillCheck[] {
  const attempts = bad?.attempts ?? [];
  const [attempt] = attempts;
  return [
    {
      what: `${releases.bad} is rolled back`,
      isMet: attempt?.state === 'done',
      found: attempt ? `${attempt.state} ${attempt.outcome}`.trim() : saidOf(bad),
    },
    ...awaited.map((link) => {
      const isMet = links.has(link);
      return { what: `the verdict ${link}`, isMet, found: isMet ? 'yes' : 'never seen' };
    }),
    {
      what: `an alert that comes ${alertRepeats} times asks for the same rollback`,
      isMet:
        attempts.length === 1 &&
        answers.length === alertRepeats &&
        answers.every((answer) => answer === 'taken'),
      found: `attempts: ${attempts.length}; alerts: ${answers.join(', ') || 'not sent'}`,
    },
  ];
}

/** The verdict may be `environment`; with few runs the judge has seen some of the outage at least, and blames no release. */
function outageCheck({ outage, releases: { bad } }: DrillSeen): DrillCheck {
  const verdicts = new Set(outage.flatMap(({ verdict }) => verdict ?? []));
  const units = outage.flatMap(({ units: known }) => (known ? [known.open + known.settled] : []));
  const joined = (units.at(-1) ?? 0) - (units[0] ?? 0);
  return {
    what: `${bad} is judged in the outage, and not found worse`,
    isMet: !verdicts.has('fail') && (verdicts.has('environment') || (verdicts.size > 0 && joined > 0)),
    found:
      verdicts.size === 0
        ? saidOf(outage.at(-1))
        : `verdict ${[...verdicts].join(', ')}; ${joined} units joined`,
  };
}

/** A baseline is not judged; a canary must have been, or nothing could have been done to it. */
function untouchedBy(release: string, sight: Sight | undefined, isCanary: boolean): DrillCheck {
  const what = `${release} is not rolled back`;
  const count = sight?.attempts.length ?? 0;
  if (count > 0) return { what, isMet: false, found: `${count} attempts` };
  const isJudged = sight?.verdict !== undefined && sight.verdict !== 'fail';
  return { what, isMet: sight?.faults.length === 0 && (isJudged || !isCanary), found: saidOf(sight) };
}

function saidOf(sight: Sight | undefined): string {
  if (!sight) return 'never looked at';
  if (sight.faults.length > 0) return sight.faults.join('; ');
  return sight.verdict === undefined ? 'not judged as a canary' : `verdict ${sight.verdict}`;
}
