import { copyBytes } from './copy.ts';
import { varintWidth, writeVarint } from './wire.ts';

/** Bytes behind what was written that may be read, and hold nothing. */
export const slackBytes = 64;

/**
 * Writes messages from their last byte to their first, so that every length is known when its prefix is written
 * and nothing is measured twice. Owns its bytes.
 */
export class BackwardWriter {
  readonly bytes: Buffer<ArrayBuffer>;
  readonly view: DataView;
  /** Where the first byte written so far is. */
  at: number;
  readonly #end: number;

  /** Writes to `bytes`, which become the writer's. */
  constructor(bytes: Buffer<ArrayBuffer>) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#end = bytes.length - slackBytes;
    this.at = this.#end;
  }

  /** Puts [from, to) of `source` in front. */
  copy(source: Buffer, sourceView: DataView, from: number, to: number): void {
    this.at -= to - from;
    copyBytes(source, sourceView, from, to, this.bytes, this.view, this.at);
  }

  /** Puts a tag of one byte and the length in front of what was written since `at` was `end`. */
  header(tag: number, end: number): void {
    const length = end - this.at;
    this.at -= varintWidth(length);
    writeVarint(this.bytes, this.at, length);
    this.bytes[--this.at] = tag;
  }

  /** What was written: a view of the writer's own bytes, with `slackBytes` behind it. */
  written(): Buffer<ArrayBuffer> {
    return this.bytes.subarray(this.at, this.#end);
  }
}
