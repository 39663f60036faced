import type { PartitionBounds } from '../core/stream.ts';
import type { Kpis, KpiState } from '../kpi/kpis.ts';
import type { Judge } from '../judge/judge.ts';
import { Watermark } from '../kpi/watermark.ts';
import type { FinishedRun, RunSink, SeenRun, ToolCall } from '../runs/finished-run.ts';
import type { Lane } from '../runs/lane.ts';
import { RunAssembler, type AssemblerState, type RunSettings } from '../runs/run-assembler.ts';

/** Event times may be this far ahead of the record that holds them; later ones are clamped. */
const maxAheadMs = 5000;

/** Sweeping looks at every open run, so it is done once in so much event time; and at every series, once in so much time. */
const sweepEveryMs = 1000;

/** A partition with nothing to read for so long holds back no tick of the judge. */
const idleAfterMs = 1000;

/** One partition being read. */
export interface Reading {
  readonly partition: number;
  readonly lane: Lane;
  /** The end of the stream when reading began. */
  readonly endAtStart: number;
  /** The next offset to read. */
  next: number;
}

/** What was known when everything before `next` had been read, as a snapshot keeps it. */
export interface AssessmentState {
  /** By partition. */
  readonly next: ReadonlyMap<number, number>;
  readonly newestMs: ReadonlyMap<number, number>;
  readonly sweptMs: number;
  readonly assembler: AssemblerState;
  readonly kpis: KpiState;
}

/** Everything that is known of the stream, as far as it was read: open and remembered runs, windows and counters, and what speaks against releases. */
export class Assessment implements RunSink {
  readonly assembler: RunAssembler;
  readonly #kpis: Kpis;
  readonly #judge: Judge;
  /** Up to when what was appended has been read: the judge's ticks are of that time, so that a replay gives the same. */
  readonly #appended = new Watermark({ latenessMs: 0, idleAfterMs });
  readonly #known: (run: FinishedRun) => void;
  readonly #readings = new Map<number, Reading>();
  #newestMs: ReadonlyMap<number, number> = new Map();
  #sweptMs = Number.NEGATIVE_INFINITY;
  #kpisSweptMs = Number.NEGATIVE_INFINITY;
  #changes = 0;
  /** When the current record was appended; between records, when the clock found nothing more. */
  #recordMs = Number.NEGATIVE_INFINITY;

  /** Begins with nothing, in `kpis` either; `judge` has what was known then. `known` gets what is known of each run that ended, as it ends and when that changes. */
  constructor(kpis: Kpis, judge: Judge, runs: RunSettings, known: (run: FinishedRun) => void) {
    this.#kpis = kpis;
    this.#judge = judge;
    this.#known = known;
    this.assembler = new RunAssembler(runs, this);
    kpis.restart();
  }

