/** Where an attribute stands. */
type Place = 'span' | 'resource';

/**
 * One spelling of a canonical field. The order of a field's sources in `KeyTableSpec.sources` is their priority:
 * the first that is present and not empty wins, whether it stands on the span or on its resource.
 */
export interface KeySource {
  readonly key: string;
  readonly field: number;
  readonly place: Place;
}

/** What `compileKeys` makes a table of. */
export interface KeyTableSpec {
  /** Fields are numbered from 0 to `fieldCount - 1`. */
  readonly fieldCount: number;
  readonly sources: readonly KeySource[];
  /** Attributes that hold content, of spans and of span events: exact keys, or `prefix*`, which spares keys that are sources. */
  readonly content: readonly string[];
  /** What our own attributes begin with. */
  readonly ownPrefix: string;
  /** The keys under `ownPrefix` that a sender may set; any other is foreign. */
  readonly ownKeys: readonly string[];
  /** What our own keys of scores, of which there is one for each evaluator, begin with. */
  readonly scorePrefix?: string;
  /** Attributes of spans and of span events that say what an evaluator found: exact keys, or `prefix*`. */
  readonly evaluations?: readonly string[];
}

/** What a key means besides being a source of fields, as bits. */
export const keyFlag = {
  content: 1,
  own: 2,
  foreign: 4,
  exceptionType: 8,
  exceptionMessage: 16,
  evaluation: 32,
  /** With `own`. */
  score: 64,
} as const;

/** The most sources one field may have: a priority must fit the six high bits of a slot, whose last value means "none". */
const limitSources = 63;

/** How many bytes of keys are compared at once, and of prefixes hashed. */
export const wordBytes = 8;

/** Checks `spec` and compiles it. Throws an Error that names the key at fault. */
export function compileKeys(spec: KeyTableSpec): KeyTable {
  if (spec.ownPrefix === '') throw new Error('the own prefix is empty: everything would be ours');
  const priorities = Array.from({ length: spec.fieldCount }, () => 0);
  const seen = new Set<string>();
  const entries = new Map<string, Entry>();
  const entryOf = (key: string): Entry => {
    const entry = entries.get(key) ?? { key, flags: 0, span: [], resource: [] };
    entries.set(key, entry);
    return entry;
  };
  for (const { key, field, place } of spec.sources) {
    const priority = priorities[field];
    const identity = `${place} ${field} ${key}`;
    if (key === '') throw new Error(`a source of field ${field} has an empty key`);
    if (priority === undefined)
      throw new Error(`${key} is a source of field ${field}: use 0 to ${spec.fieldCount - 1}`);
    if (priority === limitSources)
      throw new Error(`${key} is one source too many of field ${field}: ${limitSources} fit`);
    if (seen.has(identity)) throw new Error(`${key} is twice a source of field ${field}: remove one`);
    seen.add(identity);
    priorities[field] = priority + 1;
    entryOf(key)[place].push({ field, priority });
  }
  for (const key of spec.ownKeys) {
    if (!key.startsWith(spec.ownPrefix))
      throw new Error(`own key ${key} does not begin with ${spec.ownPrefix}`);
    entryOf(key).flags |= keyFlag.own;
  }
  entryOf('exception.type').flags |= keyFlag.exceptionType;
  entryOf('exception.message').flags |= keyFlag.exceptionMessage;
  const prefixes = new Map<string, number>();
  for (const pattern of spec.content) addPattern(pattern, keyFlag.content, prefixes, entryOf);
  for (const pattern of spec.evaluations ?? []) addPattern(pattern, keyFlag.evaluation, prefixes, entryOf);
  if (spec.scorePrefix !== undefined) prefixes.set(spec.scorePrefix, keyFlag.own | keyFlag.score);
  prefixes.set(spec.ownPrefix, (prefixes.get(spec.ownPrefix) ?? 0) | keyFlag.foreign);
  for (const entry of entries.values()) {
    const isSource = entry.span.length + entry.resource.length > 0;
    for (const [prefix, flags] of prefixes) {
      if (entry.key.startsWith(prefix)) entry.flags |= isSource ? flags & ~keyFlag.content : flags;
    }
    if (entry.flags & keyFlag.own) entry.flags &= ~keyFlag.foreign;
  }
  return new KeyTable(spec.fieldCount, [...entries.values()], prefixes);
}

