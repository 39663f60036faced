import type { Source } from './native-arena.ts';
import { FieldCursor } from './native-field.ts';
import { KeyValueParts } from './native-key-value.ts';
import type { MapColumn } from './native-map.ts';
import type { ValueTexts } from './native-values.ts';

/** Writes KeyValues of the wire as entries of a Map column. */
export class AttributeEntries {
  readonly #field = new FieldCursor();
  readonly #parts = new KeyValueParts();
  readonly #texts: ValueTexts;

  constructor(texts: ValueTexts) {
    this.#texts = texts;
  }

  /**
   * Appends the KeyValues in the fields `tag` (one byte) of a message that ends at `end` to the current row of `map`,
   * from `at` on, until another field comes; returns where that begins. Of equal keys the first stays.
   */
  append(map: MapColumn, source: Source, at: number, end: number, tag: number): number {
    const field = this.#field;
    let next = map.appendUsual(source, at, end, tag, this.#texts);
    while (next < end && source.bytes[next] === tag) {
      field.read(source.bytes, next, end);
      this.#appendOdd(map, source, field.at, field.end);
      next = map.appendUsual(source, field.end, end, tag, this.#texts);
    }
    return next;
  }

  /** Appends the KeyValue in [at, end), whatever its shape. */
  #appendOdd(map: MapColumn, source: Source, at: number, end: number): void {
    const parts = this.#parts;
    parts.read(source.bytes, at, end);
    if (map.key(source, parts.keyAt, parts.keyLength)) {
      this.#texts.append(map.values, source, parts.valueAt, parts.valueEnd);
    }
  }
}
