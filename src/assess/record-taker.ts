import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { Headers, StreamRecord } from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { RunCounts } from '../runs/run-counts.ts';
import type { SpanFacts } from '../semconv/span-facts.ts';
import type { Assessment, Reading } from './assessment.ts';

/** Reads the spans of a record. `at` returns one cursor, valid until the next call; `read` throws an `invalid` Failure for bytes that are no request. */
export interface SpanReader {
  read(record: { readonly payload: Uint8Array; readonly headers: Headers }): void;
  readonly count: number;
  at(index: number): SpanFacts;
}

/** Gives the spans of records to an assessment, and counts what becomes of them. */
export class RecordTaker {
  readonly #spans: SpanReader;
  readonly #clock: Clock;
  readonly #telemetry: Telemetry;

  constructor({
    spans,
    clock,
    telemetry,
  }: {
    readonly spans: SpanReader;
    readonly clock: Clock;
    readonly telemetry: Telemetry;
  }) {
    this.#spans = spans;
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** Takes the next records of `reading`; `isAtEnd` says of none that there are no more for now. */
  take(assessment: Assessment, reading: Reading, records: readonly StreamRecord[], isAtEnd: boolean): void {
    const { assembler } = assessment;
    const before = { ...assembler.counts };
    const nowMs = this.#clock.nowMs();
    for (const record of records) {
      assessment.enterRecord(reading, record.offset, record.timeMs, nowMs);
      this.#addSpans(assessment, reading, record);
      assessment.leaveRecord(reading, nowMs);
    }
    if (records.length === 0) assessment.pause(reading, nowMs, isAtEnd);
    this.#report(before, assembler.counts);
    this.#telemetry.set('plimsoll_assess_open_runs', assembler.openRuns, {});
    this.#telemetry.set('plimsoll_assess_runs_in_memory', assembler.size, {});
  }

  #addSpans(assessment: Assessment, reading: Reading, record: StreamRecord): void {
    const spans = this.#spans;
    try {
      spans.read(record);
    } catch (error) {
      if (!(error instanceof Failure && error.kind === 'invalid')) throw error;
      this.#telemetry.count('plimsoll_assess_undecodable_records_total', 1, {}); // the store keeps it as a dead letter
      return;
    }
    const { count } = spans;
    for (let i = 0; i < count; i++) assessment.assembler.add(spans.at(i), reading.lane);
  }

  #report(before: Readonly<RunCounts>, after: Readonly<RunCounts>): void {
    const telemetry = this.#telemetry;
    telemetry.count('plimsoll_assess_spans_total', after.spans - before.spans, {});
    telemetry.count('plimsoll_assess_resent_spans_total', after.resent - before.resent, {});
    telemetry.count('plimsoll_assess_unsampled_log_records_total', after.unsampled - before.unsampled, {});
    telemetry.count('plimsoll_assess_clamped_spans_total', after.clamped - before.clamped, {});
    telemetry.count('plimsoll_assess_late_spans_total', after.late - before.late, {});
    telemetry.count('plimsoll_assess_unremembered_spans_total', after.unremembered - before.unremembered, {});
    telemetry.count('plimsoll_assess_spilled_runs_total', after.spilled - before.spilled, {});
    telemetry.count('plimsoll_assess_lost_words_total', after.discarded - before.discarded, {});
  }
}
