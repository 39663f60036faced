import { Failure } from '../core/failure.ts';
import { Envelopes } from './envelopes.ts';
import type { KeyTable } from './key-table.ts';
import { isText } from './message-check.ts';
import { emptySlot, grown, MarkColumns, SpanColumns } from './span-columns.ts';
import { SpanScan } from './span-scan.ts';
import { sentences, verdict as verdicts, type Verdict } from './verdict.ts';
import { broken as brokenOffset, lengthAt, limitBytes, skipField, tagAt, varintWidth } from './wire.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const verdict = verdicts;
const broken = brokenOffset;

/** Tags of ExportTraceServiceRequest, ResourceSpans and ScopeSpans, which are alike on purpose. */
const requestTag = { resourceSpans: 0x0a } as const;
const envelopeTag = { subject: 0x0a, children: 0x12, schemaUrl: 0x1a } as const;
const lastEnvelopeField = 3;

/**
 * The most spans a request may have. An index takes about 300 bytes a span, far more than the smallest span does, so
 * a request of nothing but those would take many times its own memory. A batch of an SDK has 512.
 */
export const limitSpans = 262_144;

/**
 * Where everything in one ExportTraceServiceRequest stands. Reusable: each `read` overwrites what the last one
 * found, and keeps the request's bytes, which must not change while the index is in use.
 *
 * A span that is not valid (see `rejections`) is left out, alone. Among valid ones are the spans of every program
 * that follows the specification, and nothing a stricter decoder downstream would refuse.
 */
export class SpanIndex {
  readonly keys: KeyTable;
  /** Rows 0 to `count - 1`. */
  readonly spans: SpanColumns;
  readonly marks = new MarkColumns();
  /** Attributes of resources and scopes that have spans, in the order they stand. */
  readonly envelopeMarks = new MarkColumns();
  /** What stands around the spans; `spans.resource` and `spans.scope` are ordinals here. The request is envelope 0. */
  readonly requests = new Envelopes();
  readonly resources = new Envelopes();
  readonly scopes = new Envelopes();
  /** `keys.fieldCount` slots a resource. */
  resourceSlots = new Uint32Array(0);
  /** The request, as read. */
  bytes: Buffer = Buffer.alloc(0);
  /** Covers `bytes`. */
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Valid spans. */
  count = 0;
  /** Spans met so far, valid or not. */
  #met = 0;
  readonly #scan: SpanScan;
  readonly #rejected = new Uint32Array(sentences.length);

  constructor(keys: KeyTable) {
    this.keys = keys;
    this.spans = new SpanColumns(keys.fieldCount);
    this.#scan = new SpanScan(keys, this.spans, this.marks, this.envelopeMarks);
  }

  /**
   * Indexes `request`. Throws an `invalid` Failure when what is around the spans is broken, so that nobody can
   * tell where spans begin, or when there are more than `limitSpans`; the index is then empty.
   */
  read(request: Uint8Array): void {
    this.#reset(request);
    let sentence = `the request of ${request.byteLength} bytes is larger than ${limitBytes}`;
    if (request.byteLength <= limitBytes) {
      sentence = this.#request();
      if (sentence === '') return;
    }
    this.count = 0;
    throw new Failure('invalid', sentence);
  }

