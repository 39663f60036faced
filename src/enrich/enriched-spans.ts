import { Failure } from '../core/failure.ts';
import type { Headers } from '../core/stream.ts';
import { SpanIndex } from '../otlp/span-index.ts';
import { SpanView } from '../otlp/span-view.ts';
import { limitBytes } from '../otlp/wire.ts';
import { fields } from '../semconv/fields.ts';
import type { SpanFacts } from '../semconv/span-facts.ts';
import {
  isCostSource,
  isEscalationReason,
  isEscalationState,
  isEvidenceLevel,
  isOutcome,
  isResult,
  isStep,
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
  readonly #facts = new ViewedFacts(this.view);

  constructor(enricher: Enricher) {
    this.#enricher = enricher;
  }

  /**
   * Reads `record`. Throws an `invalid` Failure when its payload is no ExportTraceServiceRequest, or so long that it
   * cannot be read once it is enriched; `count` is then 0.
   */
  read(record: { readonly payload: Uint8Array; readonly headers: Headers }): void {
    if (record.headers[enrichedHeader] !== undefined) {
      this.index.read(record.payload);
      return;
    }
    this.index.read(nothing);
    const { records, accepted } = this.#enricher.enrich(record.payload, 1, limitBytes);
    const [enriched] = records;
    if (!enriched) return;
    if (enriched.spans < accepted) {
      throw new Failure(
        'invalid',
        `the record of ${record.payload.byteLength} bytes is longer than ${limitBytes} when enriched: send smaller batches`,
      );
    }
    this.index.read(enriched.payload);
  }

  /** How many spans the record has. */
  get count(): number {
    return this.index.count;
  }

  /** What span `row`, from 0, says; always the same object, moved. */
  at(row: number): SpanFacts {
    this.view.at(row);
    return this.#facts;
  }
}

const nothing = new Uint8Array(0);

/** The facts of the span that the view is at. */
class ViewedFacts implements SpanFacts {
  readonly #view: SpanView;

  constructor(view: SpanView) {
    this.#view = view;
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
    const step = this.#text(fields.step);
    return isStep(step) ? step : 'other';
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
    const result = this.#text(fields.result);
    return isResult(result) && this.step === 'tool' ? result : undefined;
  }

  get failed(): boolean {
    return this.#view.has(fields.errorType);
  }

  get errorType(): string {
    return this.#text(fields.errorType);
  }

  get outcome(): Outcome | undefined {
    const outcome = this.#text(fields.outcome);
    return isOutcome(outcome) ? outcome : undefined;
  }

  get evidence(): EvidenceLevel {
    const evidence = this.#text(fields.evidence);
    return isEvidenceLevel(evidence) ? evidence : 'none';
  }

  get escalationReason(): EscalationReason | undefined {
    const reason = this.#text(fields.escalationReason);
    return isEscalationReason(reason) ? reason : undefined;
  }

  get escalationState(): EscalationState | undefined {
    const state = this.#text(fields.escalationState);
    return isEscalationState(state) ? state : undefined;
  }

  get costUsd(): number | undefined {
    return this.#view.number(fields.costUsd);
  }

  get costSource(): CostSource | undefined {
    const source = this.#text(fields.costSource);
    return isCostSource(source) ? source : undefined;
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
}
