import { idleMs } from './idle.ts';

/** How units were split between a candidate and all else: numbers of units only, never what became of them. */
export interface Split {
  /** Logarithm of the e-value against the stated share. */
  log: number;
  candidates: number;
  others: number;
  /** The last hours, oldest first. */
  readonly minutes: SplitMinute[];
  /** Whether the candidate had a unit. */
  hasBegun: boolean;
  /** Since the latest unit of the candidate: they count once it has another, unless it was paused in between. */
  waiting: { readonly timeMs: number; readonly others: number }[];
}

interface SplitMinute {
  readonly minute: number;
  candidates: number;
  others: number;
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
/** A candidate that is idle while so many were to be expected is paused: chance does that once in ten thousand times. */
const pause = Math.log(10_000);

export function newSplit(): Split {
  return { log: 0, candidates: 0, others: 0, minutes: [], hasBegun: false, waiting: [] };
}

/**
 * Adds units that joined in the tick at `timeMs`; `share` of all should be candidates. Nothing is held against a candidate
 * that is paused. In the tick in which it begins or goes on it was there for a part of that only: too few are forgiven then,
 * and too many are not.
 */
export function addSplit(
  split: Split,
  share: number,
  timeMs: number,
  candidates: number,
  others: number,
): void {
  const { waiting, hasBegun } = split;
  const isPaused = isPause(waiting, share, timeMs);
  if (candidates === 0) {
    if (!isPaused && others > 0) waiting.push({ timeMs, others });
    return;
  }
  split.waiting = [];
  split.hasBegun = true;
  if (!hasBegun || isPaused) {
    const alongside = Math.round((candidates * (1 - share)) / share);
    count(split, share, timeMs, candidates, Math.min(others, alongside));
    return;
  }
  for (const tick of waiting) count(split, share, tick.timeMs, 0, tick.others);
  count(split, share, timeMs, candidates, others);
}

function isPause(waiting: Split['waiting'], share: number, timeMs: number): boolean {
  if (waiting.length === 0 || timeMs - waiting[0]!.timeMs < idleMs) return false;
  return waiting.reduce((sum, { others }) => sum + others, 0) * -Math.log(1 - share) >= pause;
}

function count(split: Split, share: number, timeMs: number, candidates: number, others: number): void {
  // The e-value is a product over units in any order: one bet for each, on the share as known before it.
  for (let i = 0; i < candidates; i++) {
    const all = prior + split.candidates + split.others;
    split.log += Math.log((prior * share + split.candidates++) / all / share);
  }
  for (let i = 0; i < others; i++) {
    const all = prior + split.candidates + split.others;
    split.log += Math.log((prior * (1 - share) + split.others++) / all / (1 - share));
  }
  const minute = Math.floor(timeMs / minuteMs);
  const { minutes } = split;
  while (minutes.length > 0 && minutes[0]!.minute <= minute - span) minutes.shift();
  const last = minutes.at(-1);
  if (last?.minute === minute) {
    last.candidates += candidates;
    last.others += others;
  } else minutes.push({ minute, candidates, others });
}

/** Variance of the numbers of candidates by minute, in that of units which each go on their own; undefined before there are any. */
export function dispersion({ minutes }: Split, share: number): number | undefined {
  let squares = 0;
  let units = 0;
  for (const { candidates, others } of minutes) {
    squares += (candidates - share * (candidates + others)) ** 2;
    units += candidates + others;
  }
  return units === 0 ? undefined : squares / (share * (1 - share) * units);
}

/** Standard deviation of `dispersion` where each unit goes on its own. */
function dispersionDeviation({ minutes }: Split, share: number): number {
  const one = share * (1 - share);
  let variance = 0;
  let units = 0;
  for (const { candidates, others } of minutes) {
    const n = candidates + others;
    variance += 2 * (one * n) ** 2 + one * n * (1 - 6 * one);
    units += n;
  }
  return Math.sqrt(variance) / (one * units);
}

/** What is wrong with the split, in words; undefined while nothing is: evidence then means what it says. */
export function splitFault(split: Split, share: number): string | undefined {
  if (split.log >= limit) {
    const seen = split.candidates / (split.candidates + split.others);
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
