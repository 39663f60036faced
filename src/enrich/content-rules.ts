import { TextMemo } from '../otlp/text-memo.ts';
import { ByName, nameFault } from './by-name.ts';
import { ownPrefix, statusMessage } from '../semconv/plimsoll.ts';
import { contentKeys, contentNameOf, contentNames, needsKey, userContent } from '../semconv/tables.ts';

/** What becomes of content: dropped but for its size, kept, or dropped but for its size and a keyed hash. */
export type ContentMode =
  | { readonly mode: 'drop' }
  | { readonly mode: 'keep' }
  /** HMAC-SHA256 in lower-case hex, of the values' bytes in the order they stand. */
  | { readonly mode: 'hash'; readonly key: Uint8Array };

export type ContentAction = ContentMode['mode'];

/** What is to become of which attributes. */
export interface ContentOptions {
  /** Of everything that conventions say is content. */
  readonly content: ContentMode;
  /**
   * Of attributes by key, or by what keys begin with when it ends with `*`: an exact key comes first, then the longest
   * beginning. Other attributes than content may be named; `status.message` is the status message.
   */
  readonly attributes?: Readonly<Record<string, ContentAction>>;
  /** With which hashes are keyed; that of `content` when left out. Ids of users are hashed when there is one. */
  readonly hashKey?: Uint8Array | undefined;
}

/** What is wrong with `pattern` as a key of `ContentOptions.attributes`, as a sentence's end; undefined when nothing is. */
export function patternFault(pattern: string): string | undefined {
  const beginning = pattern.replace(/\*$/, '');
  if (beginning === '') return 'would match every attribute: name a key, or what keys begin with and *';
  const fault = nameFault(pattern);
  if (fault !== undefined) return fault;
  const isPrefix = beginning !== pattern;
  if (beginning.startsWith(ownPrefix) || (isPrefix && ownPrefix.startsWith(beginning)))
    return `would match attributes of Plimsoll: none may begin as ${ownPrefix} does`;
  if (!isPrefix && needsKey(pattern)) return 'is an attribute that Plimsoll reads of every record: it stays';
  return undefined;
}

/** What content a key holds, and what becomes of it. */
export interface Content {
  /** Its number among `ContentRules.names`. */
  readonly name: number;
  readonly action: ContentAction;
}

/** Decides of each attribute whether it is content and what becomes of it. Free of state but what it remembers. */
export class ContentRules {
  /** Names under which content is counted and hashed. */
  readonly names: readonly string[];
  /** Keys and patterns of content beside those of the conventions. */
  readonly more: readonly string[];
  /** The key of hashes; undefined when nothing is hashed. */
  readonly hashKey: Uint8Array | undefined;
  /** Whether ids of users are replaced by their hashes. */
  readonly hashesUsers: boolean;
  readonly status: Content;
  /** Patterns with what becomes of their attributes, as they were given. */
  readonly given: Readonly<Record<string, ContentAction>>;
  readonly #default: ContentAction;
  readonly #ofUsers: ContentAction;
  readonly #attributes: ByName<{ readonly pattern: string; readonly action: ContentAction }>;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #known = new TextMemo((key) => this.#contentOf(key));

  /** Throws an Error that names the pattern at fault. */
  constructor({ content, attributes = {}, hashKey }: ContentOptions) {
    for (const pattern of Object.keys(attributes)) {
      const fault = patternFault(pattern);
      if (fault !== undefined) throw new Error(`${pattern} ${fault}`);
    }
    this.given = attributes;
    this.hashKey = hashKey ?? (content.mode === 'hash' ? content.key : undefined);
    this.#default = content.mode;
    this.#ofUsers = this.hashKey ? 'hash' : content.mode;
    const given = Object.entries(attributes);
    this.#attributes = new ByName(
      Object.fromEntries(given.map(([pattern, action]) => [pattern, { pattern, action }])),
    );
    this.more = given
      .filter(([pattern, action]) => action !== 'keep' && pattern !== statusMessage)
      .map(([pattern]) => pattern);
    this.names = [...new Set([...contentNames, ...this.more.map(nameOf)])];
    this.#numbers = new Map(this.names.map((name, number) => [name, number]));
    this.status = { name: this.#numbers.get(statusMessage)!, action: this.#actionOf(statusMessage) };
    this.hashesUsers = contentKeys.some(
      (key) => contentNameOf(key) === userContent && this.#actionOf(key) === 'hash',
    );
    if (this.hashKey === undefined && Object.values(attributes).includes('hash'))
      throw new Error('attributes are to be hashed without a key');
  }

  /** The content that attribute `key` holds; undefined when it holds none. */
  contentOf(key: string): Content | undefined {
    return this.#known.get(key);
  }

  #contentOf(key: string): Content | undefined {
    const name = this.#nameOf(key);
    return name === undefined
      ? undefined
      : { name: this.#numbers.get(name) ?? 0, action: this.#actionOf(key, name) };
  }

  /** What a pattern of the options names is counted under that, unless a convention knows the very key. */
  #nameOf(key: string): string | undefined {
    if (needsKey(key)) return undefined;
    if (contentKeys.includes(key)) return contentNameOf(key);
    const given = this.#attributes.get(key);
    return given && given.action !== 'keep' ? nameOf(given.pattern) : contentNameOf(key);
  }

  #actionOf(key: string, name = contentNameOf(key)): ContentAction {
    return this.#attributes.get(key)?.action ?? (name === userContent ? this.#ofUsers : this.#default);
  }
}

/** Patterns are counted under what they begin with. */
function nameOf(pattern: string): string {
  return pattern.replace(/[._]?\*$/, '');
}
