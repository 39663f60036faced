import { Attributes } from './attributes.ts';
import { BackwardWriter, slackBytes } from './backward-writer.ts';
import type { Envelopes } from './envelopes.ts';
import { memberContent } from './key-value.ts';
import { partitioners, type PartitionOf } from './partition.ts';
import { grown, type MarkColumns } from './span-columns.ts';
import type { SpanIndex } from './span-index.ts';
import { lengthAt, limitBytes as readableBytes, varintWidth } from './wire.ts';

/** Tags of ExportTraceServiceRequest.resource_spans, ResourceSpans.scope_spans and ScopeSpans.spans. */
const resourceSpansTag = 0x0a;
const scopeSpansTag = 0x12;
const spanTag = 0x12;

/** The most a tag and a length take in front of a message. */
const limitHeaderBytes = 6;

/** One ExportTraceServiceRequest that was written to memory that was allocated for it, with 64 bytes behind it that may be read. */
export interface RewrittenRequest {
  readonly partition: number;
  readonly payload: Buffer<ArrayBuffer>;
  readonly spans: number;
}

/** Gives memory of `bytes`, with any content. */
export type Allocate = (bytes: number) => Buffer<ArrayBuffer>;
const newMemory: Allocate = (bytes) => Buffer.allocUnsafeSlow(bytes);

/**
 * What all spans of a request share is repeated in each request it is cut into, so one is not cut before it is this
 * many times as long as what is repeated: cutting never makes more than twice of it.
 */
const limitSharedFactor = 4;

/** Arrays that one huge request made larger than this are given back at the next. */
const keptRows = 65_536;

/** What goes into one request, while that is being decided. */
interface Plan {
  readonly partition: number;
  readonly ordinal: number;
  /** At least what will be written. */
  boundBytes: number;
  spans: number;
  /** Of the last span; -1 before the first. */
  scope: number;
  resource: number;
}

/** A request being written, from its last span to its first. */
interface Output {
  readonly partition: number;
  readonly spans: number;
  readonly writer: BackwardWriter;
  /** Envelope marks that are left out. */
  readonly drops: Uint32Array;
  /** The scope and resource that are open, and where their messages end; -1 before the first. */
  scope: number;
  resource: number;
  scopeEnd: number;
  resourceEnd: number;
}

/**
 * Writes the spans of an index anew: with attributes appended, marks dropped, spans left out, and split by
 * partition. In protobuf a repeated field may go on at the end of a message, so a span is its old bytes plus the
 * new attributes; only lengths around it change, and fields nobody knows survive.
 *
 * Use: `begin`; then for each row in order add to `attributes`, `drop` marks, and `endSpan()` or
 * `omitSpan()`; then `finish`. Reusable; the index must not read another request in between.
 */
export class Rewrite {
  /** Where the current span's new attributes are written. */
  readonly attributes = new Attributes();
  readonly #allocate: Allocate;
  readonly #partitionOf: PartitionOf;
  #index: SpanIndex | undefined;
  #limitBytes = readableBytes;
  #row = 0;
  #drops = new Uint32Array(64);
  #dropCount = 0;
  #droppedBytes = 0;
  #envelopeDrops = new Uint32Array(8);
  #envelopeDropCount = 0;
  /** By row: where its part of the attributes and of the drops ends. */
  #attributesEnd = new Uint32Array(0);
  #dropsEnd = new Uint32Array(0);
  /** By row: the span's new size; 0 when it is left out. */
  #spanBytes = new Uint32Array(0);
  /** By row: where in the list of outputs it goes. */
  #outputOf = new Uint32Array(0);

  /** Requests are written to memory that `allocate` gives; `partitionOf` says where a trace goes. */
  constructor(allocate: Allocate = newMemory, partitionOf: PartitionOf = partitioners.murmur2) {
    this.#allocate = allocate;
    this.#partitionOf = partitionOf;
  }

