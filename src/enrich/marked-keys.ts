import { compileKeys, type KeyTable } from '../otlp/key-table.ts';
import type { SpanIndex } from '../otlp/span-index.ts';
import { contentHashPrefix, contentSizePrefix, ownKeys, type OwnKey } from '../semconv/plimsoll.ts';
import { contentKeys, keyTableSpec } from '../semconv/tables.ts';
import { canonicalKeys } from './canonical-keys.ts';
import type { Content, ContentRules } from './content-rules.ts';

/** What the key of a mark is: one of our own, what we left of content, or content. Names are numbers of the rules'. */
export type MarkedKey =
  | { readonly kind: 'own'; readonly ordinal: number; readonly own: OwnKey }
  | { readonly kind: 'size' | 'hash'; readonly ordinal: number; readonly name: number }
  | ({ readonly kind: 'content' } & Content);

/** The key table of an enricher, and what its marked keys mean under the rules for content. */
export class MarkedKeys {
  readonly rules: ContentRules;
  readonly table: KeyTable;
  /** How many keys have an ordinal: our own ones, and those of sizes and hashes. */
  readonly ordinals: number;
  /** By entry of the table. */
  readonly #byEntry: readonly (MarkedKey | undefined)[];

  constructor(rules: ContentRules) {
    this.rules = rules;
    const sizes = rules.names.map((name) => contentSizePrefix + name);
    const hashes = rules.names.map((name) => contentHashPrefix + name);
    this.table = tableOf(rules.more, [...sizes, ...hashes]);
    const ordered: MarkedKey[] = [
      ...ownKeys.map((own, ordinal) => ({ kind: 'own' as const, ordinal, own })),
      ...(['size', 'hash'] as const).flatMap((kind, part) =>
        rules.names.map((_, name) => ({
          kind,
          ordinal: ownKeys.length + part * rules.names.length + name,
          name,
        })),
      ),
    ];
    this.ordinals = ordered.length;
    const byEntry = Array.from(this.table.flags, (): MarkedKey | undefined => undefined);
    [...ownKeys.map(({ key }) => key), ...sizes, ...hashes].forEach((key, ordinal) => {
      byEntry[this.#entryOf(key)] = ordered[ordinal];
    });
    for (const key of [...contentKeys, ...rules.more]) {
      const content = key.endsWith('*') || key.endsWith('#') ? undefined : rules.contentOf(key);
      if (content) byEntry[this.#entryOf(key)] = { kind: 'content', ...content };
    }
    this.#byEntry = byEntry;
  }

  #entryOf(key: string): number {
    const bytes = new Uint8Array(Buffer.from(key));
    const entry = this.table.find(bytes, new DataView(bytes.buffer), 0, bytes.length);
    if (entry === -1) throw new Error(`${key} has a meaning here and is no key of the table`);
    return entry;
  }

  /**
   * The key of mark `mark` of `marks` in an index with `table`, found without making a string of it unless a pattern
   * covers it; undefined for a foreign key and a status message.
   */
  of(index: SpanIndex, mark: number, marks = index.marks): MarkedKey | undefined {
    const entry = marks.entry[mark]!;
    const known = entry === -1 ? undefined : this.#byEntry[entry];
    if (known) return known;
    const content = this.rules.contentOf(index.bytes.toString('utf8', marks.keyAt[mark], marks.keyEnd[mark]));
    return content && { kind: 'content', ...content };
  }
}

/** The canonical keys, and those that only these rules know; readers need not know them. */
function tableOf(more: readonly string[], left: readonly string[]): KeyTable {
  if (more.length === 0) return canonicalKeys;
  return compileKeys({
    ...keyTableSpec,
    content: [...new Set([...keyTableSpec.content, ...more])],
    ownKeys: [...new Set([...keyTableSpec.ownKeys, ...left])],
  });
}
