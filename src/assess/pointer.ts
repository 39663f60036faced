import { z } from 'zod';
import { readMetadata } from '../core/commit-metadata.ts';
import type { Commit } from '../core/stream.ts';
import type { Snapshot } from './state-log.ts';

const version = 3;

const pointer = z.object({
  v: z.literal(version),
  snapshot: z.object({
    stream: z.string(),
    id: z.string(),
    from: z.int(),
    chunks: z.int(),
    bytes: z.int(),
    crc: z.int(),
  }),
});

/** A commit of the claim, well below its 2 KB: everything before `offset` is in `snapshot`. */
export function toCommit(offset: number, snapshot: Snapshot): Commit {
  return { position: { offset, index: 0 }, metadata: JSON.stringify({ v: version, snapshot }) };
}

/** The snapshot that `commit` points at. Undefined where its metadata is not ours, or of another version: then its position alone counts. */
function snapshotOf({ metadata }: Commit): Snapshot | undefined {
  return pointer.safeParse(readMetadata(metadata)).data?.snapshot;
}

/** Whether `commit` is none that an assessor made, of whatever version: an operator's, who says where to begin. */
export function isForeign({ metadata }: Commit): boolean {
  return typeof readMetadata(metadata)['v'] !== 'number';
}

/**
 * The snapshot to begin with, of those that the commits of all partitions point at: the one that was written last on
 * `stream`, or any where none is there. It holds the offsets of all partitions, so one commit of it is enough, and a process that was killed between two leaves
 * nothing half done.
 */
export function latestSnapshot(
  commits: readonly (Commit | undefined)[],
  stream: string,
): Snapshot | undefined {
  const rank = (one: Snapshot): number => (one.stream === stream ? one.from : -1);
  let latest: Snapshot | undefined;
  for (const commit of commits) {
    const snapshot = commit && snapshotOf(commit);
    if (!snapshot) continue;
    if (!latest || rank(snapshot) > rank(latest)) latest = snapshot;
  }
  return latest;
}
