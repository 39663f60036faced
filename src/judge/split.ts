/** How units were split between the two releases of a pair: numbers of units only, never what became of them. */
export interface Split {
  /** Logarithm of the e-value against the stated share. */
  log: number;
  candidates: number;
  baselines: number;
  /** The last hours, oldest first. */
  readonly minutes: SplitMinute[];
}

interface SplitMinute {
  readonly minute: number;
  candidates: number;
  baselines: number;
}

/** How many units the stated share is worth before any came. */
const prior = 100;
const minuteMs = 60_000;
/** Dispersion is told of so many minutes. */
const span = 240;
/** Evidence against the share at which nothing is decided any more. */
const limit = Math.log(100);
const dispersionLimit = 2;
/** Dispersion must also be so many standard deviations above 1. */
const surely = 4;

export function newSplit(): Split {
  return { log: 0, candidates: 0, baselines: 0, minutes: [] };
}

/** Adds units that joined at `timeMs`; `share` of all should be candidates. */
export function addSplit(
  split: Split,
  share: number,
  timeMs: number,
  candidates: number,
  baselines: number,
): void {
  // The e-value is a product over units in any order: one bet for each, on the share as known before it.
  for (let i = 0; i < candidates; i++) {
    const all = prior + split.candidates + split.baselines;
    split.log += Math.log((prior * share + split.candidates++) / all / share);
  }
  for (let i = 0; i < baselines; i++) {
    const all = prior + split.candidates + split.baselines;
    split.log += Math.log((prior * (1 - share) + split.baselines++) / all / (1 - share));
  }
  const minute = Math.floor(timeMs / minuteMs);
  const { minutes } = split;
  while (minutes.length > 0 && minutes[0]!.minute <= minute - span) minutes.shift();
  if (candidates + baselines === 0) return;
  const last = minutes.at(-1);
  if (last?.minute === minute) {
    last.candidates += candidates;
    last.baselines += baselines;
  } else minutes.push({ minute, candidates, baselines });
}

/** Variance of the numbers of candidates by minute, in that of units which each go on their own; undefined before there are any. */
export function dispersion({ minutes }: Split, share: number): number | undefined {
  let squares = 0;
  let units = 0;
  for (const { candidates, baselines } of minutes) {
    squares += (candidates - share * (candidates + baselines)) ** 2;
    units += candidates + baselines;
  }
  return units === 0 ? undefined : squares / (share * (1 - share) * units);
}

/** Standard deviation of `dispersion` where each unit goes on its own. */
function dispersionDeviation({ minutes }: Split, share: number): number {
  const one = share * (1 - share);
  let variance = 0;
  let units = 0;
  for (const { candidates, baselines } of minutes) {
    const n = candidates + baselines;
    variance += 2 * (one * n) ** 2 + one * n * (1 - 6 * one);
    units += n;
  }
  return Math.sqrt(variance) / (one * units);
}

/** What is wrong with the split, in words; undefined while nothing is: evidence then means what it says. */
export function splitFault(split: Split, share: number): string | undefined {
  if (split.log >= limit) {
    const seen = split.candidates / (split.candidates + split.baselines);
    return `the policy says that the candidate gets ${percent(share)} of the units, and it gets ${percent(seen)}`;
  }
  const spread = dispersion(split, share);
  if (spread === undefined || spread <= dispersionLimit) return undefined;
  if (spread <= 1 + surely * dispersionDeviation(split, share)) return undefined;
  return `units of a release come in bunches (dispersion ${spread.toFixed(1)}): the router keeps more together than the unit of the policy, so set gates::canary::unit to session or user`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
