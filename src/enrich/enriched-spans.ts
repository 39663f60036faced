import { Failure } from '../core/failure.ts';
import type { Headers, NewRecord } from '../core/stream.ts';
import { jsonToProtobuf } from '../otlp/json-to-protobuf.ts';
import { keyFlag } from '../otlp/key-table.ts';
import { leftOutSpans } from '../otlp/left-out.ts';
import { markKind } from '../otlp/span-columns.ts';
import { SpanIndex } from '../otlp/span-index.ts';
import { SpanView } from '../otlp/span-view.ts';
import { limitBytes } from '../otlp/wire.ts';
import { asksForTool } from '../semconv/control-flow.ts';
import { fields } from '../semconv/fields.ts';
import { scorePrefix } from '../semconv/plimsoll.ts';
import { noScores, type SpanFacts, type SpanIds } from '../semconv/span-facts.ts';
import {
  costSourceOf,
  escalationReasonOf,
  escalationStateOf,
  evidenceLevelOf,
  logOriginOf,
  outcomeOf,
  resultOf,
  stepOf,
  unknown,
  type CostSource,
  type EscalationReason,
  type EscalationState,
  type EvidenceLevel,
  type LogOrigin,
  type Outcome,
  type Result,
  type Step,
} from '../semconv/vocabulary.ts';
import { canonicalKeys } from './canonical-keys.ts';
import { enrichedHeader, sentenceOf, type Enricher } from './enricher.ts';
import { hasAgentName } from './semantics.ts';

/** A span that waits for longer tells of a wait, not of work. */
const longestReviewMs = 3_600_000;

/** Spans of a record that are not valid, and so are none of its rows. */
export interface LeftOut {
  /** A payload with them alone, in the encoding of the record. */
  readonly payload: Uint8Array;
  readonly spans: number;
  /** What is wrong with them, as one sentence. */
  readonly reason: string;
}

/**
 * Reads the spans of records. A record that nobody of ours enriched, such as a Collector's, is enriched first by the
 * same code, whichever of OTLP's two encodings it has; another revision's work is left as it is. What it hands out is
 * valid until the next `read`.
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
  #leftOut: readonly LeftOut[] = [];
  readonly #facts = new ViewedFacts(this.view);

  constructor(enricher: Enricher) {
    this.#enricher = enricher;
  }

  /**
   * Reads `record`. Throws an `invalid` Failure when its payload is no ExportTraceServiceRequest, or so long that it
   * cannot be read once it is enriched; `count` is then 0. Spans that are not valid are `leftOut`, alone.
   */
  read(record: { readonly payload: Uint8Array; readonly headers: Headers }): void {
    this.#headers = record.headers;
    this.#leftOut = [];
    if (record.headers[enrichedHeader] === undefined) {
      this.index.read(nothing);
      this.#leftOut = this.#foreign(record.payload);
      return;
    }
    this.index.read(record.payload);
    const { rejectedCount: spans, rejections } = this.index;
    if (spans > 0)
      this.#leftOut = [{ payload: leftOutSpans(this.index), spans, reason: sentenceOf(rejections) }];
  }

  /** Enriches `payload` and reads what came of it; returns what is left out. */
  #foreign(payload: Uint8Array): readonly LeftOut[] {
    const { request, leftOut } = protobufOf(payload);
    this.#enricher.release(this.#enriched);
    this.#enriched = [];
    const { records, accepted, rejected, reasons } = this.#enricher.enrich(
      request,
      1,
      limitBytes,
      limitBytes,
    );
    this.#enriched = records;
    const [enriched] = records;
    if ((enriched?.spans ?? 0) < accepted) {
      throw new Failure(
        'invalid',
        `the record of ${payload.byteLength} bytes is longer than ${limitBytes} when enriched: send smaller batches`,
      );
    }
    if (enriched) {
      this.index.read(enriched.payload);
      this.#headers = { ...this.#headers, ...enriched.headers };
    } else if (rejected === 0 && leftOut.length === 0) this.#refuseOthers(request, payload);
    if (rejected === 0) return leftOut;
    return [
      ...leftOut,
      { payload: this.#enricher.leftOut(request), spans: rejected, reason: sentenceOf(reasons) },
    ];
  }

  /** A request may be empty. What says something and has no ResourceSpans is somebody else's message. */
  #refuseOthers(request: Uint8Array, payload: Uint8Array): void {
    this.index.read(request);
    const isEmpty = payload.length === 0 || this.index.requests.sizeBytes(0) < request.length;
    if (isEmpty || emptyJson.test(Buffer.from(payload).toString('latin1'))) return;
    throw new Failure('invalid', 'it has no ResourceSpans, and so is no ExportTraceServiceRequest');
  }

  /** The headers of the record as it was enriched. */
  get headers(): Headers {
    return this.#headers;
  }

  /** How many spans the record has. */
  get count(): number {
    return this.index.count;
  }

  /** Those of its spans that are not valid, and so not counted. */
  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  /** What span `row`, from 0, says; always the same object, moved. */
  at(row: number): SpanFacts {
    this.view.at(row);
    return this.#facts.moved();
  }
}

