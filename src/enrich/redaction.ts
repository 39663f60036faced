import { createHmac, type Hmac } from 'node:crypto';
import { AttributeKey, type Attributes } from '../otlp/attributes.ts';
import { keyFlag as keyFlags } from '../otlp/key-table.ts';
import { memberContent } from '../otlp/key-value.ts';
import type { Rewrite } from '../otlp/rewrite.ts';
import { markKind as markKinds } from '../otlp/span-columns.ts';
import type { SpanIndex } from '../otlp/span-index.ts';
import { contentHashPrefix, contentSizePrefix } from '../semconv/plimsoll.ts';
import { userContent } from '../semconv/tables.ts';
import type { Content } from './content-rules.ts';
import type { Finding } from './finding.ts';
import type { MarkedKeys } from './marked-keys.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const keyFlag = keyFlags;
const markKind = markKinds;

/**
 * Takes out of spans, resources and scopes what must not go on: content, keys of ours that are not ours, and what the sender said with
 * our keys where the finding says otherwise. Content of a span's events and links is counted
 * on the span.
 */
export class Redaction {
  /** Attributes with foreign keys taken out so far. */
  foreignKeys = 0;
  readonly #index: SpanIndex;
  readonly #rewrite: Rewrite;
  readonly #keys: MarkedKeys;
  /** By content name: what says its size and its hash, the bytes on the current span, and their hash. */
  readonly #sizeKeys: readonly AttributeKey[];
  readonly #hashKeys: readonly AttributeKey[];
  readonly #sizes: Float64Array;
  readonly #hashes: (Hmac | undefined)[];
  /** The content names on the current span, in the order in which they were met: the first #foundCount. */
  readonly #found: Uint16Array;
  #foundCount = 0;
  /** By content name: whether it is among them. */
  readonly #isFound: Uint8Array;
  readonly #userContent: number;

  /** Has its index made with the table of `keys`. */
  constructor(index: SpanIndex, rewrite: Rewrite, keys: MarkedKeys) {
    this.#index = index;
    this.#rewrite = rewrite;
    this.#keys = keys;
    const { names } = keys.rules;
    this.#sizeKeys = names.map((name) => new AttributeKey(contentSizePrefix + name));
    this.#hashKeys = names.map((name) => new AttributeKey(contentHashPrefix + name));
    this.#sizes = new Float64Array(names.length);
    this.#hashes = names.map(() => undefined);
    this.#found = new Uint16Array(names.length);
    this.#isFound = new Uint8Array(names.length);
    this.#userContent = names.indexOf(userContent);
  }

  /**
   * Redacts resources and scopes, when the rewrite has begun. Their content is dropped and not measured: they say the
   * same of many spans, so its size is no size of a span's.
   */
  redactEnvelopes(): void {
    const { envelopeMarks: marks } = this.#index;
    for (let mark = 0; mark < marks.count; mark++) {
      const isForeign = (marks.flags[mark]! & keyFlag.foreign) !== 0;
      if (isForeign) this.foreignKeys++;
      if (isForeign || this.#isToGo(mark)) this.#rewrite.dropEnvelope(mark);
    }
  }

  #isToGo(mark: number): boolean {
    const { envelopeMarks: marks } = this.#index;
    if ((marks.flags[mark]! & keyFlag.content) === 0) return false;
    const key = this.#keys.of(this.#index, mark, marks);
    return key?.kind === 'content' && key.action !== 'keep';
  }

  /** Redacts the span of `row`, which is the current one of the rewrite. */
  redact(row: number, finding: Finding): void {
    const { marks, spans } = this.#index;
    const last = spans.marksFrom[row + 1]!;
    for (let mark = spans.marksFrom[row]!; mark < last; mark++) {
      const flags = marks.flags[mark]!;
      if (flags & keyFlag.foreign) {
        this.foreignKeys++;
        this.#rewrite.drop(mark);
      } else if (flags & keyFlag.own) {
        if (this.#contradicts(mark, finding)) this.#rewrite.drop(mark);
      } else this.#dropContent(mark);
    }
    if (this.#foundCount > 0) this.#appendFound(this.#rewrite.attributes);
  }

  #contradicts(mark: number, finding: Finding): boolean {
    if (this.#index.marks.kind[mark] !== markKind.attribute) return false;
    const key = this.#keys.of(this.#index, mark);
    if (key?.kind !== 'own') return false;
    const { field } = key.own;
    if (field === 'rule') return !finding.keepsRule;
    return (
      (field === 'errorType' && finding.errorType === '') ||
      (field === 'escalationReason' && finding.reason === '')
    );
  }

  #dropContent(mark: number): void {
    const { marks, bytes } = this.#index;
    const sizeBytes = marks.sizeBytes[mark]!;
    const content = this.#contentAt(mark);
    if (!content || content.action === 'keep') return;
    const { name, action } = content;
    this.#rewrite.drop(mark);
    const isHashed = action === 'hash';
    if (isHashed && name === this.#userContent) return; // its hash is the user's id
    if (this.#isFound[name] === 0) {
      this.#isFound[name] = 1;
      this.#found[this.#foundCount++] = name;
    }
    this.#sizes[name]! += sizeBytes;
    if (!isHashed) return;
    const hash = (this.#hashes[name] ??= createHmac('sha256', this.#keys.rules.hashKey!));
    const contentAt = memberContent(bytes, marks.memberAt[mark]!, marks.end[mark]!);
    hash.update(bytes.subarray(contentAt, contentAt + sizeBytes));
  }

  #contentAt(mark: number): Content | undefined {
    const { marks } = this.#index;
    if (marks.kind[mark] === markKind.statusMessage)
      return marks.sizeBytes[mark] === 0 ? undefined : this.#keys.rules.status;
    const key = this.#keys.of(this.#index, mark);
    return key?.kind === 'content' ? key : undefined;
  }

  #appendFound(attributes: Attributes): void {
    for (let k = 0; k < this.#foundCount; k++) {
      const name = this.#found[k]!;
      attributes.int(this.#sizeKeys[name]!, this.#sizes[name]!);
      this.#sizes[name] = 0;
      this.#isFound[name] = 0;
      const hash = this.#hashes[name];
      if (!hash) continue;
      attributes.string(this.#hashKeys[name]!, hash.digest('hex'));
      this.#hashes[name] = undefined;
    }
    this.#foundCount = 0;
  }
}
