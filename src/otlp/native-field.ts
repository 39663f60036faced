import { lengthAt, skipField, tagAt, varintWidth } from './wire.ts';

/**
 * One field of a message at a time, for walks over bytes that an index has checked. The object is reused, so that a
 * walk makes none; whoever calls something that walks on, takes what it needs first.
 */
export class FieldCursor {
  tag = 0;
  /** The content: behind its length, where it has one. */
  at = 0;
  end = 0;

  /** Reads the field at `at` of a message that ends at `end`; `this.end` is where the next one begins. */
  read(bytes: Uint8Array, at: number, end: number): void {
    const tag = bytes[at]! < 0x80 ? bytes[at]! : tagAt(bytes, at, end);
    const content = at + varintWidth(tag);
    this.tag = tag;
    if ((tag & 7) === 2) {
      const packed = lengthAt(bytes, content, end);
      this.at = content + (packed & 7);
      this.end = this.at + (packed >>> 3);
    } else {
      this.at = content;
      this.end = skipField(bytes, content, end, tag);
    }
  }
}
