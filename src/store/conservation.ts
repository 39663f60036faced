import type { Position } from '../core/stream.ts';

/**
 * What became of the spans before a committed position. Each is stored, dead or expired, and counted once:
 * `committedSpans` is counted on its own, where the stream is walked, so that a difference from the sum of the others
 * shows a span that was passed and went nowhere.
 */
export interface Conservation {
  readonly position: Position;
  /** Spans before `position`. */
  readonly committedSpans: number;
  readonly storedSpans: number;
  /** Spans in the dead letters. */
  readonly deadSpans: number;
  /** Spans of an announced block that the stream's retention removed before they were stored. */
  readonly expiredSpans: number;
}
