import { readMetadata } from '../core/commit-metadata.ts';
import type { Commit } from '../core/stream.ts';

/** How far the rows are stored. Everything before `offset` is in the tables. */
export interface RowProgress {
  readonly offset: number;
  /** Everything before this offset is there also after a power cut. */
  readonly settled: number;
  /** In which boot of the machine that was so (`currentBoot`). */
  readonly boot: string;
}

/** As a commit of the claim. */
export function toCommit({ offset, settled, boot }: RowProgress): Commit {
  return { position: { offset, index: 0 }, metadata: JSON.stringify({ settled, boot }) };
}

/** What `commit` says; with metadata that is not ours, that everything before its position is settled. */
export function fromCommit({ position, metadata }: Commit): RowProgress {
  const { settled, boot } = readMetadata(metadata);
  return {
    offset: position.offset,
    settled: typeof settled === 'number' ? Math.min(settled, position.offset) : position.offset,
    boot: typeof boot === 'string' ? boot : '',
  };
}