  /** Spans left out because they are not valid. */
  get rejectedCount(): number {
    let count = 0;
    for (const rejected of this.#rejected) count += rejected;
    return count;
  }

  /** How many spans were left out, by the sentence that says why. */
  get rejections(): ReadonlyMap<string, number> {
    const bySentence = new Map<string, number>();
    this.#rejected.forEach((count, why) => {
      if (count > 0) bySentence.set(sentences[why]!, count);
    });
    return bySentence;
  }

  /** Whether this was an ExportLogsServiceRequest sent to the traces endpoint: everything in it is a log record. */
  get looksLikeLogs(): boolean {
    return (
      this.count === 0 &&
      this.#rejected[verdict.log]! > 0 &&
      this.#rejected[verdict.log] === this.rejectedCount
    );
  }

  #reset(request: Uint8Array): void {
    this.bytes = Buffer.from(request.buffer, request.byteOffset, request.byteLength);
    this.view = new DataView(request.buffer, request.byteOffset, request.byteLength);
    this.#scan.open(this.bytes, this.view);
    this.spans.reset();
    this.marks.reset();
    this.envelopeMarks.reset();
    this.requests.reset();
    this.resources.reset();
    this.scopes.reset();
    this.#rejected.fill(0);
    this.count = 0;
    this.#met = 0;
  }

  /** Reads the whole request; returns '' or what is wrong with it. */
  #request(): string {
    const { bytes } = this;
    const end = bytes.length;
    for (let offset = 0; offset < end;) {
      const tag = tagAt(bytes, offset, end);
      const content = offset + varintWidth(tag);
      const next = tag === broken ? broken : skipField(bytes, content, end, tag);
      if (next === broken || (tag !== requestTag.resourceSpans && tag >>> 3 === 1)) {
        return `the request is not a valid ExportTraceServiceRequest (at byte ${offset} of ${end})`;
      }
      if (tag === requestTag.resourceSpans) {
        const sentence = this.#resourceSpans(content + (lengthAt(bytes, content, end) & 7), next);
        if (sentence !== '') return sentence;
      } else this.requests.add(offset, next);
      offset = next;
    }
    this.requests.keep();
    return '';
  }

  #resourceSpans(at: number, end: number): string {
    const { bytes, envelopeMarks, resources } = this;
    const { fieldCount } = this.keys;
    const marksBefore = envelopeMarks.count;
    const spansBefore = this.count;
    const base = resources.count * fieldCount;
    if (base + fieldCount > this.resourceSlots.length) {
      this.resourceSlots = grown(this.resourceSlots, (base + fieldCount) * 2);
    }
    this.resourceSlots.fill(emptySlot, base, base + fieldCount);
    for (let offset = at; offset < end;) {
      const tag = tagAt(bytes, offset, end);
      const content = offset + varintWidth(tag);
      const next = tag === broken ? broken : skipField(bytes, content, end, tag);
      if (next === broken || !isEnvelopeField(tag)) return `a ResourceSpans is broken at byte ${offset}`;
      const start = (tag & 7) === 2 ? content + (lengthAt(bytes, content, end) & 7) : content;
      if (tag === envelopeTag.children) {
        const sentence = this.#scopeSpans(start, next);
        if (sentence !== '') return sentence;
      } else {
        resources.add(offset, next);
        let why: Verdict = verdict.ok;
        if (tag === envelopeTag.subject)
          why = this.#scan.resource(this.resourceSlots, base, offset, start, next);
        else if (tag === envelopeTag.schemaUrl && !isText(bytes, this.view, start, next)) why = verdict.text;
        if (why) return `a resource is not valid: ${sentences[why]}`;
      }
      offset = next;
    }
    if (this.count > spansBefore) resources.keep();
    else {
      resources.drop();
      envelopeMarks.count = marksBefore;
    }
    return '';
  }

  #scopeSpans(at: number, end: number): string {
    const { bytes, envelopeMarks, scopes, view } = this;
    const spansBefore = this.count;
    const marksBefore = envelopeMarks.count;
    for (let offset = at; offset < end;) {
      if (bytes[offset] === envelopeTag.children) {
        const packed = lengthAt(bytes, offset + 1, end);
        if (packed === broken) return `a ScopeSpans is broken at byte ${offset}`;
        if (this.#met++ === limitSpans)
          return `the request has more than ${limitSpans} spans: send smaller batches`;
        const span = offset + 1 + (packed & 7);
        offset = span + (packed >>> 3);
        this.#span(span, offset);
        continue;
      }
      const tag = tagAt(bytes, offset, end);
      const content = offset + varintWidth(tag);
      const next = tag === broken ? broken : skipField(bytes, content, end, tag);
      if (next === broken || !isEnvelopeField(tag)) return `a ScopeSpans is broken at byte ${offset}`;
      const start = (tag & 7) === 2 ? content + (lengthAt(bytes, content, end) & 7) : content;
      scopes.add(offset, next);
      let why: Verdict = verdict.ok;
      if (tag === envelopeTag.subject) why = this.#scan.scope(offset, start, next);
      else if (tag === envelopeTag.schemaUrl && !isText(bytes, view, start, next)) why = verdict.text;
      if (why) return `an instrumentation scope is not valid: ${sentences[why]}`;
      offset = next;
    }
    if (this.count > spansBefore) scopes.keep();
    else {
      scopes.drop();
      envelopeMarks.count = marksBefore;
    }
    return '';
  }

  #span(at: number, end: number): void {
    const { spans, marks, count } = this;
    spans.prepare(count);
    const marksBefore = marks.count;
    const why = this.#scan.span(count, at, end);
    if (why !== verdict.ok) {
      this.#rejected[why]!++;
      marks.count = marksBefore;
      spans.clear(count);
      return;
    }
    spans.resource[count] = this.resources.count;
    spans.scope[count] = this.scopes.count;
    spans.marksFrom[count + 1] = marks.count;
    this.count = count + 1;
  }
}

function isEnvelopeField(tag: number): boolean {
  return tag >>> 3 > lastEnvelopeField || (tag & 7) === 2;
}
