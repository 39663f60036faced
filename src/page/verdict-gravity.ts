import type { Verdict } from '../judge/standing.ts';

const byGravity: readonly (Verdict | null)[] = [null, 'pass', 'inconclusive', 'environment', 'fail'];

/** How much a verdict, null where there is none, asks for a look: greater is worse. */
export function gravity(verdict: Verdict | null): number {
  return byGravity.indexOf(verdict);
}
