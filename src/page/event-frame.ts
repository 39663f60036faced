import { constants, crc32, deflateRawSync } from 'node:zlib';

/** A piece of a stream of server-sent events, plain and packed. */
export class EventFrame {
  readonly text: string;
  #packed: Uint8Array | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /**
   * The same as blocks of DEFLATE (RFC 1951) that end at a whole byte and refer to nothing before them: so the pieces of
   * a stream are packed once for all its readers.
   */
  get packed(): Uint8Array {
    this.#packed ??= deflateRawSync(this.text, {
      level: constants.Z_BEST_SPEED,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    return this.#packed;
  }
}

/** What keeps a connection alive while there is nothing to say: a comment. */
export const heartbeat = new EventFrame(':\n\n');

/** A view, or what else is said as JSON, as one event. */
export function eventOf(name: string, json: string): EventFrame {
  return new EventFrame(`event: ${name}\ndata: ${json}\n\n`);
}

/** RFC 1952: the two magic bytes, DEFLATE, no flags, no time, no extra flags, Unix. */
const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
/** An empty last block. */
const lastBlock = Uint8Array.of(3, 0);

/** The frames as one gzip file, each as soon as it is there. */
export async function* gzipped(frames: AsyncIterable<EventFrame>): AsyncGenerator<Uint8Array> {
  let sum = 0;
  let bytes = 0;
  yield header;
  for await (const frame of frames) {
    sum = crc32(frame.text, sum);
    bytes += Buffer.byteLength(frame.text);
    yield frame.packed;
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(sum, 0);
  trailer.writeUInt32LE(bytes % 2 ** 32, 4);
  yield Buffer.concat([lastBlock, trailer]);
}
