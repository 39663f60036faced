import { Arena, type Source } from './native-arena.ts';
import { Dictionary } from './native-dictionary.ts';

/**
 * One column of a block in ClickHouse's Native format as client revision 0 reads it, which is what
 * `INSERT … FROM INFILE … FORMAT Native` speaks. Sources: `SerializationLowCardinality`, `SerializationArray`,
 * `SerializationNullable` of ClickHouse.
 */
export interface NativeColumn {
  /** ClickHouse's name of the type. */
  readonly type: string;
  /** The memory the values take, for a caller that sums it often. */
  readonly arenas: readonly Arena[];
  /** The body, in order, for all rows; valid until `reset`. */
  chunks(): readonly Uint8Array[];
  reset(): void;
}

const lowCardinalityVersion = 1n;
/** The keys follow in the block, and they are this block's own. */
const hasAdditionalKeys = 0x200n;
const needsUpdate = 0x400n;

/** The bytes of `numbers` as little-endian UInt64. */
function words(...numbers: readonly bigint[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(numbers.length * 8));
  numbers.forEach((number, i) => view.setBigUint64(i * 8, number, true));
  return new Uint8Array(view.buffer);
}

/** Values of one width without framing (UInt8 … DateTime64, Bool, Decimal), and String: what the arena holds is the body. */
export class PlainColumn implements NativeColumn {
  readonly type: string;
  readonly values = new Arena();
  readonly arenas = [this.values];

  constructor(type: string) {
    this.type = type;
  }

  chunks(): readonly Uint8Array[] {
    return [this.values.written()];
  }

  reset(): void {
    this.values.reset();
  }
}

/** `Nullable` of a type of eight bytes. Rows that are never set are NULL. */
export class NullableColumn implements NativeColumn {
  readonly type: string;
  readonly arenas: readonly Arena[] = [];
  /** 1 where there is a value. */
  #said = new Uint8Array(1024);
  #halves = new Uint32Array(2048);
  #rows = 0;

  constructor(type: string) {
    this.type = type;
  }

