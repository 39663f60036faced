/** The partition whose records are being added, and what is true of the current one. Its owner moves it on. */
export interface Lane {
  readonly partition: number;
  /** Of the current record. */
  offset: number;
  /** Ends later than this are clamped to it, in milliseconds since the epoch. */
  latestMs: number;
  /** False while replaying what an earlier process has counted. */
  live: boolean;
  /** Idle timeouts up to this event time were counted by an earlier process. */
  countedMs: number;
  /** False while replaying records whose runs are kept: what is known of those was said to `known`, and is durable. */
  isNews: boolean;
  /** Runs that timed out up to this event time are kept. */
  keptMs: number;
  /** Latest end seen, after clamping. */
  newestMs: number;
}
