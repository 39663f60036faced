import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CanaryRules, KpiRules } from '../../src/judge/canary-rules.ts';
import { runs } from '../property-runs.ts';
import { good, minuteMs, noonMs, releasesWith, type Releases, type Told } from './releases.ts';

const quality: KpiRules = {
  kpi: 'quality_score',
  weight: 1,
  reference: 0.1,
  floor: undefined,
  evaluator: 'judge-1',
};

const scored = (score: number) => ({ scores: new Map([['judge-1', score]]) });

/** Adds a run of which an evaluator says `score` at minute `scoredAt`, or in the record of its end. */
function addScored(releases: Releases, run: Told, score: number, scoredAt: number | undefined): void {
  const slot = releases.add({ ...run, ...(scoredAt === undefined && scored(score)) });
  if (scoredAt !== undefined)
    releases.at(scoredAt, (judge) =>
      judge.revised({ ...good, slot, ...scored(score) }, noonMs + scoredAt * minuteMs),
    );
}

/** An incumbent, and a minute later a pair. */
function pairOf(unit: CanaryRules['unit']): Releases {
  const releases = releasesWith({ kpis: [quality], unit });
  for (let i = 0; i < 10; i++) releases.add({ at: -1 + i / 100, sessionId: `old ${i}`, ...scored(0.9) });
  return releases;
}

const evidenceOf = (releases: Releases): number =>
  releases.test('worse', { kpi: 'quality_score' }).logEvidence;

test('what an evaluator says of a run of a session counts once, whenever that is before the session is over', () => {
  const evidence = (['before', 'after', undefined] as const).flatMap((advances) =>
    // Ticks close half a minute after they end: this one at 1.5.
    [undefined, 0.5, 1.4999, 1.5, 1.7, 3, 20].map((scoredAt) => {
      const releases = pairOf('session');
      for (let i = 0; i < 18; i++) releases.add({ at: 0.1, sessionId: `b${i}`, ...scored(0.9) });
      for (const sessionId of ['c', 'd']) {
        releases.add({ at: 0.1, release: '2', sessionId, ...scored(0.2) });
        addScored(releases, { at: 0.2, release: '2', sessionId }, 1, scoredAt);
      }
      return evidenceOf(releases.until(200, { advances }));
    }),
  );
  expect(new Set(evidence)).toEqual(new Set([evidence[0]]));
  expect(evidence[0]).not.toBe(0);
});

/** Evidence against two runs of 20, of all of which an evaluator says something in the record of that minute. */
function evidenceScoredAt(scoredAt: number | undefined): number {
  const releases = pairOf('run');
  for (let i = 0; i < 18; i++) addScored(releases, { at: 0.1 }, 0.9, scoredAt);
  for (let i = 0; i < 2; i++) addScored(releases, { at: 0.2, release: '2' }, 0, scoredAt);
  return evidenceOf(releases.until(200, { advances: 'after' }));
}

test('what an evaluator says of a run counts once in whichever record it comes, also in that which closes a tick', () => {
  const soon = evidenceScoredAt(undefined);
  for (const scoredAt of [0.5, 1.4999, 1.5, 1.7, 3]) expect(evidenceScoredAt(scoredAt)).toBe(soon);
});

test('a score of a run that ends and is scored before the tick before it closes waits for its own', () => {
  const evidence = [undefined, 1.3].map((scoredAt) => {
    const releases = pairOf('run');
    for (let i = 0; i < 18; i++) releases.add({ at: 1.1, ...scored(0.9) });
    for (let i = 0; i < 2; i++) addScored(releases, { at: 1.1, takes: 0.1, release: '2' }, 0.2, scoredAt);
    return evidenceOf(releases.until(200, { advances: 'before' }));
  });
  expect(evidence[0]).toBe(evidence[1]);
});

test('a score of a run that says no release is one of none', () => {
  const releases = pairOf('run');
  addScored(releases, { at: 0.1, release: 'unknown' }, 0.2, 5);
  releases.add({ at: 0.2, release: '2', ...scored(0.9) });
  expect(releases.until(20).standing().units.candidate).toEqual({ open: 0, settled: 1 });
  expect(releases.until(20).judge.save().scorable.size).toBe(0);
});

const minutes = (most: number): fc.Arbitrary<number> =>
  fc.integer({ min: 0, max: 4 * most }).map((quarters) => quarters / 4);

const told = fc.array(
  fc.record({
    at: minutes(6),
    takes: minutes(17),
    release: fc.constantFrom('1', '2'),
    session: fc.constantFrom('a', 'b', 'c', ''),
    score: fc.constantFrom(0, 0.3, 1),
    /** After its beginning; undefined: in the record of its end. */
    scoredAfter: fc.option(minutes(70), { nil: undefined }),
  }),
  { minLength: 5, maxLength: 30 },
);

test('property: whether a record is given before or after time goes on to it changes nothing', () => {
  fc.assert(
    fc.property(told, fc.constantFrom('run' as const, 'session' as const), (rows, unit) => {
      const [before, after, atOnce] = (['before', 'after', undefined] as const).map((advances) => {
        const releases = pairOf(unit);
        for (const { at, takes, release, session, score, scoredAfter } of rows) {
          const run = { at, takes, release, sessionId: session === '' ? '' : `${release} ${session}` };
          addScored(releases, run, score, scoredAfter === undefined ? undefined : at + scoredAfter);
        }
        const { judge } = releases.until(200, { advances });
        return { standings: judge.standings(), ignored: judge.ignored };
      });
      expect(after).toEqual(before);
      expect(atOnce).toEqual(before);
    }),
    { numRuns: Math.min(runs, 200) },
  );
});
