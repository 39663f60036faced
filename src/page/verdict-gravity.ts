import type { AgentLine } from './live-view.ts';

const byGravity: readonly AgentLine['verdict'][] = [
  null,
  'pass',
  'inconclusive',
  'rolled_back',
  'environment',
  'fail',
];

/** How much a verdict, null where there is none, asks for a look: greater is worse. */
export function gravity(verdict: AgentLine['verdict']): number {
  return byGravity.indexOf(verdict);
}
