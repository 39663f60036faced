import { Source } from './native-arena.ts';
import { NullableColumn, PlainColumn, type NativeColumn } from './native-columns.ts';
import { shortLengthAt, shortVarintAt } from './native-field.ts';
import { NameColumns } from './native-names.ts';
import { emptySlot, slotOffset } from './span-columns.ts';
import type { SpanView } from './span-view.ts';
import { lengthAt } from './wire.ts';

/** A column read from a canonical field: what it holds when nobody says is `missing`, NULL or false. */
export type TypedColumn =
  | {
      readonly name: string;
      readonly type: 'LowCardinality(String)';
      readonly field: number;
      readonly missing: string;
    }
  | {
      readonly name: string;
      readonly type: 'String';
      readonly field: number;
      /** `trace id` is the span's, in hex. */
      readonly missing: '' | 'trace id';
    }
  | {
      readonly name: string;
      readonly type: 'Nullable(UInt64)' | 'Nullable(Decimal(18, 9))';
      readonly field: number;
    }
  | {
      readonly name: string;
      /** True when the field says anything but '' or false. */
      readonly type: 'Bool';
      readonly field: number;
    };

/** An empty slot as a signed number, which compares faster. */
const none = emptySlot | 0;

const stringTag = 0x0a;
const intTag = 0x18;
const doubleTag = 0x21;
/** Of a trace id in hex, with its length. */
const traceIdBytes = 33;

// What the writers read is what SpanView reads, except that texts of the wire are copied without making strings.
// `at` is where the value stands, its tag before its content; 0 is a span that does not say.

class TextWriter {
  readonly field: number;
  readonly column = new PlainColumn('String');
  readonly #missing: PlainColumn | undefined;

  /** Where nobody says, it is what `missing` holds of the same row, an id in hex; '' without `missing`. */
  constructor(field: number, missing: PlainColumn | undefined) {
    this.field = field;
    this.#missing = missing;
  }

  append(view: SpanView, source: Source, at: number): void {
    if (at === 0) return this.#appendMissing();
    if (source.bytes[at] !== stringTag) return this.#appendMade(view.string(this.field));
    const packed = lengthOf(source.bytes, at + 1);
    this.column.values.text(source, at + 1 + (packed & 7), packed >>> 3);
  }

  #appendMissing(): void {
    const { values } = this.column;
    const missing = this.#missing?.values;
    if (missing === undefined) values.u8(0);
    else values.copy(missing.source, missing.length - traceIdBytes, traceIdBytes);
  }

  #appendMade(text: string | undefined): void {
    if (text === undefined) return this.#appendMissing();
    const bytes = Buffer.from(text);
    this.column.values.text(new Source().open(bytes), 0, bytes.length);
  }
}

/** The largest whole part of Decimal(18, 9). */
const limitDecimal = 999_999_999;

class NumberWriter {
  readonly field: number;
  readonly column: NullableColumn;
  readonly #isDecimal: boolean;

  constructor(field: number, type: 'Nullable(UInt64)' | 'Nullable(Decimal(18, 9))') {
    this.field = field;
    this.column = new NullableColumn(type);
    this.#isDecimal = type !== 'Nullable(UInt64)';
  }

  write(row: number, view: SpanView, source: Source, at: number): void {
    const tag = source.bytes[at];
    let value: number | undefined = -1;
    if (tag === intTag)
      value = source.bytes[at + 1]! < 0x80 ? source.bytes[at + 1]! : shortVarintAt(source.bytes, at + 1);
    else if (tag === doubleTag) value = source.view.getFloat64(at + 1, true);
    if (!(value >= 0 && value < Infinity)) value = view.number(this.field);
    if (value === undefined) return;
    if (this.#isDecimal) this.#writeDecimal(row, value);
    else if (Number.isSafeInteger(value)) this.column.setNumber(row, value);
  }

  /** Nine decimals, as a whole number of them. */
  #writeDecimal(row: number, value: number): void {
    if (value > limitDecimal) return;
    const scaled = Math.round(value * 1e9);
    if (Number.isSafeInteger(scaled)) this.column.setNumber(row, scaled);
    else this.column.set(row, BigInt(scaled));
  }
}

