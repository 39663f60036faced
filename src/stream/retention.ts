/** What a topic keeps. */
export interface Retention {
  /** Records older than this may be deleted, in milliseconds. */
  readonly ageMs: number;
  /** How large the topic's share of the file may grow, in bytes; the oldest records go first. */
  readonly bytes: number;
  /**
   * How long a record is kept after every group committed it, in milliseconds, whatever `ageMs` and `bytes` say:
   * after an unclean stop the store compares its last inserts with the stream. The time between a stop and a group's
   * next commit does not count.
   */
  readonly minAfterCommitMs: number;
  /** Whether it keeps its share also where the file has outgrown its bound: other topics then have less. */
  readonly isSpared?: boolean;
}

/** By `timeMs` the group had committed everything before `offset`. */
export interface CommitMark {
  readonly timeMs: number;
  readonly offset: number;
}

const marksPerHold = 16;

/**
 * `marks` (oldest first) and one more commit. The last mark always says what is committed now; of the others, one and
 * the next but one are at least a sixteenth of `minAfterCommitMs` apart, so there are few however often a group
 * commits. A commit that goes back, or a clock that does, takes the marks with it: nothing is deleted earlier for it.
 */
export function markCommit(
  marks: readonly CommitMark[],
  commit: CommitMark,
  minAfterCommitMs: number,
): readonly CommitMark[] {
  const kept = marks.map((mark) => ({
    timeMs: Math.min(mark.timeMs, commit.timeMs),
    offset: Math.min(mark.offset, commit.offset),
  }));
  const beforeLast = kept.at(-2);
  if (beforeLast && commit.timeMs - beforeLast.timeMs < minAfterCommitMs / marksPerHold) kept.pop();
  kept.push(commit);
  const settled = kept.findLastIndex((mark) => mark.timeMs <= commit.timeMs - minAfterCommitMs);
  return settled > 0 ? kept.slice(settled) : kept;
}

/**
 * The marks that are left for the first commit after a start: those settled by the last commit before the stop. What was
 * committed since then is held anew, because while nobody ran nobody could compare it.
 */
export function marksBeforeStop(
  marks: readonly CommitMark[],
  minAfterCommitMs: number,
): readonly CommitMark[] {
  const lastMs = marks.at(-1)?.timeMs ?? 0;
  return marks.filter((mark) => mark.timeMs <= lastMs - minAfterCommitMs);
}

/** Everything before this offset was committed at least `minAfterCommitMs` before `nowMs`. */
export function settledOffset(marks: readonly CommitMark[], nowMs: number, minAfterCommitMs: number): number {
  return marks.findLast((mark) => mark.timeMs <= nowMs - minAfterCommitMs)?.offset ?? 0;
}

/**
 * How much of a topic's share of the file records may take, in bytes. The rest is for what LMDB needs to use pages
 * again: copies of the pages a transaction changes, and free runs too short for the next record. Where records are
 * large against the file, it may outgrow its bound by some percent all the same (`excessBytes`): then records get that
 * much less, and it stops growing.
 */
export function recordRoomBytes(bytes: number, excessBytes: number): number {
  return Math.max(0, Math.floor(bytes * 0.75) - Math.max(0, excessBytes));
}

/** The part of the room that is in use when the oldest records begin to go, so that appends rarely meet the limit. */
export const fullAt = 0.9;

const pageBytes = 4096;

/** The pages a record with so long a payload may fill, in bytes, at most: small ones share pages, which are at least half full. */
export function footprintBytes(payloadBytes: number): number {
  const bytes = payloadBytes + 2 * pageBytes;
  return payloadBytes < pageBytes / 3 ? 2 * (payloadBytes + 128) : Math.ceil(bytes / pageBytes) * pageBytes;
}

/** For people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
