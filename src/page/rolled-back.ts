import { idleMs } from '../judge/idle.ts';
import type { Standing } from '../judge/standing.ts';
import { labelValue } from '../semconv/label-value.ts';
import type { ShownRollback } from './moment.ts';

/** When the rollback of a judged release was done, in milliseconds since the epoch; null where it was not, or where it runs again. */
export type RolledBackMs = (
  standing: Pick<Standing, 'agent' | 'environment' | 'release' | 'isRunning'>,
) => number | null;

/** What `attempts`, in the order in which they began, say at `atMs`: of each release the last one counts. */
export function rolledBackIn(attempts: readonly ShownRollback[], atMs: number): RolledBackMs {
  const last = new Map(attempts.map((each) => [keyOf(each.agent, each.environment, each.from), each]));
  return ({ agent, environment, release, isRunning }) => {
    const doneMs = last.get(keyOf(agent, environment, release))?.doneMs;
    if (doneMs === undefined) return null;
    // It is said to run as long as it may still have got a unit before it was rolled back.
    return isRunning && atMs - doneMs >= idleMs ? null : doneMs;
  };
}

function keyOf(...names: readonly string[]): string {
  return JSON.stringify(names.map(labelValue));
}
