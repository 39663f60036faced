import { shareDifference, type Interval, type Share } from '../core/share-interval.ts';
import type { Outcome } from '../semconv/vocabulary.ts';
import { pairedDifference } from './difference-interval.ts';
import { pairedChance, unpairedChance } from './exact-tests.ts';
import type { OfflineCase } from './offline-cases.ts';

/** What a release must show on a data set. */
export interface OfflineRules {
  /** Cases with each release; pairs, where they were tried with both. */
  readonly minCases: number;
  /** How much lower the share of its good cases may be. */
  readonly margin: number;
  readonly goodOutcomes: readonly Outcome[];
}

/** What a gate says of a release, and why, in one sentence. */
export interface GateVerdict {
  readonly verdict: 'pass' | 'fail' | 'inconclusive';
  readonly reason: string;
}

/** What the gate says of a release on a data set, and what of. */
export interface OfflineVerdict extends GateVerdict {
  /** Whether both releases were tried on the same cases. */
  readonly isPaired: boolean;
  readonly candidate: Share;
  readonly baseline: Share;
  /** Of the pairs: good with one release alone. */
  readonly better: number;
  readonly worse: number;
  /** Undefined where a release has no case. */
  readonly difference: Interval | undefined;
  /** The chance of a result as bad, or worse, if the release were as good as the baseline; 1 where there is none. */
  readonly chance: number;
  /** The mean of each evaluator, for people: they decide nothing. */
  readonly scores: readonly {
    readonly evaluator: string;
    readonly candidate: number | undefined;
    readonly baseline: number | undefined;
  }[];
}

/** A release that is as good is called worse in so many of all trials. */
const chanceOfError = 0.05;

/**
 * Judges `release` by the cases of a data set against those of `baseline`. It passes when it was tried on enough of them
 * and the whole interval of the difference, of 95 %, lies above minus the margin; else it fails when it is surely worse,
 * which is an exact test at 5 %; else nobody can tell. A case that the baseline has and the release lacks may be one that
 * the release did not survive: with such cases it does not pass. A release that is compared with itself shows nothing.
 */
export function judgeOffline(
  cases: readonly OfflineCase[],
  of: { readonly release: string; readonly baseline: string },
  rules: OfflineRules,
): OfflineVerdict {
  const own = casesOf(cases, of.release);
  const theirs = casesOf(cases, of.baseline);
  const pairs = [...own.keys()].filter((name) => theirs.has(name));
  const isPaired = pairs.length > 0;
  const good = new Set<Outcome>(rules.goodOutcomes);
  const isGood = (one: OfflineCase | undefined): boolean => one !== undefined && good.has(one.outcome);
  const shareOf = (tried: Tried): Share => {
    const ends = isPaired ? pairs.map((name) => tried.get(name)) : [...tried.values()];
    return { good: ends.filter(isGood).length, cases: ends.length };
  };
  const found = {
    isPaired,
    candidate: shareOf(own),
    baseline: shareOf(theirs),
    better: pairs.filter((name) => isGood(own.get(name)) && !isGood(theirs.get(name))).length,
    worse: pairs.filter((name) => !isGood(own.get(name)) && isGood(theirs.get(name))).length,
    scores: scoresOf(own, theirs),
  };
  const missing = isPaired ? theirs.size - pairs.length : 0;
  const measured = measure(found);
  return { ...found, ...measured, ...decide({ ...found, ...measured }, { ...of, missing }, rules) };
}

/** The cases of a release, by name. */
type Tried = ReadonlyMap<string, OfflineCase>;
type Found = Pick<OfflineVerdict, 'isPaired' | 'candidate' | 'baseline' | 'better' | 'worse'>;
type Measured = Pick<OfflineVerdict, 'difference' | 'chance'>;

