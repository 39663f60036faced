import type { Source } from './native-arena.ts';
import { LowCardinalityColumn, NullableColumn, PlainColumn, sourceOf, type NativeColumn } from './native-columns.ts';
import type { ValueTexts } from './native-values.ts';
import { lengthAt, skipField } from './wire.ts';

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

/** Writes one typed column. */
export interface TypedWriter {
  readonly field: number;
  readonly column: NativeColumn;
  /** A row whose value's member (tag, then content) is at `at`. */
  append(source: Source, at: number): void;
  /** A row of a span that does not say; its trace id is at `traceIdAt`. */
  appendMissing(source: Source, traceIdAt: number): void;
}

const stringTag = 0x0a;
const boolTag = 0x10;
const intTag = 0x18;
const doubleTag = 0x21;
const traceIdBytes = 16;

/** The end of the member at `at`. */
function memberEnd(source: Source, at: number): number {
  return skipField(source.bytes, at + 1, source.bytes.length, source.bytes[at] ?? 0);
}

class TextWriter implements TypedWriter {
  readonly field: number;
  readonly column = new PlainColumn('String');
  readonly #texts: ValueTexts;
  readonly #missing: '' | 'trace id';

  constructor(field: number, missing: '' | 'trace id', texts: ValueTexts) {
    this.field = field;
    this.#missing = missing;
    this.#texts = texts;
  }

  append(source: Source, at: number): void {
    this.#texts.append(this.column.values, source, at, memberEnd(source, at));
  }

  appendMissing(source: Source, traceIdAt: number): void {
    if (this.#missing === '') this.column.values.u8(0);
    else this.column.values.hexText(source, traceIdAt, traceIdBytes);
  }
}

class LowCardinalityWriter implements TypedWriter {
  readonly field: number;
  readonly column: LowCardinalityColumn;
  readonly #texts: ValueTexts;

  constructor(field: number, missing: string, texts: ValueTexts) {
    this.field = field;
    this.column = new LowCardinalityColumn([missing]);
    this.#texts = texts;
  }

  append(source: Source, at: number): void {
    if (source.bytes[at] === stringTag) {
      const packed = lengthAt(source.bytes, at + 1, source.bytes.length);
      this.column.append(source, at + 1 + (packed & 7), packed >>> 3);
    } else {
      const text = this.#texts.text(source, at, memberEnd(source, at));
      this.column.append(text, 0, text.length);
    }
  }

  appendMissing(): void {
    this.column.appendId(0);
  }
}

/** The largest magnitude of Decimal(18, 9), in US dollars for a cost. */
const limitDecimal = 999_999_999;

class NumberWriter implements TypedWriter {
  readonly field: number;
  readonly column: NullableColumn;
  readonly #decimal: boolean;
  readonly #texts: ValueTexts;

  constructor(field: number, type: string, texts: ValueTexts) {
    this.field = field;
    this.column = new NullableColumn(type);
    this.#decimal = type !== 'Nullable(UInt64)';
    this.#texts = texts;
  }

  append(source: Source, at: number): void {
    const value = this.#number(source, at);
    if (this.#decimal) {
      if (Math.abs(value) <= limitDecimal) this.column.append(BigInt(Math.round(value * 1e9)));
      else this.column.appendNull();
    } else if (Number.isSafeInteger(value) && value >= 0) this.column.appendNumber(value);
    else this.column.appendNull();
  }

  /** NaN when the value is no number. A text counts when it is one: several senders write numbers as text. */
  #number(source: Source, at: number): number {
    if (source.bytes[at] === doubleTag) return source.view.getFloat64(at + 1, true);
    const byte = source.bytes[at + 1] ?? 0;
    if (source.bytes[at] === intTag && byte < 128) return byte;
    const text = this.#texts.text(source, at, memberEnd(source, at));
    const characters = Buffer.from(text.bytes.buffer, 0, text.length).toString('latin1');
    return characters === '' ? Number.NaN : Number(characters);
  }

  appendMissing(): void {
    this.column.appendNull();
  }
}

class BoolWriter implements TypedWriter {
  readonly field: number;
  readonly column = new PlainColumn('Bool');

  constructor(field: number) {
    this.field = field;
  }

  append(source: Source, at: number): void {
    const tag = source.bytes[at];
    const isNothing = (tag === boolTag || tag === stringTag) && source.bytes[at + 1] === 0;
    this.column.values.u8(isNothing ? 0 : 1);
  }

  appendMissing(): void {
    this.column.values.u8(0);
  }
}

/** The writer of `column`. */
export function typedWriter(column: TypedColumn, texts: ValueTexts): TypedWriter {
  switch (column.type) {
    case 'LowCardinality(String)':
      return new LowCardinalityWriter(column.field, column.missing, texts);
    case 'String':
      return new TextWriter(column.field, column.missing, texts);
    case 'Bool':
      return new BoolWriter(column.field);
    case 'Nullable(UInt64)':
    case 'Nullable(Decimal(18, 9))':
      return new NumberWriter(column.field, column.type, texts);
  }
}

/** A text of the program, to be written like one of the wire. */
export function sourceOfText(text: string): Source {
  return sourceOf(Buffer.from(text));
}
