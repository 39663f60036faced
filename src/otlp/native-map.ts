import { Arena, slackBytes, writeDigits, type Source } from './native-arena.ts';
import { Ends, LowCardinalityColumn, type NativeColumn } from './native-columns.ts';
import { varintOf } from './native-field.ts';
import { keyTag, valueTag } from './native-key-value.ts';
import type { ValueTexts } from './native-values.ts';

/** Field tags of AnyValue. */
const stringTag = 0x0a;
const intTag = 0x18;

/** Of a place of a key that was met last: as long as a line of the processor's cache, the id behind the key. */
const places = 256;
const placeBytes = 64;
const idFrom = 60;
const limitRecentBytes = idFrom - 1;

/** Of a field that begins with a key: its tag, its length, the key's tag, the key's length. The lengths are below 128. */
const headMask = 0x80ff80ff | 0;

/** `Map(LowCardinality(String), String)`. A key is written once a row: the first value stays. */
export class MapColumn implements NativeColumn {
  readonly type = 'Map(LowCardinality(String), String)';
  readonly #ends = new Ends();
  readonly #keys = new LowCardinalityColumn();
  /** Append one String here after each `key` that returned true. */
  readonly values = new Arena(4096);
  readonly arenas = [this.#ends.values, ...this.#keys.arenas, this.values];
  #row = 1;
  /** The last row that had each key, by the key's id. */
  #lastRowOf = new Uint32Array(64);
  /** The keys that were met last, with their lengths, each at a place that a few of its bytes choose. */
  readonly #recent = new DataView(new ArrayBuffer(places * placeBytes));

  /** Begins an entry of the current row; false when the row has the key already and the value must not be written. */
  key(source: Source, at: number, length: number): boolean {
    return this.#begin(this.#keys.idOf(source, at, length));
  }

  #begin(id: number): boolean {
    if (id >= this.#lastRowOf.length) this.#grow();
    if (this.#lastRowOf[id] === this.#row) return false;
    this.#lastRowOf[id] = this.#row;
    this.#keys.appendId(id);
    return true;
  }

  #grow(): void {
    const rows = this.#lastRowOf;
    this.#lastRowOf = new Uint32Array(rows.length * 2);
    this.#lastRowOf.set(rows);
  }

  /**
   * Appends KeyValues to the current row: the fields `tag` of a message, from `at` on, as long as they are what encoders
   * write (a key, then one value, all lengths below 128). Returns where the first begins that is not.
   */
  // oxlint-disable-next-line max-lines-per-function -- a third of the time that a row takes is spent in this loop; what it would call is not inlined
  appendUsual(source: Source, at: number, end: number, tag: number, texts: ValueTexts): number {
    const { bytes, view } = source;
    const { values } = this;
    const keys = this.#keys;
    const recent = this.#recent;
    const row = this.#row;
    // A field takes at least eight bytes, and what a text or a small number says no more than the field.
    values.reserve(end - at);
    keys.reserve((end - at) >> 3);
    let out = values.view;
    let to = values.length;
    const { ids } = keys;
    let entries = keys.length;
    const fieldHead = (keyTag << 16) | tag;
    const safeEnd = Math.min(end, bytes.length - slackBytes) | 0;
    let next = at;
    while (next < safeEnd) {
      const head = view.getInt32(next, true);
      const keyLength = head >>> 24;
      const fieldEnd = next + 2 + ((head >> 8) & 0x7f);
      const valueAt = next + 4 + keyLength;
      if (
        (head & headMask) !== fieldHead ||
        fieldEnd > safeEnd ||
        valueAt + 2 > fieldEnd || // the key ends where the field does, or beyond: that length is another field's byte
        keyLength < 7 ||
        keyLength > limitRecentBytes
      )
        break;
      const value = view.getInt32(valueAt, true);
      const valueLength = (value >> 8) & 0xff;
      if ((value & 0x80ff) !== valueTag || valueAt + 2 + valueLength !== fieldEnd) break;

      // The key, with its length, as it was met last.
      const middle = Math.imul(view.getInt32(next + 2 + (keyLength >> 1), true), 0x85ebca6b);
      const place =
        (Math.imul(view.getInt32(next + keyLength, true) ^ middle, 0x9e3779b1) >>> 24) * placeBytes;
      const last = keyLength - 7;
      let same = recent.getBigInt64(place + last, true) === view.getBigInt64(next + 3 + last, true);
      for (let i = 0; same && i < last; i += 8) {
        same = recent.getBigInt64(place + i, true) === view.getBigInt64(next + 3 + i, true);
      }
      const id = same ? recent.getInt32(place + idFrom, true) : this.#learn(source, next + 3, place);
      const lastRowOf = this.#lastRowOf;
      if (lastRowOf[id] !== row) {
        lastRowOf[id] = row;
        ids[entries++] = id;
        const memberTag = (value >> 16) & 0xff;
        if (memberTag === stringTag && value >>> 24 === valueLength - 2) {
          const size = valueLength - 1;
          for (let i = 0; i < size; i += 8)
            out.setBigInt64(to + i, view.getBigInt64(valueAt + 3 + i, true), true);
          to += size;
          next = fieldEnd;
          continue;
        }
        const number =
          memberTag === intTag ? varintOf(view.getInt32(valueAt + 3, true), valueLength - 1) : -1;
        if (number >= 0) {
          const textEnd = writeDigits(out, to + 1, number);
          out.setUint8(to, textEnd - to - 1);
          to = textEnd;
        } else {
          values.length = to;
          texts.append(values, source, valueAt + 2, fieldEnd);
          values.reserve(end - fieldEnd);
          out = values.view;
          to = values.length;
        }
      }
      next = fieldEnd;
    }
    values.length = to;
    keys.length = entries;
    return next;
  }

  /** The id of the String at `at`, which from now on is remembered at `place`. */
  #learn(source: Source, at: number, place: number): number {
    const length = source.bytes[at]!;
    const id = this.#keys.idOf(source, at + 1, length);
    if (id >= this.#lastRowOf.length) this.#grow();
    for (let i = 0; i <= length; i++) this.#recent.setUint8(place + i, source.bytes[at + i]!);
    this.#recent.setInt32(place + idFrom, id, true);
    return id;
  }

  /** Rows ended so far. */
  get rows(): number {
    return this.#row - 1;
  }

  /** Entries of all rows so far: with `values.length`, how to find a row again for `repeatRow`. */
  get entries(): number {
    return this.#keys.length;
  }

  endRow(): void {
    this.#ends.append(this.#keys.length);
    this.#row++;
  }

  /** A row equal to an earlier one: `count` entries from entry `entry` on, their values `bytes` bytes from `at` on. */
  repeatRow(entry: number, count: number, at: number, bytes: number): void {
    this.#keys.repeat(entry, count);
    this.values.repeat(at, bytes);
    this.endRow();
  }

  chunks(): readonly Uint8Array[] {
    return [this.#ends.values.written(), ...this.#keys.chunks(), this.values.written()];
  }

  reset(): void {
    this.#ends.values.reset();
    this.#keys.reset();
    this.values.reset();
    this.#row = 1;
    this.#lastRowOf.fill(0);
    new Uint8Array(this.#recent.buffer).fill(0);
  }
}
