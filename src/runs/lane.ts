/** The partition whose records are being added, and what is true of the current one. Its owner moves it on. */
export interface Lane {
  /** Ends later than this are clamped to it, in milliseconds since the epoch. */
  latestMs: number;
  /** Latest end seen, after clamping. */
  newestMs: number;
}
