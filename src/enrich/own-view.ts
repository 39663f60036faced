import { keyFlag as keyFlags } from '../otlp/key-table.ts';
import { emptySlot as noSlot, slotOffset as slotOffsetBits } from '../otlp/span-columns.ts';
import type { SpanIndex } from '../otlp/span-index.ts';
import { SpanView } from '../otlp/span-view.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const keyFlag = keyFlags;
const emptySlot = noSlot;
const slotOffset = slotOffsetBits;

/**
 * A view for whoever asks a span for many fields of which it has few: a field that is not there costs two
 * comparisons, and what only our own keys can say is not looked for on a span that has none of them.
 */
export class OwnView extends SpanView {
  readonly #index: SpanIndex;
  #hasOwnKeys = false;
  #hasEvaluations = false;
  /** Where the slots of the span and of its resource begin. */
  #slots = new Uint32Array(0);
  #base = 0;
  #resourceSlots = new Uint32Array(0);
  #resourceBase = 0;

  constructor(index: SpanIndex) {
    super(index);
    this.#index = index;
  }

  override at(row: number): this {
    super.at(row);
    const { keys, marks, resourceSlots, spans } = this.#index;
    this.#slots = spans.slots;
    this.#base = row * keys.fieldCount;
    this.#resourceSlots = resourceSlots;
    this.#resourceBase = spans.resource[row]! * keys.fieldCount;
    const last = spans.marksFrom[row + 1]!;
    let flags = 0;
    for (let mark = spans.marksFrom[row]!; mark < last; mark++) flags |= marks.flags[mark]!;
    this.#hasOwnKeys = (flags & keyFlag.own) !== 0;
    this.#hasEvaluations = (flags & keyFlag.evaluation) !== 0;
    return this;
  }

  override has(field: number): boolean {
    return this.#slotOf(field) !== emptySlot;
  }

  override source(field: number): number {
    const slot = this.#slotOf(field);
    return slot === emptySlot ? -1 : slot >>> 26;
  }

  override string(field: number): string | undefined {
    const slot = this.#slotOf(field);
    return slot === emptySlot ? undefined : this.stringAt(slot & slotOffset);
  }

  override number(field: number): number | undefined {
    const slot = this.#slotOf(field);
    return slot === emptySlot ? undefined : this.numberAt(slot & slotOffset);
  }

  #slotOf(field: number): number {
    const own = this.#slots[this.#base + field]!;
    const shared = this.#resourceSlots[this.#resourceBase + field]!;
    return own < shared ? own : shared;
  }

  /** Whether a key on the span or on one of its events says what an evaluator found. */
  get hasEvaluations(): boolean {
    return this.#hasEvaluations;
  }

  /** Whether the span has `field`, whose only sources are our own keys on spans. */
  hasOwn(field: number): boolean {
    return this.#hasOwnKeys && this.has(field);
  }

  /** The text of `field`, whose only sources are our own keys on spans. */
  own(field: number): string | undefined {
    return this.#hasOwnKeys ? this.string(field) : undefined;
  }
}
