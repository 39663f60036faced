import type { StreamRecord } from '../core/stream.ts';
import type { EnrichedSpans } from '../enrich/enriched-spans.ts';
import { Rewrite } from '../otlp/rewrite.ts';
import { dayOf, encoderVersion, SpanRows } from '../otlp/span-rows.ts';
import type { RowEncoder, Rows } from './block.ts';
import type { Origin } from './place.ts';
import { typedColumns } from './trace-columns.ts';

/** Makes rows of `otel_traces` of the spans of records, enriching those records that nobody has. */
export class SpanEncoder implements RowEncoder {
  readonly version = encoderVersion;
  readonly #spans: EnrichedSpans;
  readonly #rewrite = new Rewrite();

  /** `spans` is used for one record at a time, whatever the partition, so one serves a whole store. */
  constructor(spans: EnrichedSpans) {
    this.#spans = spans;
  }

  rows(origin: Origin): Rows {
    return new TraceRows(this.#spans, origin);
  }

  single(record: StreamRecord, index: number): Pick<StreamRecord, 'headers' | 'payload'> {
    this.#spans.read(record);
    this.#rewrite.begin(this.#spans.index);
    for (let row = 0; row < this.#spans.count; row++)
      if (row === index) this.#rewrite.endSpan();
      else this.#rewrite.omitSpan();
    const [request] = this.#rewrite.finish(1);
    if (request === undefined) throw new Error(`record ${record.offset} has no span ${index}`);
    return { headers: this.#spans.headers, payload: request.payload };
  }
}

class TraceRows implements Rows {
  readonly #spans: EnrichedSpans;
  readonly #rows: SpanRows;
  #offset = 0;
  #timeMs = 0;

  constructor(spans: EnrichedSpans, origin: Origin) {
    this.#spans = spans;
    this.#rows = new SpanRows({ ...origin, typed: typedColumns });
  }

  get rows(): number {
    return this.#rows.rows;
  }

  get bytes(): number {
    return this.#rows.bytes;
  }

  read(record: StreamRecord): number {
    this.#spans.read(record);
    this.#offset = record.offset;
    this.#timeMs = record.timeMs;
    return this.#spans.count;
  }

  get leftOut(): EnrichedSpans['leftOut'] {
    return this.#spans.leftOut;
  }

  dayOf(index: number): number {
    return dayOf(this.#spans.view.at(index), this.#timeMs);
  }

  append(index: number, place = index): void {
    this.#rows.append(this.#spans.view.at(index), {
      offset: this.#offset,
      index: place,
      recordTimeMs: this.#timeMs,
    });
  }

  finish(): readonly Uint8Array[] {
    return this.#rows.finish();
  }

  reset(): void {
    this.#rows.reset();
  }
}
