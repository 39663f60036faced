import { createHmac, type Hmac } from 'node:crypto';
import { AttributeKey, type Attributes } from '../otlp/attributes.ts';
import { keyFlag as keyFlags } from '../otlp/key-table.ts';
import { memberContent } from '../otlp/key-value.ts';
import type { Rewrite } from '../otlp/rewrite.ts';
import { markKind as markKinds } from '../otlp/span-columns.ts';
import type { SpanIndex } from '../otlp/span-index.ts';
import { contentHashPrefix, contentSizePrefix } from '../semconv/plimsoll.ts';
import { contentNames } from '../semconv/tables.ts';
import type { Finding } from './finding.ts';
import { markedKey, statusContent } from './marked-keys.ts';

// Constants of this file are compiled in; an imported one is loaded and checked at each use, and this is the hot path.
const keyFlag = keyFlags;
const markKind = markKinds;

/** What becomes of content: dropped but for its size, kept, or dropped but for its size and a keyed hash. */
export type ContentMode =
  | { readonly mode: 'drop' }
  | { readonly mode: 'keep' }
  /** HMAC-SHA256 in lower-case hex, of the values' bytes in the order they stand. */
  | { readonly mode: 'hash'; readonly key: Uint8Array };

const sizeKeys = contentNames.map((name) => new AttributeKey(contentSizePrefix + name));
const hashKeys = contentNames.map((name) => new AttributeKey(contentHashPrefix + name));

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
  readonly #content: ContentMode;
  readonly #keepsContent: boolean;
  /** By content name: bytes on the current span, and their hash. */
  readonly #sizes = new Float64Array(contentNames.length);
  readonly #hashes: (Hmac | undefined)[] = contentNames.map(() => undefined);
  /** The content names on the current span, in the order in which they were met: the first #foundCount. */
  readonly #found = new Uint16Array(contentNames.length);
  #foundCount = 0;
  /** By content name: whether it is among them. */
  readonly #isFound = new Uint8Array(contentNames.length);

  constructor(index: SpanIndex, rewrite: Rewrite, content: ContentMode) {
    this.#index = index;
    this.#rewrite = rewrite;
    this.#content = content;
    this.#keepsContent = content.mode === 'keep';
  }

  /**
   * Redacts resources and scopes, when the rewrite has begun. Their content is dropped and not measured: they say the
   * same of many spans, so its size is no size of a span's.
   */
  redactEnvelopes(): void {
    const { flags, count } = this.#index.envelopeMarks;
    for (let mark = 0; mark < count; mark++) {
      const isForeign = (flags[mark]! & keyFlag.foreign) !== 0;
      const isContent = (flags[mark]! & keyFlag.content) !== 0 && !this.#keepsContent;
      if (isForeign) this.foreignKeys++;
      if (isForeign || isContent) this.#rewrite.dropEnvelope(mark);
    }
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
    const key = markedKey(this.#index, mark);
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
    const isMessage = marks.kind[mark] === markKind.statusMessage;
    if (this.#keepsContent || (isMessage && sizeBytes === 0)) return;
    const key = isMessage ? undefined : markedKey(this.#index, mark);
    const name = key?.kind === 'content' ? key.content : statusContent;
    this.#rewrite.drop(mark);
    if (this.#isFound[name] === 0) {
      this.#isFound[name] = 1;
      this.#found[this.#foundCount++] = name;
    }
    this.#sizes[name]! += sizeBytes;
    if (this.#content.mode === 'hash') {
      const hash = (this.#hashes[name] ??= createHmac('sha256', this.#content.key));
      const content = memberContent(bytes, marks.memberAt[mark]!, marks.end[mark]!);
      hash.update(bytes.subarray(content, content + sizeBytes));
    }
  }

  #appendFound(attributes: Attributes): void {
    for (let k = 0; k < this.#foundCount; k++) {
      const name = this.#found[k]!;
      attributes.int(sizeKeys[name]!, this.#sizes[name]!);
      this.#sizes[name] = 0;
      this.#isFound[name] = 0;
      const hash = this.#hashes[name];
      if (!hash) continue;
      attributes.string(hashKeys[name]!, hash.digest('hex'));
      this.#hashes[name] = undefined;
    }
    this.#foundCount = 0;
  }
}
