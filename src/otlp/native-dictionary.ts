import { Arena, sameBytes, type Source } from './native-arena.ts';

/** One for each value of eight bits of a hash. */
const recentPlaces = 256;

/**
 * The distinct strings of one block, numbered in order of first appearance and told apart by their bytes; no JS
 * string is made. Its body is what a LowCardinality column of the Native format carries as its keys.
 */
export class Dictionary {
  readonly entries = new Arena(4096);
  #size = 0;
  /** Of each entry: where its bytes are in `entries`, their number, their hash. */
  #starts = new Uint32Array(64);
  #lengths = new Uint32Array(64);
  #hashes = new Int32Array(64);
  /** Open addressing: the number of an entry plus one, or 0; at most half full. */
  #table = new Int32Array(256);
  /** By a few bytes of a short string, of the last one that had them: where it begins in `entries`, with its length, and its number. */
  readonly #recentStarts = new Int32Array(recentPlaces).fill(-1);
  readonly #recentIds = new Uint32Array(recentPlaces);

  /** How many distinct strings there are. */
  get size(): number {
    return this.#size;
  }

  /** The number of the string in `length` bytes of `source` from `at`, added when it is new. */
  idOf(source: Source, at: number, length: number): number {
    const isString = at > 0 && length < 0x80 && source.bytes[at - 1] === length;
    return isString ? this.idOfShort(source, at - 1) : this.#find(source, at, length);
  }

  #find(source: Source, at: number, length: number): number {
    const hash = hashOf(source.view, at, length);
    const mask = this.#table.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const id = this.#table[slot]! - 1;
      if (id < 0) return this.#add(slot, hash, source, at, length);
      if (this.#hashes[id] === hash && this.#holds(id, source, at, length)) return id;
    }
  }

  /**
   * The number of the String at `at`: its length, below 128, in one byte, then its bytes, as the wire and a block both
   * have them. Most were met before, and few bytes tell which one it may be.
   */
  idOfShort(source: Source, at: number): number {
    const { view } = source;
    const length = view.getUint8(at);
    const last = length - 3;
    // Four bytes that end with a shorter string begin before it. What stands there is of its message, and does for a guess.
    if (at < 3) return this.#find(source, at + 1, length);
    const middle = view.getInt32(at + last - (length >> 1), true);
    const tail = view.getInt32(at + last, true);
    const place = Math.imul(tail ^ Math.imul(middle, 0x85ebca6b), 0x9e3779b1) >>> 24;
    const start = this.#recentStarts[place]!;
    // The first word tells entries of other lengths apart, so a shorter one is not read beyond.
    if (start >= 0 && sameBytes(this.entries.view, start, view, at, length + 1))
      return this.#recentIds[place]!;
    const id = this.#find(source, at + 1, length);
    this.#recentStarts[place] = this.#starts[id]! - 1;
    this.#recentIds[place] = id;
    return id;
  }

  /** Whether entry `id` is there, and the string in `length` bytes of `source` from `at`. */
  #holds(id: number, source: Source, at: number, length: number): boolean {
    if (this.#lengths[id] !== length || id >= this.#size) return false;
    return sameBytes(this.entries.view, this.#starts[id]!, source.view, at, length);
  }

  // oxlint-disable-next-line max-params -- the hot path passes what it already has
  #add(slot: number, hash: number, source: Source, at: number, length: number): number {
    const id = this.#size++;
    if (id === this.#starts.length) this.#growEntries();
    this.entries.text(source, at, length);
    this.#starts[id] = this.entries.length - length;
    this.#lengths[id] = length;
    this.#hashes[id] = hash;
    this.#table[slot] = id + 1;
    if (this.#size * 2 > this.#table.length) this.#growTable();
    return id;
  }

  #growEntries(): void {
    const capacity = this.#starts.length * 2;
    const [starts, lengths, hashes] = [this.#starts, this.#lengths, this.#hashes];
    this.#starts = new Uint32Array(capacity);
    this.#lengths = new Uint32Array(capacity);
    this.#hashes = new Int32Array(capacity);
    this.#starts.set(starts);
    this.#lengths.set(lengths);
    this.#hashes.set(hashes);
  }

  #growTable(): void {
    this.#table = new Int32Array(this.#table.length * 4);
    const mask = this.#table.length - 1;
    for (let id = 0; id < this.#size; id++) {
      let slot = this.#hashes[id]! & mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
      this.#table[slot] = id + 1;
    }
  }

  /** Forgets every string: numbers hold for one block. */
  reset(): void {
    this.entries.reset();
    this.#size = 0;
    this.#table.fill(0);
    this.#recentStarts.fill(-1);
  }
}

/** 32 bits of every byte; used inside one process only, so never part of what is written. */
function hashOf(view: DataView, at: number, length: number): number {
  let hash = length;
  if (length >= 4) {
    const last = length - 4;
    for (let i = 0; i < last; i += 4) hash = mix(hash, view.getInt32(at + i, true));
    hash = mix(hash, view.getInt32(at + last, true));
  } else {
    for (let i = 0; i < length; i++) hash = mix(hash, view.getUint8(at + i));
  }
  return hash ^ (hash >>> 15);
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 16);
}