function measure({ isPaired, candidate, baseline, better, worse }: Found): Measured {
  if (candidate.cases === 0 || baseline.cases === 0) return { difference: undefined, chance: 1 };
  return isPaired
    ? {
        difference: pairedDifference(better, worse, candidate.cases),
        chance: pairedChance(worse, better),
      }
    : {
        difference: shareDifference(candidate, baseline),
        chance: unpairedChance(candidate, baseline),
      };
}

function decide(
  { isPaired, candidate, baseline, difference, chance, better, worse }: Found & Measured,
  { release, baseline: other, missing }: { release: string; baseline: string; missing: number },
  { minCases, margin }: OfflineRules,
): GateVerdict {
  if (release === other)
    return { verdict: 'inconclusive', reason: `${release} is compared with itself, which shows nothing` };
  if (difference === undefined) {
    const absent = candidate.cases === 0 ? release : other;
    return { verdict: 'inconclusive', reason: `there is no case of ${absent}` };
  }
  const cases = Math.min(candidate.cases, baseline.cases);
  const said = `${release} is good in ${shareText(candidate)} and ${other} in ${shareText(baseline)}: ${pointsText(difference.estimate)} points, and with 95 % certainty between ${pointsText(difference.low)} and ${pointsText(difference.high)}`;
  const reached = difference.low > -margin;
  if (reached && cases >= minCases && missing === 0)
    return { verdict: 'pass', reason: `${said}, which is within the margin of ${percent(margin)}` };
  if (!reached && chance < chanceOfError)
    return { verdict: 'fail', reason: `${said}; by chance alone that comes in ${percent(chance)} of trials` };
  if (missing > 0)
    return {
      verdict: 'inconclusive',
      reason: `${missing} cases of ${other} were not tried with ${release}, or it did not survive them; ${said}`,
    };
  if (cases < minCases)
    return {
      verdict: 'inconclusive',
      reason: `${cases} ${isPaired ? 'pairs of cases' : 'cases of each'} are too few, ${minCases} are asked for; ${said}`,
    };
  const changing = isPaired ? (better + worse) / cases : varianceOf(candidate) + varianceOf(baseline);
  return {
    verdict: 'inconclusive',
    reason: `${said}, which is neither surely worse nor surely within the margin of ${percent(margin)}; if they are alike, about ${enoughFor(changing, margin)} cases would tell`,
  };
}

/** So many cases, half of the time, show that two releases are alike of which so much changes from case to case. */
function enoughFor(changing: number, margin: number): string {
  return margin > 0 ? String(Math.ceil((changing * 1.96 ** 2) / margin ** 2 / 10) * 10) : 'no number of';
}

function varianceOf({ good, cases }: Share): number {
  return (good / cases) * (1 - good / cases);
}

function casesOf(cases: readonly OfflineCase[], release: string): Tried {
  return new Map(cases.filter((one) => one.release === release).map((one) => [one.case, one]));
}

function scoresOf(own: Tried, theirs: Tried): OfflineVerdict['scores'] {
  const [candidate, baseline] = [meansOf(own), meansOf(theirs)];
  const evaluators = [...new Set([...candidate.keys(), ...baseline.keys()])].toSorted();
  return evaluators.map((evaluator) => ({
    evaluator,
    candidate: candidate.get(evaluator),
    baseline: baseline.get(evaluator),
  }));
}

function meansOf(cases: Tried): ReadonlyMap<string, number> {
  const sums = new Map<string, { total: number; count: number }>();
  for (const { scores } of cases.values())
    for (const [evaluator, score] of Object.entries(scores)) {
      const sum = sums.get(evaluator) ?? { total: 0, count: 0 };
      sums.set(evaluator, { total: sum.total + score, count: sum.count + 1 });
    }
  return new Map([...sums].map(([evaluator, { total, count }]) => [evaluator, total / count]));
}

function shareText({ good, cases }: Share): string {
  return `${good} of ${cases} cases`;
}

function pointsText(difference: number): string {
  const points = (100 * difference).toFixed(1);
  return difference > 0 ? `+${points}` : points.replace('-', '−');
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