function addPattern(
  pattern: string,
  flag: number,
  prefixes: Map<string, number>,
  entryOf: (key: string) => Entry,
): void {
  if (pattern === '' || pattern === '*')
    throw new Error(`content key ${JSON.stringify(pattern)} would match everything`);
  const prefix = pattern.slice(0, -1);
  if (pattern.endsWith('*')) prefixes.set(prefix, (prefixes.get(prefix) ?? 0) | flag);
  else entryOf(pattern).flags |= flag;
}

interface Target {
  readonly field: number;
  readonly priority: number;
}

interface Entry {
  readonly key: string;
  flags: number;
  readonly span: Target[];
  readonly resource: Target[];
}

interface ShortKey {
  readonly bytes: Uint8Array;
  readonly entry: number;
}

interface Prefix {
  readonly bytes: Uint8Array;
  readonly flags: number;
}

/**
 * A compiled set of keys, found by comparing eight bytes at a time. Immutable and free of the bytes it is asked
 * about, so any number of indexes may share one. Made by `compileKeys`.
 */
export class KeyTable {
  readonly fieldCount: number;
  /** Bits of `keyFlag` by entry. */
  readonly flags: Uint8Array;
  /** Targets of entry e on a span: [spanFrom[e], spanFrom[e + 1]) of `targetField` and `targetPriority`. */
  readonly spanFrom: Uint32Array;
  /** Targets of entry e on a resource, likewise. */
  readonly resourceFrom: Uint32Array;
  readonly targetField: Uint32Array;
  /** Shifted to where a slot has it: priority << 26. */
  readonly targetPriority: Uint32Array;
  /** Four numbers an entry: bytes of its key, where its words begin in `#words`, and the next entry of its bucket or -1. */
  readonly #entries: Int32Array;
  /** The keys in words of eight bytes, of which the last overlaps the one before. */
  readonly #words: BigInt64Array;
  /** Keys too short for a word, by `shortBucket`: few share their length and their first byte. */
  readonly #shortKeys: (ShortKey[] | undefined)[] = Array.from({ length: wordBytes << 8 }, () => undefined);
  /** The first entry of a bucket; -1 when it is empty. */
  readonly #buckets: Int32Array;
  readonly #shift: number;
  /** Prefixes by a hash of their first bytes, since most keys share a beginning with none; shorter ones are in all. */
  readonly #prefixes: Prefix[][] = Array.from({ length: 256 }, () => []);

