import type { Source } from './native-arena.ts';
import type { MapColumn } from './native-columns.ts';
import { shortLengthAt } from './native-field.ts';
import { KeyValueParts, keyTag, valueTag } from './native-key-value.ts';
import type { ValueTexts } from './native-values.ts';

/** Writes KeyValues of the wire as entries of a Map column. */
export class AttributeEntries {
  readonly #parts = new KeyValueParts();
  readonly #texts: ValueTexts;

  constructor(texts: ValueTexts) {
    this.#texts = texts;
  }

  /** Appends the KeyValue in [at, end) to the current row of `map`, unless the row has its key already. */
  append(map: MapColumn, source: Source, at: number, end: number): void {
    const { bytes } = source;
    const keyLength = bytes[at + 1]!;
    const value = at + 2 + keyLength;
    // What encoders write: a key of less than 128 bytes, then a value that takes the rest. The rest is rare, and apart
    // so that the compiler inlines this.
    if (bytes[at] !== keyTag || keyLength > 0x7f || bytes[value] !== valueTag)
      return this.#appendOdd(map, source, at, end);
    const packed = shortLengthAt(bytes, value + 1);
    const valueAt = value + 1 + (packed & 7);
    if (packed < 0 || valueAt + (packed >> 3) !== end) return this.#appendOdd(map, source, at, end);
    if (map.key(source, at + 2, keyLength)) this.#texts.append(map.values, source, valueAt, end);
  }

  #appendOdd(map: MapColumn, source: Source, at: number, end: number): void {
    const parts = this.#parts;
    parts.read(source.bytes, at, end);
    if (map.key(source, parts.keyAt, parts.keyLength)) {
      this.#texts.append(map.values, source, parts.valueAt, parts.valueEnd);
    }
  }
}