const scoreFlag = keyFlag.score;

/** More attempts than this are a sender's mistake. */
const limitAttempts = 1000;

const nothing = new Uint8Array(0);
const brace = 0x7b;
const jsonWhitespace: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const emptyJson = /^\s*\{\s*(?:\}|"resourceSpans")/;

/**
 * Whether `payload` begins like a JSON object. No protobuf message begins with a brace, but a request may begin with
 * white space and a brace; then it is JSON if it can be read as such, because JSON has no byte that could be the length
 * of a trace id.
 */
function beginsLikeJson(payload: Uint8Array): boolean {
  let at = 0;
  while (jsonWhitespace.has(payload[at])) at++;
  return payload[at] === brace;
}

/** A record's request in protobuf, and what was left out of it on the way. */
function protobufOf(payload: Uint8Array): { request: Uint8Array; leftOut: readonly LeftOut[] } {
  const asIs = { request: payload, leftOut: [] };
  if (!beginsLikeJson(payload)) return asIs;
  if (payload.length > limitBytes) {
    throw new Failure(
      'invalid',
      `the record of ${payload.length} bytes of JSON is longer than ${limitBytes}: send smaller batches`,
    );
  }
  try {
    const { bytes, rejected, reasons, leftOut } = jsonToProtobuf(payload);
    if (rejected === 0) return { request: bytes, leftOut: [] };
    return {
      request: bytes,
      leftOut: [{ payload: leftOut(), spans: rejected, reason: reasons.join('; ') }],
    };
  } catch (error) {
    if (payload[0] === brace) throw error;
    return asIs;
  }
}

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

  get namesAgent(): boolean {
    return hasAgentName(this.#view);
  }

  get tool(): string {
    return this.#text(fields.tool);
  }

  get toolCallId(): string {
    return this.#text(fields.toolCallId);
  }

  get attempt(): number {
    const attempt = this.#view.number(fields.attempt);
    return attempt === undefined ? 1 : Math.min(Math.max(1, Math.trunc(attempt)), limitAttempts);
  }

  get argumentsPrint(): number {
    return this.#view.print(fields.toolArguments);
  }

  get runId(): string {
    return this.#text(fields.runId) || this.traceId;
  }

  get sessionId(): string {
    return this.#text(fields.sessionId);
  }

  get userId(): string {
    return this.#text(fields.userId);
  }

  get taskType(): string {
    return this.#text(fields.taskType);
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

  get asksForTool(): boolean {
    return this.step === 'llm' && asksForTool.has(this.#text(fields.finishReason));
  }

  get costUsd(): number | undefined {
    return this.#view.number(fields.costUsd);
  }

  get costSource(): CostSource | undefined {
    return this.#word(fields.costSource, costSourceOf);
  }

  get reviewSeconds(): number | undefined {
    if (this.step !== 'review') return undefined;
    const state = this.escalationState;
    if (state === 'auto' || state === 'requested' || state === 'timed_out') return undefined;
    const lastedMs = Math.min(Math.max(0, this.endMs - this.startMs), longestReviewMs);
    return this.#view.number(fields.reviewSeconds) ?? lastedMs / 1000;
  }

  get log(): LogOrigin | undefined {
    return this.#word(fields.log, logOriginOf);
  }

  get scores(): ReadonlyMap<string, number> {
    const { index, row } = this.#view;
    const { bytes, marks, spans } = index;
    if ((marks.allFlags & scoreFlag) === 0) return noScores;
    const last = spans.marksFrom[row + 1]!;
    let scores: Map<string, number> | undefined;
    for (let mark = spans.marksFrom[row]!; mark < last; mark++) {
      if ((marks.flags[mark]! & scoreFlag) === 0 || marks.kind[mark] !== markKind.attribute) continue;
      const value = this.#view.numberAt(marks.memberAt[mark]!);
      const evaluator = bytes.toString('utf8', marks.keyAt[mark]! + scorePrefix.length, marks.keyEnd[mark]);
      if (value !== undefined) (scores ??= new Map()).set(evaluator, value);
    }
    return scores ?? noScores;
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
