import type { Source } from './native-arena.ts';
import {
  LowCardinalityColumn,
  NullableColumn,
  PlainColumn,
  sourceOf,
  type NativeColumn,
} from './native-columns.ts';
import { shortLengthAt, shortVarintAt } from './native-field.ts';
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

const stringTag = 0x0a;
const intTag = 0x18;
const traceIdBytes = 16;

// What the writers read is what SpanView reads, except that texts of the wire are copied without making strings.
// `at` is where the value stands, its tag before its content; 0 is a span that does not say.

class TextWriter {
  readonly field: number;
  readonly column = new PlainColumn('String');
  readonly #missing: '' | 'trace id';

  constructor(field: number, missing: '' | 'trace id') {
    this.field = field;
    this.#missing = missing;
  }

  append(view: SpanView, source: Source, at: number): void {
    const { values } = this.column;
    if (at !== 0 && source.bytes[at] === stringTag) {
      const packed = lengthOf(source.bytes, at + 1);
      return values.text(source, at + 1 + (packed & 7), packed >>> 3);
    }
    const text = at === 0 ? undefined : view.string(this.field);
    if (text !== undefined) {
      const bytes = Buffer.from(text);
      values.text(sourceOf(bytes), 0, bytes.length);
    } else if (this.#missing === '') values.u8(0);
    else values.hexText(source, view.index.spans.traceIdAt[view.row]!, traceIdBytes);
  }
}

class LowCardinalityWriter {
  readonly field: number;
  readonly column: LowCardinalityColumn;

  constructor(field: number, missing: string) {
    this.field = field;
    this.column = new LowCardinalityColumn([missing]);
  }

  write(row: number, view: SpanView, source: Source, at: number): void {
    if (source.bytes[at] === stringTag) {
      const packed = lengthOf(source.bytes, at + 1);
      this.column.reach(row);
      return this.column.append(source, at + 1 + (packed & 7), packed >>> 3);
    }
    const text = view.string(this.field);
    if (text === undefined) return;
    const bytes = Buffer.from(text);
    this.column.reach(row);
    this.column.append(sourceOf(bytes), 0, bytes.length);
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
    const short = source.bytes[at] === intTag ? shortVarintAt(source.bytes, at + 1) : -1;
    const value = short < 0 ? view.number(this.field) : short;
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
  readonly #names: LowCardinalityWriter[] = [];
  readonly #numbers: NumberWriter[] = [];
  readonly #flags: BoolWriter[] = [];

  constructor(columns: readonly TypedColumn[]) {
    this.columns = columns.map((column) => this.#writer(column).column);
  }

  #writer(column: TypedColumn): { readonly column: NativeColumn } {
    if (column.type === 'LowCardinality(String)') {
      return added(this.#names, new LowCardinalityWriter(column.field, column.missing));
    }
    if (column.type === 'String') return added(this.#texts, new TextWriter(column.field, column.missing));
    if (column.type === 'Bool') return added(this.#flags, new BoolWriter(column.field));
    return added(this.#numbers, new NumberWriter(column.field, column.type));
  }

  /** About how many bytes of a row `arenas` of the columns do not tell. */
  get rowBytes(): number {
    return this.#names.length + this.#numbers.length * 9;
  }

  /** Appends row `row` of the block, of the span at `view`. What nobody says costs nothing where a column can leave rows out. */
  append(row: number, view: SpanView): void {
    const { index } = view;
    const { spans, resourceSlots } = index;
    const { slots, fieldCount } = spans;
    const own = view.row * fieldCount;
    const shared = spans.resource[view.row]! * fieldCount;
    for (const writer of this.#names) {
      const at = valueAt(slots[own + writer.field]!, resourceSlots[shared + writer.field]!);
      if (at !== 0) writer.write(row, view, index, at);
    }
    for (const writer of this.#numbers) {
      const at = valueAt(slots[own + writer.field]!, resourceSlots[shared + writer.field]!);
      if (at !== 0) writer.write(row, view, index, at);
    }
    for (const writer of this.#texts) {
      writer.append(view, index, valueAt(slots[own + writer.field]!, resourceSlots[shared + writer.field]!));
    }
    for (const writer of this.#flags) {
      writer.append(view, valueAt(slots[own + writer.field]!, resourceSlots[shared + writer.field]!));
    }
  }

  /** Says that the block has `rows` rows. */
  reach(rows: number): void {
    for (const writer of this.#names) writer.column.reach(rows);
    for (const writer of this.#numbers) writer.column.reach(rows);
  }
}

function added<Writer>(writers: Writer[], writer: Writer): Writer {
  writers.push(writer);
  return writer;
}

/** Where the better of a span's slot and its resource's says that the value stands (tag, then content); 0 when neither does. */
function valueAt(own: number, shared: number): number {
  const slot = own < shared ? own : shared;
  return slot === emptySlot ? 0 : slot & slotOffset;
}

function lengthOf(bytes: Uint8Array, at: number): number {
  const packed = shortLengthAt(bytes, at);
  return packed < 0 ? lengthAt(bytes, at, bytes.length) : packed;
}
