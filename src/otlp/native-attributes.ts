import type { Source } from './native-arena.ts';
import type { MapColumn } from './native-columns.ts';
import { KeyValueParts } from './native-key-value.ts';
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
    const parts = this.#parts;
    parts.read(source.bytes, at, end);
    if (map.key(source, parts.keyAt, parts.keyLength)) {
      this.#texts.append(map.values, source, parts.valueAt, parts.valueEnd);
    }
  }
}
