import type { PartitionBounds } from '../core/stream.ts';
import type { Kpis } from '../kpi/kpis.ts';
import type { Watermark } from '../kpi/watermark.ts';
import type { FinishedRun, RunSink, ToolCall } from '../runs/finished-run.ts';
import type { Lane } from '../runs/lane.ts';
import { RunAssembler, type RunSettings } from '../runs/run-assembler.ts';
import type { Progress } from './progress.ts';
import { ReplayIndex } from './replay-index.ts';

/** Event times may be this far ahead of the record that holds them; later ones are clamped. */
const maxAheadMs = 5000;

/** Sweeping looks at every open run, so it is done once in so much event time. */
const sweepEveryMs = 1000;

/** One partition being read: where it stands, and what a restart would need. */
export interface Reading {
  readonly lane: Lane;
  readonly index: ReplayIndex;
  /** The end of the stream when reading began. */
  readonly endAtStart: number;
  /** Records below this offset have been counted before. */
  readonly countedBefore: number;
  /** The runs of records below this offset are kept. */
  readonly keptBefore: number;
  /** The next offset to read. */
  next: number;
}

/**
 * Everything rebuilt from the stream by one uninterrupted ownership of it: open runs and windows. What a lost
 * partition put in cannot be taken out, so after a loss a new session reads everything again.
 */
export class Session implements RunSink {
  readonly assembler: RunAssembler;
  readonly #readings = new Map<number, Reading>();
  readonly #begun = new Set<number>();
  /** Partitions of which not all is read again that was counted before, by the offset at which it is. */
  readonly #replaying = new Map<number, number>();
  readonly #kpis: Kpis;
  readonly #keep: (run: FinishedRun) => void;
  readonly #watermark: Watermark;
  readonly #keepMs: number;
  #sweptMs = Number.NEGATIVE_INFINITY;
  #timeouts = 0;

  /** Empties the windows of `kpis`. `keep` gets what is known of runs that ended. */
  constructor(kpis: Kpis, runs: RunSettings, latenessMs: number, keep: (run: FinishedRun) => void) {
    this.#kpis = kpis;
    this.#keep = keep;
    this.#keepMs = kpis.longestWindowMs + latenessMs + runs.idleTimeoutMs;
    this.assembler = new RunAssembler(runs, this);
    kpis.restart();
    this.#watermark = kpis.watermark;
  }

  /** How many partitions are being read. */
  get size(): number {
    return this.#readings.size;
  }

  /** Runs that ended by timeout, so far. */
  get timeouts(): number {
    return this.#timeouts;
  }

  /**
   * Whether everything that was counted before, on all of so many `partitions`, is read again. Until then a run with new
   * spans may lack old ones: less is then known of it than was kept, and nothing takes that place.
   */
  isWhole(partitions: number): boolean {
    return this.#begun.size === partitions && this.#replaying.size === 0;
  }

  /** Whether records of `partition` are already in the windows. */
  hasBegun(partition: number): boolean {
    return this.#begun.has(partition);
  }

