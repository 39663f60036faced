import { labelValue, overflow } from '../semconv/label-value.ts';
import { quantile } from './history.ts';
import { unknown } from '../semconv/vocabulary.ts';

/** How runs of a release end, the latest of them. */
export interface Ends {
  runs: number;
  /** Of these, those that were first seen when they ended: they are counted by then, not by when they began. */
  unannounced: number;
  /** How long such took, in milliseconds: those that failed, and others. */
  readonly failedMs: number[];
  readonly othersMs: number[];
}

/** How runs became known that a pair counts, or should. */
export interface Membership {
  runs: number;
  /** Of these, those that said their release, or another one, only when their tick was closed. */
  late: number;
  /** Of the candidate, and of what it is compared with. */
  readonly ends: readonly Ends[];
}

/** More than this share of the runs must not say their release late: then what became of them decides who is counted. */
const lateLimit = 0.05;
/** The same of runs that are first seen when they end. */
const unannouncedLimit = 0.05;

/** Fewer runs than these tell no usual duration. */
const enough = 5;
const remembered = 100;
const fading = 1000;

export function newMembership(ends: readonly Ends[]): Membership {
  return { runs: 0, late: 0, ends };
}

export function newEnds(): Ends {
  return { runs: 0, unannounced: 0, failedMs: [], othersMs: [] };
}

/** Adds a run that ended; `tookMs` is undefined of one that was seen before. */
export function addEnd(ends: Ends, isFailed: boolean, tookMs: number | undefined): void {
  if (ends.runs >= fading) {
    ends.runs /= 2;
    ends.unannounced /= 2;
  }
  ends.runs++;
  if (tookMs === undefined) return;
  ends.unannounced++;
  const times = isFailed ? ends.failedMs : ends.othersMs;
  times.push(tookMs);
  if (times.length > remembered) times.shift();
}

/** Share of the runs that were first seen when they ended, where it is more than a few; else undefined. */
export function unannounced({ ends }: Membership): number | undefined {
  let [runs, count] = [0, 0];
  for (const one of ends) {
    runs += one.runs;
    count += one.unannounced;
  }
  return count > unannouncedLimit * runs ? count / runs : undefined;
}

/** Whether `release` names one. */
export function isNamed(release: string): boolean {
  return release !== overflow && labelValue(release) !== unknown;
}

/**
 * What is wrong with the members, in words; undefined while nothing is: evidence then means what it says. Runs that are first
 * seen when they end do no harm where they take equally long, to a tick of `tickMs`, in both releases.
 */
export function membershipFault(membership: Membership, tickMs: number): string | undefined {
  const { runs, late, ends } = membership;
  if (late <= lateLimit * runs) {
    const share = unannounced(membership);
    if (share === undefined || !differ(ends, tickMs)) return undefined;
    return `${unannouncedText(share)}, and they do not take equally long in both releases: send a span of each run soon after it began`;
  }
  return `${((100 * late) / runs).toFixed(0)} % of the runs say their release too late or never: set service.version on the resource of all their spans`;
}

/** Whether `share` of the runs reads as all of them. */
export function isAll(share: number): boolean {
  return share >= 0.995;
}

/** That `share` of the runs were first seen when they ended, in words. */
export function unannouncedText(share: number): string {
  return `${(100 * share).toFixed(0)} % of the runs are first seen when they end`;
}

function differ([candidate, baseline]: readonly Ends[], tickMs: number): boolean {
  if (!candidate || !baseline) return false;
  return (['failedMs', 'othersMs'] as const).some((kind) => {
    const [ones, others] = [candidate[kind], baseline[kind]];
    if (Math.min(ones.length, others.length) < enough) return false;
    return Math.abs(quantile(ones, 0.5) - quantile(others, 0.5)) > tickMs;
  });
}
