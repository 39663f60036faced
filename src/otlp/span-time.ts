const dayMs = 86_400_000;
const dayNanos = 86_400_000_000_000;
/** A double this near to a day's border may have been rounded over it. */
const roundingNanos = 1024;
const oldestDays = 366;
const newestDays = 1;

/** Whether a start of `nanos` (as a double) is one a row may keep, for a record of `recordTimeMs`. */
export function isPlausibleStart(nanos: number, recordTimeMs: number): boolean {
  const startMs = nanos / 1e6;
  return startMs >= recordTimeMs - oldestDays * dayMs && startMs <= recordTimeMs + newestDays * dayMs;
}

/** The nanoseconds since the epoch at `at`, rounded to a double; 0 when `at` is 0, "absent". */
export function nanosAt(view: DataView, at: number): number {
  return at === 0 ? 0 : view.getUint32(at + 4, true) * 4_294_967_296 + view.getUint32(at, true);
}

/**
 * The UTC day, counted from the epoch, of the row of a span that starts at `nanos`, which stand at `at`. A start
 * more than 366 days before or 1 day after its record is the sender's mistake: the row gets the record's time.
 */
export function startDay(view: DataView, at: number, nanos: number, recordTimeMs: number): number {
  if (!isPlausibleStart(nanos, recordTimeMs)) return Math.floor(recordTimeMs / dayMs);
  const day = Math.floor(nanos / dayNanos);
  const rest = nanos - day * dayNanos;
  if (rest >= roundingNanos && rest <= dayNanos - roundingNanos) return day;
  return Number(view.getBigUint64(at, true) / BigInt(dayNanos));
}

let lastDay = 0;
let lastDate = '1970-01-01';

/** `day` as YYYY-MM-DD. */
export function dateOfDay(day: number): string {
  if (day !== lastDay) {
    lastDate = new Date(day * dayMs).toISOString().slice(0, 10);
    lastDay = day;
  }
  return lastDate;
}
