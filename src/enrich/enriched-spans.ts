import { Failure } from '../core/failure.ts';
import type { Headers, NewRecord } from '../core/stream.ts';
import { SpanIndex } from '../otlp/span-index.ts';
import { SpanView } from '../otlp/span-view.ts';
import { limitBytes } from '../otlp/wire.ts';
import { fields } from '../semconv/fields.ts';
import type { SpanFacts, SpanIds } from '../semconv/span-facts.ts';
import {
  costSourceOf,
  escalationReasonOf,
  escalationStateOf,
  evidenceLevelOf,
  outcomeOf,
  resultOf,
  stepOf,
  unknown,
  type CostSource,
  type EscalationReason,
  type EscalationState,
  type EvidenceLevel,
  type Outcome,
  type Result,
  type Step,
} from '../semconv/vocabulary.ts';
import { canonicalKeys } from './canonical-keys.ts';
import { enrichedHeader, type Enricher } from './enricher.ts';

/**
 * Reads the spans of records. A record that nobody of ours enriched, such as a Collector's, is enriched first by the
 * same code. What it hands out is valid until the next `read`.
 */
export class EnrichedSpans {
  /** Where everything stands in the record as it was enriched. */
  readonly index = new SpanIndex(canonicalKeys);
  /** The cursor that `at` moves. */
  readonly view = new SpanView(this.index);
  readonly #enricher: Enricher;
  #headers: Headers = {};
  /** What was made of a record that nobody had enriched, until the next such. */
  #enriched: readonly NewRecord[] = [];
  readonly #facts = new ViewedFacts(this.view);

  constructor(enricher: Enricher) {
    this.#enricher = enricher;
  }

  /**
   * Reads `record`. Throws an `invalid` Failure when its payload is no ExportTraceServiceRequest, or so long that it
   * cannot be read once it is enriched; `count` is then 0.
   */
  read(record: { readonly payload: Uint8Array; readonly headers: Headers }): void {
    this.#headers = record.headers;
    if (record.headers[enrichedHeader] !== undefined) {
      this.index.read(record.payload);
      return;
    }
    this.index.read(nothing);
    this.#enricher.release(this.#enriched);
    const { records, accepted } = this.#enricher.enrich(record.payload, 1, limitBytes);
    this.#enriched = records;
    const [enriched] = records;
    if (!enriched) return;
    if (enriched.spans < accepted) {
      throw new Failure(
        'invalid',
        `the record of ${record.payload.byteLength} bytes is longer than ${limitBytes} when enriched: send smaller batches`,
      );
    }
    this.index.read(enriched.payload);
    this.#headers = { ...record.headers, ...enriched.headers };
  }

  /** The headers of the record as it was enriched. */
  get headers(): Headers {
    return this.#headers;
  }

  /** How many spans the record has. */
  get count(): number {
    return this.index.count;
  }

  /** What span `row`, from 0, says; always the same object, moved. */
  at(row: number): SpanFacts {
    this.view.at(row);
    return this.#facts.moved();
  }
}

const nothing = new Uint8Array(0);

/** The facts of the span that the view is at. */
class ViewedFacts implements SpanFacts {
  readonly #view: SpanView;
  /** Others depend on it, so it is read once; undefined when that is still to be done. */
  #step: Step | undefined;

  constructor(view: SpanView) {
    this.#view = view;
  }

  /** The view has been moved to another span. */
  moved(): this {
    this.#step = undefined;
    return this;
  }

  readIds(ids: SpanIds): void {
    const { index, row } = this.#view;
    const { view: bytes, spans } = index;
    const trace = spans.traceIdAt[row]!;
    ids.trace0 = bytes.getInt32(trace, true);
    ids.trace1 = bytes.getInt32(trace + 4, true);
    ids.trace2 = bytes.getInt32(trace + 8, true);
    ids.trace3 = bytes.getInt32(trace + 12, true);
    const span = spans.spanIdAt[row]!;
    ids.span0 = bytes.getInt32(span, true);
    ids.span1 = bytes.getInt32(span + 4, true);
    const parent = spans.parentSpanIdAt[row]!;
    ids.parent0 = parent === 0 ? 0 : bytes.getInt32(parent, true);
    ids.parent1 = parent === 0 ? 0 : bytes.getInt32(parent + 4, true);
    ids.run = this.#text(fields.runId);
  }

  get traceId(): string {
    return this.#view.traceIdHex();
  }

  get spanId(): string {
    return this.#view.spanIdHex();
  }

  get parentSpanId(): string {
    return this.#view.parentSpanIdHex();
  }

  get startMs(): number {
    return this.#view.startMs;
  }

  get endMs(): number {
    return this.#view.endMs;
  }

  get step(): Step {
    return (this.#step ??= this.#word(fields.step, stepOf) ?? 'other');
  }

  get agent(): string {
    return this.#text(fields.agent) || unknown;
  }

  get tool(): string {
    return this.#text(fields.tool);
  }

  get runId(): string {
    return this.#text(fields.runId) || this.traceId;
  }

  get sessionId(): string {
    return this.#text(fields.sessionId);
  }

  get release(): string {
    return this.#text(fields.release) || unknown;
  }

  get environment(): string {
    return this.#text(fields.environment) || unknown;
  }

  get result(): Result | undefined {
    return this.step === 'tool' ? this.#word(fields.result, resultOf) : undefined;
  }

  get failed(): boolean {
    return this.#view.has(fields.errorType);
  }

  get errorType(): string {
    return this.#text(fields.errorType);
  }

  get outcome(): Outcome | undefined {
    return this.#word(fields.outcome, outcomeOf);
  }

  get evidence(): EvidenceLevel {
    return this.#word(fields.evidence, evidenceLevelOf) ?? 'none';
  }

  get escalationReason(): EscalationReason | undefined {
    return this.#word(fields.escalationReason, escalationReasonOf);
  }

  get escalationState(): EscalationState | undefined {
    return this.#word(fields.escalationState, escalationStateOf);
  }

  get costUsd(): number | undefined {
    return this.#view.number(fields.costUsd);
  }

  get costSource(): CostSource | undefined {
    return this.#word(fields.costSource, costSourceOf);
  }

  get inputTokens(): number | undefined {
    return this.step === 'llm' ? this.#view.number(fields.inputTokens) : undefined;
  }

  get outputTokens(): number | undefined {
    return this.step === 'llm' ? this.#view.number(fields.outputTokens) : undefined;
  }

  #text(field: number): string {
    return this.#view.string(field) ?? '';
  }

  #word<T>(field: number, wordOf: (text: string) => T | undefined): T | undefined {
    const text = this.#view.string(field);
    return text === undefined ? undefined : wordOf(text);
  }
}
