import { Arena, sameBytes, type Source } from './native-arena.ts';

const places = 64;
/** Longer values are rarely repeated. */
const limitValueBytes = 62;
/** With its length, and the seven bytes that a copy may write behind it, it ends before the next place. */
const limitTextBytes = 120;
/** Of each place: the value's length, the value, and from `textFrom` on its text as a String. */
const placeBytes = 192;
const textFrom = 64;

/**
 * The texts of values that were made of bytes, such as doubles and lists, by those bytes: SDKs send the same few
 * again and again. A value that falls on another's place replaces it, so the size is fixed.
 */
export class RecentTexts {
  readonly #places = new Arena(places * placeBytes);

  /** Appends the text of the AnyValue in [at, end) to `out`, if it is remembered. */
  append(out: Arena, source: Source, at: number, end: number): boolean {
    const length = end - at;
    if (length < 4 || length > limitValueBytes) return false;
    const { bytes, view } = this.#places;
    const place = placeOf(source.view, at, length);
    if (bytes[place] !== length || !sameBytes(view, place + 1, source.view, at, length)) return false;
    out.copy(this.#places.source, place + textFrom, bytes[place + textFrom]! + 1);
    return true;
  }

  /** Remembers that the AnyValue in [at, end) is `text`. */
  keep(source: Source, at: number, end: number, text: Arena): void {
    const length = end - at;
    if (length < 4 || length > limitValueBytes || text.length > limitTextBytes) return;
    const place = this.#places;
    place.length = placeOf(source.view, at, length);
    const textAt = place.length + textFrom;
    place.u8(length);
    place.copy(source, at, length);
    place.length = textAt;
    place.text(text.source, 0, text.length);
  }
}

/** Where the value's place begins. */
function placeOf(view: DataView, at: number, length: number): number {
  const last = view.getInt32(at + length - 4, true);
  const word = last ^ Math.imul(view.getInt32(at + ((length - 4) >>> 1), true) + length, 0x85ebca6b);
  return (Math.imul(word, 0x9e3779b1) >>> 26) * placeBytes;
}