  constructor(fieldCount: number, entries: readonly Entry[], prefixes: ReadonlyMap<string, number>) {
    this.fieldCount = fieldCount;
    this.flags = Uint8Array.from(entries, (entry) => entry.flags);
    const span = entries.flatMap((entry) => entry.span);
    const targets = [...span, ...entries.flatMap((entry) => entry.resource)];
    this.spanFrom = offsets(
      entries.map((entry) => entry.span.length),
      0,
    );
    this.resourceFrom = offsets(
      entries.map((entry) => entry.resource.length),
      span.length,
    );
    this.targetField = Uint32Array.from(targets, (target) => target.field);
    this.targetPriority = Uint32Array.from(targets, (target) => target.priority << 26);
    const keys = entries.map((entry) => Buffer.from(entry.key));
    const words = keys.map(wordsOf);
    this.#words = BigInt64Array.from(words.flat());
    const wordsFrom = offsets(
      words.map(({ length }) => length),
      0,
    );
    const bits = Math.max(4, Math.ceil(Math.log2(entries.length * 8)));
    this.#shift = 32 - bits;
    this.#buckets = new Int32Array(2 ** bits).fill(-1);
    this.#entries = new Int32Array(entries.length * 4);
    keys.forEach((key, entry) => this.#add(key, entry, wordsFrom[entry]!));
    for (const [prefix, flags] of prefixes) {
      const bytes = new Uint8Array(Buffer.from(prefix));
      if (bytes.length < wordBytes) for (const bucket of this.#prefixes) bucket.push({ bytes, flags });
      else this.#prefixes[prefixBucket(new DataView(bytes.buffer), 0)]!.push({ bytes, flags });
    }
  }

  #add(key: Buffer, entry: number, wordsFrom: number): void {
    const { length } = key;
    if (length < wordBytes) {
      const bytes = new Uint8Array(key);
      (this.#shortKeys[shortBucket(bytes, 0, length)] ??= []).push({ bytes, entry });
      return;
    }
    const bucket =
      hashOf(key.readInt32LE(length - 4), key.readInt32LE((length - 4) >>> 1), length) >>> this.#shift;
    this.#entries.set([length, wordsFrom, this.#buckets[bucket]!], entry * 4);
    this.#buckets[bucket] = entry;
  }

  /** The entry of the key at [at, at + length), or -1. `view` covers the same bytes as `bytes`. */
  find(bytes: Uint8Array, view: DataView, at: number, length: number): number {
    return length < wordBytes ? this.findShort(bytes, at, length) : this.findLong(view, at, length);
  }

  /** As `find`, of a key of `wordBytes` or more. */
  findLong(view: DataView, at: number, length: number): number {
    const last = at + length - wordBytes;
    const entries = this.#entries;
    const words = this.#words;
    const tail = view.getInt32(last + 4, true);
    const middle = view.getInt32(at + ((length - 4) >>> 1), true);
    let entry = this.#buckets[hashOf(tail, middle, length) >>> this.#shift]!;
    for (; entry !== -1; entry = entries[entry * 4 + 2]!) {
      if (entries[entry * 4] !== length) continue;
      let word = entries[entry * 4 + 1]!;
      let offset = at;
      while (offset < last && words[word] === view.getBigInt64(offset, true)) {
        offset += wordBytes;
        word++;
      }
      if (offset >= last && words[word] === view.getBigInt64(last, true)) break;
    }
    return entry;
  }

  /** The flags of a key that is no entry: those of the prefixes it begins with. */
  prefixFlags(bytes: Uint8Array, view: DataView, at: number, length: number): number {
    const prefixes = this.#prefixes[length < wordBytes ? 0 : prefixBucket(view, at)]!;
    return prefixes.length === 0 ? 0 : flagsOf(prefixes, bytes, at, length);
  }

  /** As `find`, of a key below `wordBytes`. */
  findShort(bytes: Uint8Array, at: number, length: number): number {
    const keys = this.#shortKeys[shortBucket(bytes, at, length)];
    if (keys === undefined) return -1;
    for (const { bytes: key, entry } of keys) {
      let matched = length - 1;
      while (matched > 0 && key[matched] === bytes[at + matched]) matched--;
      if (matched <= 0) return entry;
    }
    return -1;
  }
}

/** The length is below `wordBytes`. */
function shortBucket(bytes: Uint8Array, at: number, length: number): number {
  return length === 0 ? 0 : (length << 8) | bytes[at]!;
}

/** Keys of one convention share their beginning, so the hash takes four bytes of the end and of the middle. */
function hashOf(tail: number, middle: number, length: number): number {
  return Math.imul(tail ^ Math.imul(middle + length, 0x85ebca6b), 0x9e3779b1);
}

function wordsOf(key: Buffer): bigint[] {
  const words: bigint[] = [];
  const last = key.length - wordBytes;
  for (let at = 0; at < last; at += wordBytes) words.push(key.readBigInt64LE(at));
  if (last >= 0) words.push(key.readBigInt64LE(last));
  return words;
}

function offsets(lengths: readonly number[], first: number): Uint32Array {
  const from = new Uint32Array(lengths.length + 1);
  from[0] = first;
  for (let k = 0; k < lengths.length; k++) from[k + 1] = from[k]! + lengths[k]!;
  return from;
}

function prefixBucket(view: DataView, at: number): number {
  return (
    Math.imul(view.getInt32(at, true) ^ Math.imul(view.getInt32(at + 4, true), 0x85ebca6b), 0x9e3779b1) >>> 24
  );
}

function flagsOf(prefixes: readonly Prefix[], bytes: Uint8Array, at: number, length: number): number {
  let flags = 0;
  for (const prefix of prefixes) if (beginsWith(prefix, bytes, at, length)) flags |= prefix.flags;
  return flags & keyFlag.own ? flags & ~keyFlag.foreign : flags;
}

function beginsWith({ bytes: prefix }: Prefix, bytes: Uint8Array, at: number, length: number): boolean {
  if (prefix.length > length) return false;
  let matched = prefix.length - 1;
  while (matched >= 0 && prefix[matched] === bytes[at + matched]) matched--;
  return matched < 0;
}
