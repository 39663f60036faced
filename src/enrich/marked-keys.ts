import { compileKeys, type KeySource } from '../otlp/key-table.ts';
import type { SpanIndex } from '../otlp/span-index.ts';
import {
  contentHashPrefix,
  contentSizePrefix,
  ownKeys,
  ownPrefix,
  statusMessage,
  type OwnKey,
} from '../semconv/plimsoll.ts';
import { contentNameOf, contentNames } from '../semconv/tables.ts';

/** What the key of a mark is: one of our own, what we left of content, or content. `content` numbers `contentNames`. */
export type MarkedKey =
  | { readonly kind: 'own'; readonly ordinal: number; readonly own: OwnKey }
  | { readonly kind: 'size' | 'hash'; readonly ordinal: number; readonly content: number }
  | { readonly kind: 'content'; readonly ordinal: number; readonly content: number };

const named: readonly { readonly key: string; readonly marked: MarkedKey }[] = [
  ...ownKeys.map((own) => ({ key: own.key, marked: { kind: 'own' as const, own } })),
  ...contentNames.flatMap((name, content) => [
    { key: contentSizePrefix + name, marked: { kind: 'size' as const, content } },
    { key: contentHashPrefix + name, marked: { kind: 'hash' as const, content } },
    ...(contentNameOf(name) === name ? [{ key: name, marked: { kind: 'content' as const, content } }] : []),
  ]),
].map(({ key, marked }, ordinal) => ({ key, marked: { ...marked, ordinal } }));

/** How many keys have an ordinal of their own. */
export const markedKeyCount = named.length;

const table = compileKeys({
  fieldCount: named.length,
  sources: named.map(({ key }, field): KeySource => ({ key, field, place: 'span' })),
  content: [],
  ownPrefix,
  ownKeys: [],
});

/**
 * The key of mark `mark` of `marks`, found without making a string of it; undefined for a foreign key and a status
 * message.
 */
export function markedKey(index: SpanIndex, mark: number, marks = index.marks): MarkedKey | undefined {
  const { bytes, view } = index;
  const at = marks.keyAt[mark]!;
  const end = marks.keyEnd[mark]!;
  const entry = table.find(bytes, view, at, end - at);
  if (entry !== -1) return named[table.targetField[table.spanFrom[entry]!]!]?.marked;
  return numberedContent(bytes.toString('utf8', at, end));
}

/** Keys of numbered or prefixed content are too many to list. */
function numberedContent(key: string): MarkedKey | undefined {
  const name = contentNameOf(key);
  return name === undefined
    ? undefined
    : { kind: 'content', ordinal: -1, content: contentNames.indexOf(name) };
}

/** The number of a status message among the content names. */
export const statusContent = contentNames.indexOf(statusMessage);
