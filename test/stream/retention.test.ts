import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { markCommit, recordRoomBytes, settledOffset, type CommitMark } from '../../src/stream/retention.ts';
import { runs } from '../property-runs.ts';

const minute = 60_000;
const holdMs = 15 * minute;

function after(commits: readonly CommitMark[]): readonly CommitMark[] {
  return commits.reduce<readonly CommitMark[]>((marks, commit) => markCommit(marks, commit, holdMs), []);
}

/** Commits of a group that goes forward, at growing times. */
const history = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 4 * minute }), fc.nat(50)), { maxLength: 80 })
  .map((steps) => {
    let [timeMs, offset] = [1e12, 0];
    return steps.map(([waitMs, records]) => ({ timeMs: (timeMs += waitMs), offset: (offset += records) }));
  });

describe('what retention may delete', () => {
  it('is never a record that was committed less than 15 minutes ago', () => {
    fc.assert(
      fc.property(history, fc.nat(60 * minute), (commits, waitMs) => {
        const nowMs = (commits.at(-1)?.timeMs ?? 0) + waitMs;
        const committedLongAgo = commits.findLast(({ timeMs }) => timeMs <= nowMs - holdMs)?.offset ?? 0;
        expect(settledOffset(after(commits), nowMs, holdMs)).toBeLessThanOrEqual(committedLongAgo);
      }),
      { numRuns: runs },
    );
  });

  it('is everything committed 16 minutes ago, however often the group commits', () => {
    fc.assert(
      fc.property(history, fc.nat(60 * minute), (commits, waitMs) => {
        const nowMs = (commits.at(-1)?.timeMs ?? 0) + waitMs;
        const committedLongerAgo =
          commits.findLast(({ timeMs }) => timeMs <= nowMs - holdMs - minute)?.offset ?? 0;
        expect(settledOffset(after(commits), nowMs, holdMs)).toBeGreaterThanOrEqual(committedLongerAgo);
      }),
      { numRuns: runs },
    );
  });

  it('takes few marks to know', () => {
    fc.assert(
      fc.property(history, (commits) => {
        expect(after(commits).length).toBeLessThanOrEqual(36);
      }),
      { numRuns: runs },
    );
  });

  it('is not more after a commit that goes back', () => {
    const marks = after([
      { timeMs: 0, offset: 100 },
      { timeMs: 2 * holdMs, offset: 200 },
      { timeMs: 2 * holdMs + 1, offset: 50 },
    ]);
    expect(settledOffset(marks, 3 * holdMs, holdMs)).toBe(50);
    expect(settledOffset(marks, 4 * holdMs, holdMs)).toBe(50);
  });

  it('is settled again 15 minutes after a clock that ran ahead was set right', () => {
    const marks = after([
      { timeMs: 1000 * holdMs, offset: 10 },
      { timeMs: 5, offset: 20 },
    ]);
    expect(settledOffset(marks, holdMs + 4, holdMs)).toBe(0);
    expect(settledOffset(marks, holdMs + 5, holdMs)).toBe(20);
  });

  it('is what is committed when nothing is to be kept longer', () => {
    expect(settledOffset(markCommit([], { timeMs: 9, offset: 3 }, 0), 9, 0)).toBe(3);
  });

  it('is nothing when the group never committed', () => {
    expect(settledOffset([], 1e15, holdMs)).toBe(0);
  });
});

describe('the room of records', () => {
  it('shrinks by what the file has outgrown its bound', () => {
    expect(recordRoomBytes(1000, 0)).toBe(750);
    expect(recordRoomBytes(1000, 300)).toBe(450);
    expect(recordRoomBytes(1000, 5000)).toBe(0);
    expect(recordRoomBytes(1000, -5)).toBe(750);
  });
});
