import type { SpanIndex } from '../otlp/span-index.ts';
import {
  contentHashPrefix,
  contentSizePrefix,
  ownKeys,
  statusMessage,
  type OwnKey,
} from '../semconv/plimsoll.ts';
import { contentNameOf, contentNames } from '../semconv/tables.ts';
import { canonicalKeys } from './canonical-keys.ts';

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

/** By entry of the canonical keys. */
const byEntry: (MarkedKey | undefined)[] = Array.from(canonicalKeys.flags, () => undefined);
for (const { key, marked } of named) {
  const bytes = new Uint8Array(Buffer.from(key));
  const entry = canonicalKeys.find(bytes, new DataView(bytes.buffer), 0, bytes.length);
  if (entry === -1)
    throw new Error(`${key} has a meaning here and is no canonical key: list it in the tables`);
  byEntry[entry] = marked;
}

/**
 * The key of mark `mark` of `marks`, found without making a string of it, in an index with the canonical keys;
 * undefined for a foreign key and a status message.
 */
export function markedKey(index: SpanIndex, mark: number, marks = index.marks): MarkedKey | undefined {
  const entry = marks.entry[mark]!;
  const known = entry === -1 ? undefined : byEntry[entry];
  return known ?? numberedContent(index.bytes.toString('utf8', marks.keyAt[mark], marks.keyEnd[mark]));
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