  /** Starts on the spans of `index` and forgets everything before. No request may become longer than `limitBytes`. */
  begin(index: SpanIndex, limitBytes = readableBytes): void {
    this.#index = index;
    this.#limitBytes = limitBytes;
    this.#row = 0;
    this.#dropCount = 0;
    this.#droppedBytes = 0;
    this.attributes.reset();
    this.#envelopeDropCount = 0;
    if (index.count > this.#outputOf.length || this.#outputOf.length > keptRows) {
      const capacity = Math.max(512, index.count);
      this.#attributesEnd = new Uint32Array(capacity);
      this.#dropsEnd = new Uint32Array(capacity);
      this.#spanBytes = new Uint32Array(capacity);
      this.#outputOf = new Uint32Array(capacity);
    }
  }

  /** Leaves what `mark` points at out of the current span. Marks are dropped in ascending order. */
  drop(mark: number): void {
    const { marks, spans } = this.#current();
    const drops = this.#drops;
    const first = this.#row === 0 ? 0 : this.#dropsEnd[this.#row - 1]!;
    const least = this.#dropCount > first ? drops[this.#dropCount - 1]! + 1 : spans.marksFrom[this.#row]!;
    if (mark < least || mark >= spans.marksFrom[this.#row + 1]!) {
      throw new RangeError(`mark ${mark} is not of span ${this.#row}, or was passed`);
    }
    if (this.#dropCount === drops.length) this.#drops = grown(drops, drops.length * 2);
    this.#drops[this.#dropCount++] = mark;
    this.#droppedBytes += marks.end[mark]! - marks.start[mark]!;
  }

  /** Leaves what envelope mark `mark` points at out of every request. Marks are dropped in ascending order. */
  dropEnvelope(mark: number): void {
    const drops = this.#envelopeDrops;
    const count = this.#envelopeDropCount;
    if (count > 0 && mark <= drops[count - 1]!) throw new RangeError(`envelope mark ${mark} was passed`);
    if (count === drops.length) this.#envelopeDrops = grown(drops, count * 2);
    this.#envelopeDrops[this.#envelopeDropCount++] = mark;
  }

  /** Whether a request with nothing but the current span, as it is now, is short enough. */
  fits(): boolean {
    const index = this.#current();
    const boundBytes = index.bytes.length + this.attributes.sizeBytes + 4 * limitHeaderBytes;
    if (boundBytes <= this.#limitBytes) return true;
    const plan = newPlan(0, 0, index);
    const bytes = plan.boundBytes + headerBytes(index, this.#row, plan) + this.#currentBytes(index);
    return bytes + limitHeaderBytes <= this.#limitBytes;
  }

  /** The current span is as it shall be; the next row's is now current. */
  endSpan(): void {
    this.#end(this.#currentBytes(this.#current()));
  }

  /** Leaves the current span out altogether; the next row's is now current. */
  omitSpan(): void {
    this.#current();
    this.#end(0);
  }

  /**
   * Writes what was asked: for each partition that has spans one request, or several when it would be longer than
   * `cutBytes`. One span alone may be, and so may spans whose resource and scope are a good part of that: these are not
   * repeated for a few spans. None is longer than the limit unless one span alone makes it, which `fits` tells. Spans
   * keep their order within a partition. Once for each `begin`.
   */
  finish(partitions: number, cutBytes = this.#limitBytes): RewrittenRequest[] {
    const index = this.#index;
    if (!index || this.#row !== index.count) {
      throw new RangeError(`${this.#row} of ${index?.count ?? 0} spans were ended: end each one`);
    }
    const outputs = this.#assign(index, partitions, cutBytes);
    for (let row = index.count - 1; row >= 0; row--) {
      if (this.#spanBytes[row] !== 0) this.#write(index, row, outputs[this.#outputOf[row]!]!);
    }
    this.#index = undefined;
    return outputs.map((output) => {
      closeResource(index, output);
      copyEnvelope(index, output, index.requests, 0);
      return { partition: output.partition, payload: output.writer.written(), spans: output.spans };
    });
  }

  #current(): SpanIndex {
    if (!this.#index || this.#row >= this.#index.count)
      throw new RangeError('no span is left: begin with an index');
    return this.#index;
  }

  #currentBytes({ spans }: SpanIndex): number {
    const row = this.#row;
    const added = this.attributes.sizeBytes - (row === 0 ? 0 : this.#attributesEnd[row - 1]!);
    return spans.end[row]! - spans.start[row]! - this.#droppedBytes + added;
  }

  #end(spanBytes: number): void {
    this.#spanBytes[this.#row] = spanBytes;
    this.#attributesEnd[this.#row] = this.attributes.sizeBytes;
    this.#dropsEnd[this.#row] = this.#dropCount;
    this.#droppedBytes = 0;
    this.#row++;
  }

  /** Decides for each span which output it goes to. */
  #assign(index: SpanIndex, partitions: number, cutBytes: number): Output[] {
    const { bytes, spans, view } = index;
    const plans: Plan[] = [];
    const open: (Plan | undefined)[] = [];
    let [lastTraceIdAt, partition] = [-1, 0];
    for (let row = 0; row < index.count; row++) {
      const spanBytes = this.#spanBytes[row]!;
      if (spanBytes === 0) continue;
      // Spans of a trace mostly stand together.
      const traceIdAt = spans.traceIdAt[row]!;
      if (lastTraceIdAt === -1 || !isSameTrace(view, traceIdAt, lastTraceIdAt))
        partition = this.#partitionOf(bytes, traceIdAt, partitions);
      lastTraceIdAt = traceIdAt;
      const fieldBytes = 1 + varintWidth(spanBytes) + spanBytes;
      let plan = open[partition];
      let moreBytes = plan ? fieldBytes + headerBytes(index, row, plan) : 0;
      if (!plan || this.#isTooLong(index, row, plan.boundBytes + moreBytes, cutBytes)) {
        plan = newPlan(partition, plans.length, index);
        plans.push(plan);
        open[partition] = plan;
        moreBytes = fieldBytes + headerBytes(index, row, plan);
      }
      plan.boundBytes += moreBytes;
      plan.spans++;
      plan.scope = spans.scope[row]!;
      plan.resource = spans.resource[row]!;
      this.#outputOf[row] = plan.ordinal;
    }
    const drops = this.#envelopeDrops.subarray(0, this.#envelopeDropCount);
    return plans.map((plan) => newOutput(plan, drops, this.#allocate));
  }

  /** Whether a request of `bytes` is to be cut before the span of `row`. */
  #isTooLong(index: SpanIndex, row: number, bytes: number, cutBytes: number): boolean {
    if (bytes <= Math.min(cutBytes, this.#limitBytes)) return false;
    const { requests, resources, scopes, spans } = index;
    const sharedBytes =
      requests.sizeBytes(0) + resources.sizeBytes(spans.resource[row]!) + scopes.sizeBytes(spans.scope[row]!);
    return bytes > Math.min(this.#limitBytes, sharedBytes * limitSharedFactor);
  }

  #write(index: SpanIndex, row: number, output: Output): void {
    const { bytes, spans, view } = index;
    const { writer } = output;
    if (spans.scope[row] !== output.scope) openScope(index, output, row);
    const end = writer.at;
    const added = row === 0 ? 0 : this.#attributesEnd[row - 1]!;
    writer.copy(this.attributes.bytes, this.attributes.view, added, this.#attributesEnd[row]!);
    const firstDrop = row === 0 ? 0 : this.#dropsEnd[row - 1]!;
    const lastDrop = this.#dropsEnd[row]! - 1;
    const until =
      lastDrop < firstDrop
        ? spans.end[row]!
        : writeAround(index, index.marks, this.#drops, writer, firstDrop, lastDrop, spans.end[row]!);
    writer.copy(bytes, view, spans.start[row]!, until);
    writer.header(spanTag, end);
  }
}

function isSameTrace(view: DataView, at: number, other: number): boolean {
  return (
    view.getBigInt64(at, true) === view.getBigInt64(other, true) &&
    view.getBigInt64(at + 8, true) === view.getBigInt64(other + 8, true)
  );
}

function newPlan(partition: number, ordinal: number, index: SpanIndex): Plan {
  return { partition, ordinal, boundBytes: index.requests.sizeBytes(0), spans: 0, scope: -1, resource: -1 };
}

function newOutput({ partition, spans, boundBytes }: Plan, drops: Uint32Array, allocate: Allocate): Output {
  const writer = new BackwardWriter(allocate(boundBytes + slackBytes));
  return { partition, spans, writer, drops, scope: -1, resource: -1, scopeEnd: 0, resourceEnd: 0 };
}

/** At most what the span of `row` adds to a request for the scope and the resource that it is the first span of. */
function headerBytes(index: SpanIndex, row: number, plan: Plan): number {
  const scope = index.spans.scope[row]!;
  if (scope === plan.scope) return 0;
  const resource = index.spans.resource[row]!;
  const scopeBytes = limitHeaderBytes + index.scopes.sizeBytes(scope);
  return resource === plan.resource
    ? scopeBytes
    : scopeBytes + limitHeaderBytes + index.resources.sizeBytes(resource);
}

/** Opens the scope, and if need be the resource, that the span of `row` is the last of. */
function openScope(index: SpanIndex, output: Output, row: number): void {
  const resource = index.spans.resource[row]!;
  if (resource === output.resource) closeScope(index, output);
  else {
    closeResource(index, output);
    output.resource = resource;
    output.resourceEnd = output.writer.at;
  }
  output.scope = index.spans.scope[row]!;
  output.scopeEnd = output.writer.at;
}

function closeScope(index: SpanIndex, output: Output): void {
  copyEnvelope(index, output, index.scopes, output.scope);
  output.writer.header(scopeSpansTag, output.scopeEnd);
}

function closeResource(index: SpanIndex, output: Output): void {
  if (output.resource === -1) return;
  closeScope(index, output);
  copyEnvelope(index, output, index.resources, output.resource);
  output.writer.header(resourceSpansTag, output.resourceEnd);
}

function copyEnvelope(index: SpanIndex, output: Output, envelopes: Envelopes, ordinal: number): void {
  const { drops, writer } = output;
  const { bytes, envelopeMarks: marks, view } = index;
  let last = drops.length - 1;
  for (let range = envelopes.rangesFrom[ordinal + 1]! - 1; range >= envelopes.rangesFrom[ordinal]!; range--) {
    const start = envelopes.start[range]!;
    let until = envelopes.end[range]!;
    last = lastBefore(marks.start, drops, last, until);
    const before = lastBefore(marks.start, drops, last, start);
    if (last > before) until = writeAround(index, marks, drops, writer, before + 1, last, until);
    last = before;
    writer.copy(bytes, view, start, until);
  }
}

/** Of the drops up to `last`, which ascend, the last that starts before `offset`; -1 when none does. */
function lastBefore(start: Uint32Array, drops: Uint32Array, last: number, offset: number): number {
  let low = 0;
  let high = last + 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (start[drops[middle]!]! < offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Writes what follows the first of the drops first to last and ends at `end`; returns the end of what is left before. */
// oxlint-disable-next-line max-params -- a range of drops: an object for it would be made for every span
function writeAround(
  { bytes, view }: SpanIndex,
  marks: MarkColumns,
  drops: Uint32Array,
  writer: BackwardWriter,
  first: number,
  last: number,
  end: number,
): number {
  let until = end;
  for (let k = last; k >= first;) {
    const container = marks.container[drops[k]!]!;
    if (container === 0) {
      const mark = drops[k--]!;
      writer.copy(bytes, view, marks.end[mark]!, until);
      until = marks.start[mark]!;
      continue;
    }
    const content = memberContent(bytes, container, until);
    let inner = contentEnd(bytes, container);
    writer.copy(bytes, view, inner, until);
    const messageEnd = writer.at;
    for (; k >= first && marks.container[drops[k]!] === container; k--) {
      const mark = drops[k]!;
      writer.copy(bytes, view, marks.end[mark]!, inner);
      inner = marks.start[mark]!;
    }
    writer.copy(bytes, view, content, inner);
    writer.header(bytes[container]!, messageEnd);
    until = container;
  }
  return until;
}

/** Where the message of the field at `at` ends. */
function contentEnd(bytes: Uint8Array, at: number): number {
  const packed = lengthAt(bytes, at + 1, bytes.length);
  return at + 1 + (packed & 7) + (packed >>> 3);
}
