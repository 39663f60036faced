/** What the assembler counts since it was made. */
export interface RunCounts {
  spans: number;
  /** Spans that an open or remembered run already had. */
  resent: number;
  /** Spans made of log records of traces that were not sampled: what is known of those runs is in no KPI. */
  unsampled: number;
  /** Spans whose end lay in the future and was taken back to the limit. */
  clamped: number;
  /** Open runs ended as `unknown` because there was no room for them. */
  spilled: number;
  /** Spans past the limit on ids a run remembers; a resent one among them counts again. */
  unremembered: number;
  /** Spans of a run that ended so long ago that only its result is still known. */
  late: number;
  /** Runs that were no more than a score or an outcome of a run that is not here: it came too late, or names another one. */
  discarded: number;
}

/** Nothing counted yet. */
export function noCounts(): RunCounts {
  return {
    spans: 0,
    resent: 0,
    unsampled: 0,
    clamped: 0,
    spilled: 0,
    unremembered: 0,
    late: 0,
    discarded: 0,
  };
}
