import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endTick, newGroup, newTick } from '../../src/judge/blocks.ts';
import { newEvidence } from '../../src/judge/kpi-evidence.ts';
import { logEvidence, type Mixture } from '../../src/judge/mixture.ts';
import { note, type Tally } from '../../src/judge/tally.ts';
import { runs as cases } from '../property-runs.ts';
import { runSuccess } from './releases.ts';

/** A unit: ticks until it settles, and its score. */
const unit = fc.record({ after: fc.integer({ min: 0, max: 12 }), score: fc.constantFrom(0, 0.5, 1, 1) });
const tick = fc.record({
  candidate: fc.array(unit, { maxLength: 4 }),
  baseline: fc.array(fc.record({ after: fc.integer({ min: 0, max: 12 }), score: fc.constantFrom(0, 0, 1) }), {
    maxLength: 8,
  }),
});

test('evidence that is certain before units settle is there when they have, at the end of some block', () => {
  let early = 0;
  fc.assert(
    fc.property(
      fc.array(tick, { minLength: 1, maxLength: 20 }),
      fc.constantFrom(0, 0.05),
      (ticks, tolerance) => {
        const evidence = newEvidence({ ...runSuccess, floor: 0.2 }, 0, [], 0)!;
        const group = newGroup([evidence]);
        const tests = { worse: evidence.worse.mixture, floor: evidence.floor!.candidate.mixture };
        const certain = { worse: -Infinity, floor: -Infinity };
        const settled = { worse: -Infinity, floor: -Infinity };
        // Told after each block: what is told may be certain only; what is settled by then stands in the mixture.
        const told = (name: 'worse' | 'floor', mixture: Mixture, log: number): void => {
          certain[name] = Math.max(certain[name], log);
          settled[name] = Math.max(settled[name], logEvidence(mixture));
          if (certain[name] > settled[name] + 0.1) early++;
        };
        const waiting: { readonly at: number; readonly tally: Tally; readonly score: number }[] = [];
        for (let now = 0; now < ticks.length + 70; now++) {
          const current = newTick(group);
          for (const side of ['candidate', 'baseline'] as const)
            for (const { after, score } of ticks[now]?.[side] ?? []) {
              const tally = current[side];
              tally.units++;
              tally.open++;
              waiting.push({ at: now + after, tally, score });
            }
          for (const { at, tally, score } of waiting)
            if (at === now) {
              tally.open--;
              note(tally.scores[0]!, score);
            }
          endTick(
            group,
            current,
            { tolerance, margin: 0.05 },
            {
              worse: (_, log) => told('worse', tests.worse, log),
              level: (_, name, log) => {
                if (name === 'floor') told('floor', tests.floor, log);
              },
            },
          );
        }
        expect(group).toMatchObject({ open: [], closed: [], levels: [] });
        for (const name of ['worse', 'floor'] as const)
          expect(certain[name]).toBeLessThanOrEqual(settled[name] + 1e-9);
      },
    ),
    { numRuns: Math.ceil(cases / 5) },
  );
  expect(early).toBeGreaterThan(0);
});
