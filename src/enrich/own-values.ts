import { keyFlag } from '../otlp/key-table.ts';
import type { Rewrite } from '../otlp/rewrite.ts';
import { markKind } from '../otlp/span-columns.ts';
import type { SpanIndex } from '../otlp/span-index.ts';
import type { OwnView } from './own-view.ts';
import { fields } from '../semconv/fields.ts';
import { limitEvaluators, limitTextBytes, scorePrefix, type OwnKey } from '../semconv/plimsoll.ts';
import type { MarkedKey, MarkedKeys } from './marked-keys.ts';
import { isEvaluator } from './scores.ts';

/** Tags of the two kinds of values that sizes and hashes have, and how long their content may be. */
const intTag = 0x18;
const stringTag = 0x0a;
const limitLeftBytes = 64;

/** Those of values that are read as a text: texts, booleans, integers and doubles. */
const scalarTags: ReadonlySet<number> = new Set([stringTag, 0x10, intTag, 0x21]);

/**
 * Finds attributes with our own keys that say nothing valid: a value the key may not have, an empty one, a second
 * one, the size of content that is still there, a source for a cost that is not, what a resource or a scope may not
 * say. They are removed before anything
 * else is derived, so that what is derived replaces them and never stands beside them.
 */
export class OwnValues {
  readonly #index: SpanIndex;
  readonly #view: OwnView;
  readonly #rewrite: Rewrite;
  readonly #keys: MarkedKeys;
  /** By ordinal of the key: the last row that had it, plus 1. */
  readonly #seen: Uint32Array;
  /** The evaluators of the row before this number, plus 1. */
  readonly #evaluators = new Set<string>();
  #evaluatorsRow = 0;

  /** Has its index made with the table of `keys`. */
  constructor(index: SpanIndex, view: OwnView, rewrite: Rewrite, keys: MarkedKeys) {
    this.#index = index;
    this.#view = view;
    this.#rewrite = rewrite;
    this.#keys = keys;
    this.#seen = new Uint32Array(keys.ordinals);
  }

  /** Removes them from the request that the index has read, and has it read what is left. Returns how many. */
  clean(): number {
    let removed = 0;
    // What one value hid, another of the same key or a lesser source, may be wrong too.
    for (let more = this.#pass(); more > 0; more = this.#pass()) removed += more;
    return removed;
  }

  #pass(): number {
    if (!this.#hasOwnKeys()) return 0;
    const { spans, count } = this.#index;
    this.#seen.fill(0);
    this.#evaluatorsRow = 0;
    // What is left is shorter than what was read, so it is one request, though the bound on its length may be longer.
    this.#rewrite.begin(this.#index, Infinity);
    let removed = this.#dropOfEnvelopes();
    for (let row = 0; row < count; row++) {
      this.#view.at(row);
      for (let mark = spans.marksFrom[row]!; mark < spans.marksFrom[row + 1]!; mark++) {
        if (!this.#isOwn(mark) || this.#isValid(row, mark)) continue;
        this.#rewrite.drop(mark);
        removed++;
      }
      this.#rewrite.endSpan();
    }
    const [cleaned] = removed > 0 ? this.#rewrite.finish(1) : [];
    if (cleaned) this.#index.read(cleaned.payload);
    return removed;
  }

  #hasOwnKeys(): boolean {
    const { marks, envelopeMarks } = this.#index;
    for (let mark = 0; mark < marks.count; mark++) if (this.#isOwn(mark)) return true;
    for (let mark = 0; mark < envelopeMarks.count; mark++)
      if (envelopeMarks.flags[mark]! & keyFlag.own) return true;
    return false;
  }

  #dropOfEnvelopes(): number {
    const { envelopeMarks: marks } = this.#index;
    let dropped = 0;
    for (let mark = 0; mark < marks.count; mark++) {
      if ((marks.flags[mark]! & keyFlag.own) === 0 || this.#isValidOnEnvelope(mark)) continue;
      this.#rewrite.dropEnvelope(mark);
      dropped++;
    }
    return dropped;
  }

  /** A scope may say nothing with our keys; a resource what `ownKeys` says it may, and all of that is text. */
  #isValidOnEnvelope(mark: number): boolean {
    const { bytes, envelopeMarks: marks } = this.#index;
    if (marks.kind[mark] !== markKind.resourceAttribute) return false;
    const key = this.#keys.of(this.#index, mark, marks);
    if (key?.kind !== 'own' || !key.own.places.includes('resource')) return false;
    const sizeBytes = marks.sizeBytes[mark]!;
    return sizeBytes > 0 && sizeBytes <= limitTextBytes && scalarTags.has(bytes[marks.memberAt[mark]!]!);
  }

  #isOwn(mark: number): boolean {
    const { flags, kind } = this.#index.marks;
    return (flags[mark]! & keyFlag.own) !== 0 && kind[mark] === markKind.attribute;
  }