class BoolWriter {
  readonly field: number;
  readonly column = new PlainColumn('Bool');

  constructor(field: number) {
    this.field = field;
  }

  append(view: SpanView, at: number): void {
    this.column.values.u8(at !== 0 && view.bool(this.field) !== false ? 1 : 0);
  }
}

/** The typed columns of a table. */
export class TypedColumns {
  /** In the order in which they were given. */
  readonly columns: readonly NativeColumn[];
  /** One list a class, so that each loop over one calls code it knows. */
  readonly #texts: TextWriter[] = [];
  readonly #names = new NameColumns();
  readonly #numbers: NumberWriter[] = [];
  readonly #flags: BoolWriter[] = [];
  readonly #traceIds: PlainColumn;

  /** `traceIds` must hold a row before it is appended here. */
  constructor(columns: readonly TypedColumn[], traceIds: PlainColumn) {
    this.#traceIds = traceIds;
    this.columns = columns.map((column) => this.#writer(column).column);
  }

  #writer(column: TypedColumn): { readonly column: NativeColumn } {
    if (column.type === 'LowCardinality(String)') {
      return { column: this.#names.add(column.field, column.missing) };
    }
    if (column.type === 'String') {
      const missing = column.missing === '' ? undefined : this.#traceIds;
      return added(this.#texts, new TextWriter(column.field, missing));
    }
    if (column.type === 'Bool') return added(this.#flags, new BoolWriter(column.field));
    return added(this.#numbers, new NumberWriter(column.field, column.type));
  }

  /** About how many bytes of a row `arenas` of the columns do not tell. */
  get rowBytes(): number {
    return this.#names.count + this.#numbers.length * 9;
  }

  /**
   * Appends row `row` of the block, of the span at `view`, whose resource says the same as that of the row before or not.
   * What nobody says costs nothing where a column can leave rows out.
   */
  append(row: number, view: SpanView, source: Source, isSameResource: boolean): void {
    const { index } = view;
    const { spans, resourceSlots } = index;
    const { slots, fieldCount } = spans;
    const own = view.row * fieldCount;
    const shared = spans.resource[view.row]! * fieldCount;
    this.#names.append(view, source, isSameResource);
    const numbers = this.#numbers;
    const texts = this.#texts;
    const flags = this.#flags;
    for (let i = 0; i < numbers.length; i++) {
      const writer = numbers[i]!;
      const at = valueAt(slots[own + writer.field]!, resourceSlots[shared + writer.field]!);
      if (at !== 0) writer.write(row, view, source, at);
    }
    for (let i = 0; i < texts.length; i++) {
      const writer = texts[i]!;
      writer.append(view, source, valueAt(slots[own + writer.field]!, resourceSlots[shared + writer.field]!));
    }
    for (let i = 0; i < flags.length; i++) {
      const writer = flags[i]!;
      writer.append(view, valueAt(slots[own + writer.field]!, resourceSlots[shared + writer.field]!));
    }
  }

  /** Forgets what it knows of the block; the columns are reset by whoever has them. */
  reset(): void {
    this.#names.reset();
  }

  /** Says that the block has `rows` rows. */
  reach(rows: number): void {
    this.#names.flush();
    for (const writer of this.#numbers) writer.column.reach(rows);
  }
}

function added<Writer>(writers: Writer[], writer: Writer): Writer {
  writers.push(writer);
  return writer;
}

/** Where the better of a span's slot and its resource's says that the value stands (tag, then content); 0 when neither does. */
function valueAt(own: number, shared: number): number {
  const slot = (own < shared ? own : shared) | 0;
  return slot === none ? 0 : slot & slotOffset;
}

function lengthOf(bytes: Uint8Array, at: number): number {
  const packed = shortLengthAt(bytes, at);
  return packed < 0 ? lengthAt(bytes, at, bytes.length) : packed;
}