  /** Makes row `row` a whole number from 0 to 2^53. */
  setNumber(row: number, value: number): void {
    if (row >= this.#said.length) this.reach(row + 1);
    this.#said[row] = 1;
    this.#halves[2 * row] = value;
    this.#halves[2 * row + 1] = value / 4_294_967_296;
  }

  /** Makes row `row` the low 64 bits of `value`. */
  set(row: number, value: bigint): void {
    if (row >= this.#said.length) this.reach(row + 1);
    this.#said[row] = 1;
    this.#halves[2 * row] = Number(BigInt.asUintN(32, value));
    this.#halves[2 * row + 1] = Number(BigInt.asUintN(32, value >> 32n));
  }

  /** Says that there are `rows` rows. */
  reach(rows: number): void {
    this.#rows = rows;
    if (rows <= this.#said.length) return;
    const [said, halves] = [this.#said, this.#halves];
    this.#said = new Uint8Array(Math.max(said.length * 2, rows));
    this.#halves = new Uint32Array(this.#said.length * 2);
    this.#said.set(said);
    this.#halves.set(halves);
  }

  chunks(): readonly Uint8Array[] {
    const nulls = this.#said.slice(0, this.#rows);
    for (let row = 0; row < nulls.length; row++) nulls[row]! ^= 1;
    return [nulls, new Uint8Array(this.#halves.buffer, 0, this.#rows * 8)];
  }

  reset(): void {
    this.#said.fill(0);
    this.#halves.fill(0);
    this.#rows = 0;
  }
}

/** `LowCardinality(String)`: the block's distinct strings, then each row's number in them at the narrowest width. */
export class LowCardinalityColumn implements NativeColumn {
  readonly type: string = 'LowCardinality(String)';
  readonly dictionary = new Dictionary();
  readonly arenas = [this.dictionary.entries];
  readonly #presets: readonly Source[];
  #ids = new Uint32Array(1024);
  /** What `append` appended last. */
  #last = 0;
  /** Values written so far. */
  length = 0;

  /** `presets` are the ids 0, 1, … of every block, whether used or not. */
  constructor(presets: readonly string[] = []) {
    this.#presets = presets.map((text) => sourceOf(Buffer.from(text)));
    this.#preset();
  }

  #preset(): void {
    for (const preset of this.#presets) this.idOf(preset, 0, preset.bytes.length);
  }

  idOf(source: Source, at: number, length: number): number {
    return this.dictionary.idOf(source, at, length);
  }

  append(source: Source, at: number, length: number): void {
    // Rows of one sender follow each other, and comparing with one string is cheaper than looking it up.
    if (!this.dictionary.holds(this.#last, source, at, length)) this.#last = this.idOf(source, at, length);
    this.appendId(this.#last);
  }

  /** Appends the string that `idOf` gave `id` for in this block. */
  appendId(id: number): void {
    if (this.length === this.#ids.length) this.#grow(1);
    this.#ids[this.length++] = id;
  }

  /** Says that there are `length` values; those that were not appended have id 0. */
  reach(length: number): void {
    if (length > this.#ids.length) this.#grow(length - this.length);
    this.length = length;
  }

  /** The values from `at` on, `count` of them, once more. */
  repeat(at: number, count: number): void {
    if (this.length + count > this.#ids.length) this.#grow(count);
    for (let i = 0; i < count; i++) this.#ids[this.length + i] = this.#ids[at + i] ?? 0;
    this.length += count;
  }

  #grow(extra: number): void {
    const ids = this.#ids;
    this.#ids = new Uint32Array(Math.max(ids.length * 2, this.length + extra));
    this.#ids.set(ids);
  }

  chunks(): readonly Uint8Array[] {
    if (this.length === 0) return [];
    const size = this.dictionary.size;
    const [width, Ids] =
      size <= 0x100 ? [0n, Uint8Array] : size <= 0x10000 ? [1n, Uint16Array] : [2n, Uint32Array];
    const ids = new Ids(this.#ids.subarray(0, this.length));
    return [
      words(hasAdditionalKeys | needsUpdate | width, BigInt(size)),
      this.dictionary.entries.written(),
      words(BigInt(this.length)),
      new Uint8Array(ids.buffer),
    ];
  }

  reset(): void {
    this.#ids.fill(0, 0, this.length);
    this.length = 0;
    this.#last = 0;
    this.dictionary.reset();
    this.#preset();
  }
}

/** Where each row of an Array or Map ends in its elements. Arrays of one Nested share it. */
export class Ends {
  readonly values = new Arena();
  readonly arenas = [this.values];

  /** Ends a row after `elements` elements of the whole block. */
  append(elements: number): void {
    this.values.u64(elements);
  }
}

/** `Array` of the type of its elements. Whoever made `ends` appends to it, once for all arrays that share it. */
export class ArrayColumn<Element extends NativeColumn> implements NativeColumn {
  readonly type: string;
  readonly arenas: readonly Arena[];
  readonly elements: Element;
  readonly #ends: Ends;

  constructor(ends: Ends, elements: Element) {
    this.type = `Array(${elements.type})`;
    this.elements = elements;
    this.arenas = [ends.values, ...elements.arenas];
    this.#ends = ends;
  }

  chunks(): readonly Uint8Array[] {
    return [this.#ends.values.written(), ...this.elements.chunks()];
  }

  reset(): void {
    this.#ends.values.reset();
    this.elements.reset();
  }
}

/** `Map(LowCardinality(String), String)`. A key is written once a row: the first value stays. */
export class MapColumn implements NativeColumn {
  readonly type = 'Map(LowCardinality(String), String)';
  readonly #ends = new Ends();
  readonly #keys = new LowCardinalityColumn();
  /** Append one String here after each `key` that returned true. */
  readonly values = new Arena(4096);
  readonly arenas = [this.#ends.values, ...this.#keys.arenas, this.values];
  #row = 1;
  #lastRowOf = new Uint32Array(64);
  /** The key that followed each key when it was last met, as its id plus one; at 0 the first of a row. */
  #nextOf = new Uint32Array(65);
  /** The current row's last key, as its id plus one. */
  #previous = 0;

  /** Begins an entry of the current row; false when the row has the key already and the value must not be written. */
  key(source: Source, at: number, length: number): boolean {
    const id = this.#idOf(source, at, length);
    if (this.#lastRowOf[id] === this.#row) return false;
    this.#lastRowOf[id] = this.#row;
    this.#keys.appendId(id);
    return true;
  }

  /** Spans of one kind carry their keys in one order, and comparing with one string is cheaper than looking it up. */
  #idOf(source: Source, at: number, length: number): number {
    const guess = this.#nextOf[this.#previous]! - 1;
    if (guess >= 0 && this.#keys.dictionary.holds(guess, source, at, length)) {
      this.#previous = guess + 1;
      return guess;
    }
    const id = this.#keys.idOf(source, at, length);
    if (id >= this.#lastRowOf.length) this.#grow();
    this.#nextOf[this.#previous] = id + 1;
    this.#previous = id + 1;
    return id;
  }

  #grow(): void {
    const [rows, next] = [this.#lastRowOf, this.#nextOf];
    this.#lastRowOf = new Uint32Array(rows.length * 2);
    this.#nextOf = new Uint32Array(rows.length * 2 + 1);
    this.#lastRowOf.set(rows);
    this.#nextOf.set(next);
  }

  /** Rows ended so far. */
  get rows(): number {
    return this.#row - 1;
  }

  /** Entries of all rows so far: with `values.length`, how to find a row again for `repeatRow`. */
  get entries(): number {
    return this.#keys.length;
  }

  endRow(): void {
    this.#ends.append(this.#keys.length);
    this.#row++;
    this.#previous = 0;
  }

  /** A row equal to an earlier one: `count` entries from entry `entry` on, their values `bytes` bytes from `at` on. */
  repeatRow(entry: number, count: number, at: number, bytes: number): void {
    this.#keys.repeat(entry, count);
    this.values.repeat(at, bytes);
    this.endRow();
  }

  chunks(): readonly Uint8Array[] {
    return [this.#ends.values.written(), ...this.#keys.chunks(), this.values.written()];
  }

  reset(): void {
    this.#ends.values.reset();
    this.#keys.reset();
    this.values.reset();
    this.#row = 1;
    this.#previous = 0;
    this.#lastRowOf.fill(0);
    this.#nextOf.fill(0);
  }
}

/** `bytes` with its view. */
export function sourceOf(bytes: Uint8Array): Source {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** One Native block: `rows` rows of `columns`, as chunks that stay valid until a column is reset. */
export function nativeBlock(columns: ReadonlyMap<string, NativeColumn>, rows: number): Uint8Array[] {
  const head = new Arena();
  head.varint(columns.size);
  head.varint(rows);
  const chunks = [head.written()];
  for (const [name, column] of columns) {
    const label = new Arena();
    label.asciiText(name);
    label.asciiText(column.type);
    if (column.type.includes('LowCardinality')) label.bigint(lowCardinalityVersion);
    chunks.push(label.written(), ...column.chunks());
  }
  return chunks.filter((chunk) => chunk.length > 0);
}
