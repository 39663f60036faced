import type { Source } from './native-arena.ts';
import type { MapColumn } from './native-columns.ts';
import type { ValueTexts } from './native-values.ts';
import { lengthAt, skipField, tagAt, varintWidth } from './wire.ts';

const keyTag = 0x0a;
const valueTag = 0x12;

/** Where a KeyValue's parts are. One object is reused, so that reading one makes none. */
export class KeyValueParts {
  keyAt = 0;
  keyLength = 0;
  /** The AnyValue message; empty when there is none. */
  valueAt = 0;
  valueEnd = 0;

  /** Reads the KeyValue in [at, end), which an index has checked. */
  read(bytes: Uint8Array, at: number, end: number): void {
    const keyLength = bytes[at + 1] ?? 0;
    const value = at + 2 + keyLength;
    // What encoders write: a key of less than 128 bytes, then a value that takes the rest.
    if (bytes[at] === keyTag && keyLength < 128 && bytes[value] === valueTag) {
      const first = bytes[value + 1] ?? 0;
      const second = bytes[value + 2] ?? 0;
      const valueAt = first < 128 ? value + 2 : value + 3;
      const length = first < 128 ? first : second < 128 ? (first & 127) | (second << 7) : -1;
      if (valueAt + length === end) {
        this.keyAt = at + 2;
        this.keyLength = keyLength;
        this.valueAt = valueAt;
        this.valueEnd = end;
        return;
      }
    }
    this.#readAny(bytes, at, end);
  }

  /** Fields in any order, repeated or unknown; of a repeated one the last counts. */
  #readAny(bytes: Uint8Array, at: number, end: number): void {
    this.keyAt = this.valueAt = this.valueEnd = at;
    this.keyLength = 0;
    for (let next = at; next < end; ) {
      const tag = tagAt(bytes, next, end);
      next += varintWidth(tag);
      const to = skipField(bytes, next, end, tag);
      const from = tag === keyTag || tag === valueTag ? next + (lengthAt(bytes, next, end) & 7) : to;
      if (tag === keyTag) [this.keyAt, this.keyLength] = [from, to - from];
      if (tag === valueTag) [this.valueAt, this.valueEnd] = [from, to];
      next = to;
    }
  }
}

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
