import { FieldCursor, shortLengthAt } from './native-field.ts';

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
    const keyLength = bytes[at + 1]!;
    const value = at + 2 + keyLength;
    // What encoders write: a key of less than 128 bytes, then a value that takes the rest.
    if (bytes[at] === keyTag && keyLength < 0x80 && bytes[value] === valueTag) {
      const packed = shortLengthAt(bytes, value + 1);
      const valueAt = value + 1 + (packed & 7);
      if (packed >= 0 && valueAt + (packed >> 3) === end) {
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
    const field = new FieldCursor();
    this.keyAt = at;
    this.keyLength = 0;
    this.valueAt = at;
    this.valueEnd = at;
    for (let next = at; next < end; next = field.end) {
      field.read(bytes, next, end);
      if (field.tag === keyTag) {
        this.keyAt = field.at;
        this.keyLength = field.end - field.at;
      } else if (field.tag === valueTag) {
        this.valueAt = field.at;
        this.valueEnd = field.end;
      }
    }
  }
}
