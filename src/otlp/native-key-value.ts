import { FieldCursor } from './native-field.ts';

/** Field tags of KeyValue. */
export const keyTag = 0x0a;
export const valueTag = 0x12;

/** Where a KeyValue's parts are. One object is reused, so that reading one makes none. */
export class KeyValueParts {
  keyAt = 0;
  keyLength = 0;
  /** The AnyValue message; empty when there is none. */
  valueAt = 0;
  valueEnd = 0;
  readonly #field = new FieldCursor();

  /**
   * Reads the KeyValue in [at, end), which an index has checked: fields in any order, repeated or unknown; of a repeated
   * one the last counts.
   */
  read(bytes: Uint8Array, at: number, end: number): void {
    const field = this.#field;
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
