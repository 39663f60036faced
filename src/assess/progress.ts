import { readMetadata } from '../core/commit-metadata.ts';
import type { Commit } from '../core/stream.ts';

/** How far a partition has been assessed. A restart reads from `replayFrom`, as far as it is still there, and counts from `counted` on. */
export interface Progress {
  /** Counters have taken every record below this offset: the position of the commit, so that lag is what is still to be counted. */
  readonly counted: number;
  /** Offset from which windows and open runs can be rebuilt, `counted` at most. Holds no record back from retention. */
  readonly replayFrom: number;
  /** Counters have taken every idle timeout up to this event time, in milliseconds since the epoch. */
  readonly countedMs: number;
  /** Every event since this time is at or after `replayFrom`; Infinity when nobody knows. */
  readonly coveredSinceMs: number;
}

const version = 2;

/** As a commit of the claim, well below its 2 KB. */
export function toCommit({ replayFrom, counted, countedMs, coveredSinceMs }: Progress): Commit {
  // JSON writes an infinite time as null.
  const metadata = JSON.stringify({ v: version, replayFrom, countedMs, coveredSinceMs });
  return { position: { offset: counted, index: 0 }, metadata };
}

/** The progress that `commit` says. Metadata that is not ours, or of another version, says nothing: then all from its position on is new. */
export function fromCommit(commit: Commit): Progress {
  const counted = commit.position.offset;
  const said = readMetadata(commit.metadata);
  const isOurs = said['v'] === version;
  const number = (key: string, otherwise: number): number => {
    const value = isOurs ? said[key] : undefined;
    return typeof value === 'number' ? value : otherwise;
  };
  return {
    counted,
    replayFrom: Math.min(counted, number('replayFrom', counted)),
    countedMs: number('countedMs', Number.NEGATIVE_INFINITY),
    coveredSinceMs: number('coveredSinceMs', Number.POSITIVE_INFINITY),
  };
}