  /**
   * Begins to read `partition` where `progress` says, or at the start of the stream. Where retention has removed
   * that, at the oldest record kept: windows are complete once they no longer reach beyond it, and runs that began
   * before are put together from what is there. `kept` is the progress that is committed, so that the runs known by then are
   * kept; what this process has counted since may be lost with it.
   */
  begin(
    partition: number,
    { progress, kept }: { readonly progress: Progress | undefined; readonly kept: Progress | undefined },
    bounds: PartitionBounds,
    nowMs: number,
  ): Reading {
    const replayFrom = progress?.replayFrom ?? 0;
    const next = Math.max(bounds.start, replayFrom);
    const countedBefore = Math.max(next, progress?.counted ?? 0);
    const keptBefore = Math.max(next, kept?.counted ?? 0);
    const lane: Lane = {
      partition,
      offset: next,
      latestMs: 0,
      live: next >= countedBefore,
      countedMs: progress?.countedMs ?? Number.NEGATIVE_INFINITY,
      isNews: next >= keptBefore,
      keptMs: kept?.countedMs ?? Number.NEGATIVE_INFINITY,
      newestMs: Number.NEGATIVE_INFINITY,
    };
    const index = new ReplayIndex(this.#keepMs, this.#kpis.longestWindowMs);
    const reading: Reading = { lane, index, endAtStart: bounds.end, countedBefore, keptBefore, next };
    const replayedAt = Math.min(countedBefore, bounds.end);
    if (next < replayedAt) this.#replaying.set(partition, replayedAt);
    this.#readings.set(partition, reading);
    this.#begun.add(partition);
    const watermark = this.#watermark;
    const isWhole = next === replayFrom;
    const sinceMs = isWhole
      ? (progress?.coveredSinceMs ?? Number.NEGATIVE_INFINITY)
      : Number.POSITIVE_INFINITY;
    const isEmpty = next >= bounds.end;
    watermark.claim(partition);
    watermark.cover(partition, isEmpty ? Math.min(sinceMs, nowMs) : sinceMs);
    if (isEmpty) watermark.catchUp(partition);
    return reading;
  }

  /** No longer reads the partition of `reading`; what it put into the windows stays. */
  end(reading: Reading): void {
    this.#readings.delete(reading.lane.partition);
  }

  /** Moves `reading` to the record at `offset`, appended at `timeMs`, before its spans are added. */
  enterRecord(reading: Reading, offset: number, timeMs: number): void {
    const { lane, index } = reading;
    lane.offset = offset;
    lane.latestMs = timeMs + maxAheadMs;
    if (!lane.live && offset >= reading.countedBefore) {
      this.assembler.advance(lane.countedMs, lane); // what timed out before is not to end with a new record
      lane.live = true;
    }
    lane.isNews = offset >= reading.keptBefore;
    index.addRecord(offset, timeMs);
    const watermark = this.#watermark;
    // A gap is what retention removed before it was read: nothing older is whole.
    if (offset > reading.next || watermark.coveredSinceMs(lane.partition) === Number.POSITIVE_INFINITY)
      watermark.cover(lane.partition, timeMs);
  }

  /** Ends the record that `enterRecord` began: reports its runs and moves event time on. */
  leaveRecord(reading: Reading, timeMs: number, nowMs: number): void {
    const { lane } = reading;
    this.assembler.settle(lane);
    reading.next = lane.offset + 1;
    if (reading.next >= (this.#replaying.get(lane.partition) ?? 0)) this.#replaying.delete(lane.partition);
    const watermark = this.#watermark;
    watermark.advance(lane.partition, lane.newestMs, timeMs, nowMs);
    if (reading.next >= reading.endAtStart) watermark.catchUp(lane.partition);
    this.#sweep(nowMs);
  }

  /** There is nothing more to read for `reading` now. */
  idle(reading: Reading, nowMs: number): void {
    this.#watermark.exhaust(reading.lane.partition);
    this.#sweep(nowMs);
  }

  #sweep(nowMs: number): void {
    const watermarkMs = this.#watermark.moveOn(nowMs);
    if (watermarkMs === undefined || watermarkMs - this.#sweptMs < sweepEveryMs) return;
    this.#sweptMs = watermarkMs;
    this.assembler.advance(watermarkMs);
  }

  /** What a restart would need to know of `reading` now. */
  progress(reading: Reading, nowMs: number): Progress {
    const { lane, index, next } = reading;
    const watermark = this.#watermark;
    const watermarkMs = watermark.at(nowMs) ?? Number.NEGATIVE_INFINITY;
    const oldestNeeded = index.position(nowMs, watermarkMs, next);
    return {
      replayFrom: Math.min(oldestNeeded, this.assembler.oldestOpenOffset(lane) ?? next),
      counted: Math.max(reading.countedBefore, next),
      countedMs: Math.max(lane.countedMs, this.#sweptMs),
      coveredSinceMs: Math.max(watermark.coveredSinceMs(lane.partition), nowMs - this.#keepMs + maxAheadMs),
    };
  }

  finished(run: FinishedRun): void {
    if (run.closedBy === 'idle') this.#timeouts++;
    this.#kpis.finished(Object.assign(run, { reviewSeconds: 0 }));
    this.#keepBeginning(run);
  }

  revised(before: FinishedRun, after: FinishedRun): void {
    this.#kpis.revised(
      Object.assign(before, { reviewSeconds: 0 }),
      Object.assign(after, { reviewSeconds: 0 }),
    );
    this.#keepBeginning(after);
  }

  known(run: FinishedRun): void {
    this.#keep(run);
  }

  toolCall(call: ToolCall): void {
    this.#kpis.toolCall({ ...call, traceId: '' });
  }

  #keepBeginning(run: FinishedRun): void {
    for (const { partition, offset } of run.starts) {
      this.#readings.get(partition)?.index.addEnding(offset, run.closedMs);
    }
  }
}