  get #watermark(): Watermark {
    return this.#kpis.watermark;
  }

  /** Changes whenever there is something that the last snapshot does not have. */
  get changes(): number {
    return this.#changes;
  }

  /** Notes that there is something that the last snapshot does not have. */
  change(): void {
    this.#changes++;
  }

  /** Everything as of `nowMs`, lent until the next record. */
  save(nowMs: number): AssessmentState {
    const readings = [...this.#readings];
    return {
      next: new Map(readings.map(([partition, { next }]) => [partition, next])),
      newestMs: new Map(readings.map(([partition, { lane }]) => [partition, lane.newestMs])),
      sweptMs: this.#sweptMs,
      assembler: this.assembler.save(),
      kpis: this.#kpis.save(this.assembler.places, nowMs),
    };
  }

  /** Goes on with what was saved. Before any partition is begun. */
  restore({ newestMs, sweptMs, assembler, kpis }: AssessmentState): void {
    this.#newestMs = newestMs;
    this.#sweptMs = sweptMs;
    this.assembler.restore(assembler, this.#kpis.restore(kpis));
  }

  /**
   * Begins to read `partition` at `next`, or where retention has removed that, at the oldest record kept: windows are
   * complete once they no longer reach beyond it. `known` says that everything before `next` was read.
   */
  begin(
    partition: number,
    { next, isKnown }: { readonly next: number; readonly isKnown: boolean },
    bounds: PartitionBounds,
    nowMs: number,
  ): Reading {
    const from = Math.max(bounds.start, next);
    const newestMs = this.#newestMs.get(partition) ?? Number.NEGATIVE_INFINITY;
    const reading = { partition, lane: { latestMs: 0, newestMs }, endAtStart: bounds.end, next: from };
    this.#readings.set(partition, reading);
    const watermark = this.#watermark;
    watermark.claim(partition);
    this.#appended.claim(partition);
    const isWhole = from === next;
    if (!isWhole) watermark.cover(partition, Number.POSITIVE_INFINITY);
    else if (!isKnown)
      watermark.cover(partition, next === 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
    if (from < bounds.end) return reading;
    watermark.cover(partition, Math.min(watermark.coveredSinceMs(partition), nowMs));
    watermark.catchUp(partition);
    return reading;
  }

  /** Whether everything is read that was on the stream when reading began. */
  get isCaughtUp(): boolean {
    return [...this.#readings.values()].every(({ next, endAtStart }) => next >= endAtStart);
  }

  /**
   * Moves `reading` to the record at `offset`, appended at `timeMs`, before its spans are added. It counts as
   * appended no later than now: a clock that is ahead would end the time that open runs have.
   */
  enterRecord(reading: Reading, offset: number, timeMs: number, nowMs: number): void {
    const { partition, lane } = reading;
    this.#recordMs = Math.min(timeMs, nowMs + maxAheadMs);
    lane.latestMs = this.#recordMs + maxAheadMs;
    const watermark = this.#watermark;
    // A gap is what retention removed before it was read: nothing older is whole.
    if (offset > reading.next || watermark.coveredSinceMs(partition) === Number.POSITIVE_INFINITY)
      watermark.cover(partition, timeMs);
    reading.next = offset;
  }

  /** Ends the record that `enterRecord` began: reports its runs and moves event time on. */
  leaveRecord(reading: Reading, nowMs: number): void {
    const { partition, lane } = reading;
    this.assembler.settle();
    reading.next++;
    this.#changes++;
    const watermark = this.#watermark;
    watermark.advance(partition, lane.newestMs, this.#recordMs, nowMs);
    this.#appended.advance(partition, this.#recordMs, this.#recordMs, nowMs);
    if (reading.next >= reading.endAtStart) watermark.catchUp(partition);
    this.#sweep(nowMs);
  }

  /** Nothing was read for `reading` now; `isAtEnd` says that there is nothing more. */
  pause({ partition }: Reading, nowMs: number, isAtEnd: boolean): void {
    if (isAtEnd) {
      this.#watermark.exhaust(partition, nowMs);
      this.#appended.exhaust(partition, nowMs);
    }
    this.#sweep(nowMs);
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#kpisSweptMs >= sweepEveryMs) {
      this.#kpisSweptMs = nowMs;
      if (this.#kpis.sweep(nowMs)) this.#changes++;
    }
    this.#judgeUntil(this.#appended.moveOn(nowMs));
    const watermarkMs = this.#watermark.moveOn(nowMs);
    if (watermarkMs === undefined || watermarkMs - this.#sweptMs < sweepEveryMs) return;
    this.#sweptMs = watermarkMs;
    this.assembler.advance(watermarkMs);
  }

  #judgeUntil(appendedMs: number | undefined): void {
    if (appendedMs === undefined) return;
    this.#recordMs = appendedMs; // runs that idle end between records
    if (this.#judge.advance(appendedMs)) this.#changes++;
  }

  seen(run: SeenRun): void {
    this.#judge.seen(run, this.#recordMs);
  }

  absorbed(slot: number, into: number): void {
    this.#judge.absorbed(slot, into, this.#recordMs);
  }

  finished(run: FinishedRun): void {
    this.#changes++;
    this.#kpis.finished(run);
    this.#judge.finished(run, this.#recordMs);
    this.#known(run);
  }

  revised(before: FinishedRun, after: FinishedRun): void {
    this.#changes++;
    this.#kpis.revised(before, after);
    this.#judge.revised(after, this.#recordMs);
    this.#known(after);
  }

  toolCall(call: ToolCall): void {
    this.#changes++;
    this.#kpis.toolCall(call);
  }
}
