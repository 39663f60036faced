import { Arena, Source } from './native-arena.ts';
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

  /** Makes row `row`, which was not set before, a whole number from 0 to 2^53. */
  setNumber(row: number, value: number): void {
    if (row >= this.#said.length) this.reach(row + 1);
    this.#said[row] = 1;
    this.#halves[2 * row] = value;
    if (value > 0xffffffff) this.#halves[2 * row + 1] = value / 4_294_967_296;
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
  /** The block's distinct strings and their ids. */
  readonly dictionary = new Dictionary();
  readonly arenas = [this.dictionary.entries];
  readonly #presets: readonly Source[];
  /** The values written so far, and room for those that `reserve` announced. */
  ids = new Uint32Array(1024);
  /** Values written so far. */
  length = 0;

  /** `presets` are the ids 0, 1, … of every block, whether used or not. */
  constructor(presets: readonly string[] = []) {
    this.#presets = presets.map((text) => new Source().open(Buffer.from(text)));
    this.#preset();
  }

  #preset(): void {
    for (const preset of this.#presets) this.idOf(preset, 0, preset.bytes.length);
  }

  idOf(source: Source, at: number, length: number): number {
    return this.dictionary.idOf(source, at, length);
  }

  append(source: Source, at: number, length: number): void {
    this.appendId(this.dictionary.idOf(source, at, length));
  }

  /** Appends the string that `idOf` gave `id` for in this block. */
  appendId(id: number): void {
    if (this.length === this.ids.length) this.#grow(1);
    this.ids[this.length++] = id;
  }

  /** Appends `count` ids: that at `at` of `ids`, and every one that is `step` further. */
  appendEvery(ids: Uint32Array, at: number, step: number, count: number): void {
    this.reserve(count);
    const { ids: to, length } = this;
    for (let i = 0; i < count; i++) to[length + i] = ids[at + i * step]!;
    this.length = length + count;
  }

  /** Makes room for `extra` more values. */
  reserve(extra: number): void {
    if (this.length + extra > this.ids.length) this.#grow(extra);
  }

  /** Says that there are `length` values; those that were not appended have id 0. */
  reach(length: number): void {
    if (length > this.ids.length) this.#grow(length - this.length);
    this.length = length;
  }

  /** The values from `at` on, `count` of them, once more. */
  repeat(at: number, count: number): void {
    if (this.length + count > this.ids.length) this.#grow(count);
    const { ids, length } = this;
    for (let i = 0; i < count; i++) ids[length + i] = ids[at + i]!;
    this.length += count;
  }

  #grow(extra: number): void {
    const ids = this.ids;
    this.ids = new Uint32Array(Math.max(ids.length * 2, this.length + extra));
    this.ids.set(ids);
  }

  chunks(): readonly Uint8Array[] {
    if (this.length === 0) return [];
    const size = this.dictionary.size;
    const [width, Ids] =
      size <= 0x100 ? [0n, Uint8Array] : size <= 0x10000 ? [1n, Uint16Array] : [2n, Uint32Array];
    const ids = new Ids(this.ids.subarray(0, this.length));
    return [
      words(hasAdditionalKeys | needsUpdate | width, BigInt(size)),
      this.dictionary.entries.written(),
      words(BigInt(this.length)),
      new Uint8Array(ids.buffer),
    ];
  }

  reset(): void {
    this.ids.fill(0, 0, this.length);
    this.length = 0;
    this.dictionary.reset();
    this.#preset();
  }
}

/** Where each row of an Array or Map ends in its elements. Arrays of one Nested share it. */
export class Ends {
  readonly values = new Arena();
  readonly arenas = [this.values];

  /** Ends a row after `elements` elements of the whole block, of which there are less than 2^31. */
  append(elements: number): void {
    const { values } = this;
    values.reserve(8);
    values.view.setInt32(values.length, elements, true);
    values.view.setInt32(values.length + 4, 0, true);
    values.length += 8;
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