  #isValid(row: number, mark: number): boolean {
    if (this.#index.marks.flags[mark]! & keyFlag.score) return this.#isScore(row, mark);
    const key = this.#keys.of(this.#index, mark);
    if (!key || key.kind === 'content' || this.#index.marks.sizeBytes[mark] === 0) return false;
    if (this.#seen[key.ordinal] === row + 1) return false;
    this.#seen[key.ordinal] = row + 1;
    if (key.kind === 'own') return this.#isAllowed(key.own) && this.#isConsistent(key.own);
    return this.#isOfKind(mark, key.kind === 'size' ? intTag : stringTag) && !this.#hasContent(row, key);
  }

  /** One score an evaluator, in [0, 1]. */
  #isScore(row: number, mark: number): boolean {
    const { bytes, marks } = this.#index;
    if (this.#evaluatorsRow !== row + 1) this.#evaluators.clear();
    this.#evaluatorsRow = row + 1;
    const name = bytes.toString('utf8', marks.keyAt[mark]! + scorePrefix.length, marks.keyEnd[mark]);
    const member = marks.memberAt[mark]!;
    const score = member === 0 ? undefined : this.#view.numberAt(member);
    if (!isEvaluator(name) || score === undefined || score > 1) return false;
    if (this.#evaluators.has(name) || this.#evaluators.size === limitEvaluators) return false;
    this.#evaluators.add(name);
    return true;
  }

  #isAllowed({ field, rule }: OwnKey): boolean {
    const id = fields[field];
    if (rule.kind === 'number') {
      const value = this.#view.number(id);
      return value !== undefined && value >= rule.min && value <= rule.max;
    }
    const text = this.#view.string(id);
    if (text === undefined) return false;
    return rule.kind === 'enum' ? rule.values.includes(text) : Buffer.byteLength(text) <= rule.maxBytes;
  }

  #isConsistent({ field }: OwnKey): boolean {
    if (field !== 'costSource') return true;
    return this.#view.has(fields.costUsd) !== (this.#view.string(fields.costSource) === 'unpriced');
  }

  /** Nobody but us writes these, and what we write is short. */
  #isOfKind(mark: number, tag: number): boolean {
    const { bytes, marks } = this.#index;
    return bytes[marks.memberAt[mark]!] === tag && marks.sizeBytes[mark]! <= limitLeftBytes;
  }

  #hasContent(row: number, key: Extract<MarkedKey, { readonly kind: 'size' | 'hash' }>): boolean {
    const { status } = this.#keys.rules;
    const { marks, spans } = this.#index;
    for (let mark = spans.marksFrom[row]!; mark < spans.marksFrom[row + 1]!; mark++) {
      if (marks.kind[mark] === markKind.statusMessage) {
        if (key.name === status.name && status.action !== 'keep' && marks.sizeBytes[mark]! > 0) return true;
      } else if (marks.flags[mark]! & keyFlag.content) {
        const other = this.#keys.of(this.#index, mark);
        if (other?.kind === 'content' && other.name === key.name && other.action !== 'keep') return true;
      }
    }
    return false;
  }
}
