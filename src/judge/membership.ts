import { labelValue, overflow } from '../semconv/label-value.ts';
import { unknown } from '../semconv/vocabulary.ts';

/** How the release of runs became known that a pair counts, or should. */
export interface Membership {
  runs: number;
  /** Of these, those that said their release, or another one, only when their tick was closed. */
  late: number;
}

/** More than this share of the runs must not say their release late: then what became of them decides who is counted. */
const lateLimit = 0.05;

export function newMembership(): Membership {
  return { runs: 0, late: 0 };
}

/** Whether `release` names one. */
export function isNamed(release: string): boolean {
  return release !== overflow && labelValue(release) !== unknown;
}

/** What is wrong with the members, in words; undefined while nothing is: evidence then means what it says. */
export function membershipFault({ runs, late }: Membership): string | undefined {
  if (late <= lateLimit * runs) return undefined;
  return `${((100 * late) / runs).toFixed(0)} % of the runs say their release too late or never: set service.version on the resource of all their spans`;
}
