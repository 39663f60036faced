const places = 4096;
/** Longer texts are rarely repeated. */
const limitLength = 64;

/**
 * Makes strings of UTF-8 bytes and remembers short ones, because agents, tools and models repeat: a text seen
 * before costs a comparison and no garbage. A text that falls on another's place replaces it, so the size is fixed.
 */
export class TextCache {
  readonly #bytes = new Uint8Array(places * limitLength);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #lengths = new Uint8Array(places);
  readonly #texts: string[] = Array.from({ length: places }, () => '');

  /** The text at [at, end), which is UTF-8. `view` covers the same bytes. */
  read(bytes: Buffer, view: DataView, at: number, end: number): string {
    const length = end - at;
    if (length < 4 || length > limitLength) return bytes.toString('utf8', at, end);
    const last = view.getInt32(end - 4, true);
    const middle = view.getInt32(at + ((length - 4) >>> 1), true);
    const place =
      Math.imul(last ^ Math.imul(middle + length, 0x85ebca6b) ^ view.getInt32(at, true), 0x9e3779b1) >>> 20;
    const base = place * limitLength;
    if (this.#lengths[place] === length && this.#is(base, view, at, length - 4)) return this.#texts[place]!;
    const text = bytes.toString('utf8', at, end);
    for (let k = 0; k < length; k++) this.#bytes[base + k] = bytes[at + k]!;
    this.#lengths[place] = length;
    this.#texts[place] = text;
    return text;
  }

  #is(base: number, view: DataView, at: number, last: number): boolean {
    for (let k = 0; k < last; k += 4) {
      if (this.#view.getInt32(base + k, true) !== view.getInt32(at + k, true)) return false;
    }
    return this.#view.getInt32(base + last, true) === view.getInt32(at + last, true);
  }
}
