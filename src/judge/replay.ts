import { endTick, newGroup, newTick } from './blocks.ts';
import { newEvidence } from './kpi-evidence.ts';
import { logEvidence } from './mixture.ts';
import { note } from './tally.ts';

/** Runs of one tick, all settled: of the candidate, those of them that failed, of the baseline, those of them that failed. */
export type TickCounts = readonly [
  candidates: number,
  failed: number,
  baselines: number,
  baselinesFailed: number,
];

/** Evidence that the candidate is worse, after each of `ticks`, as natural logarithm of the e-value; of the baseline `prior` is expected to fail. */
export function replayTicks(prior: number, ticks: readonly TickCounts[]): readonly number[] {
  const rules = { kpi: 'run_success', weight: 1, reference: prior, floor: undefined } as const;
  const evidence = newEvidence(rules, 0, [], 0)!;
  const group = newGroup([evidence]);
  return ticks.map(([candidates, failed, baselines, baselinesFailed]) => {
    const tick = newTick(group);
    for (const [tally, units, bad] of [
      [tick.candidate, candidates, failed],
      [tick.baseline, baselines, baselinesFailed],
    ] as const) {
      tally.units = units;
      note(tally.scores[0]!, 0, units - bad);
      note(tally.scores[0]!, 1, bad);
    }
    endTick(group, tick, { tolerance: 0, margin: 0 }, {});
    return logEvidence(evidence.worse.mixture);
  });
}
