import type { Position } from '../core/stream.ts';

/** What became of the spans before a committed position: each is stored, dead or expired, and counted once. */
export interface Conservation {
  readonly position: Position;
  /** Spans before `position`: the sum of the other three. */
  readonly committedSpans: number;
  readonly storedSpans: number;
  /** Spans in the dead letters. */
  readonly deadSpans: number;
  /** Spans of an announced block that the stream's retention removed before they were stored. */
  readonly expiredSpans: number;
}
