import { promisify } from 'node:util';
import { gunzip, gunzipSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { Failure } from '../core/failure.ts';
import { Refusal } from './status.ts';

/** How a body is compressed. */
export type Compression = 'identity' | 'gzip' | 'zstd';

/** Up to this many compressed bytes are inflated at once, which costs half; more would hold up every other request. */
const inlineLimitBytes = 1 << 20;
/** Deflate cannot do better than 1032:1, so a gzip trailer that claims more is lying. */
const maxDeflateRatio = 1032;
/** How much more room is asked for when a body proves larger than expected: inflating anew costs at most a seventh more. */
const roomFactor = 8;
const chunkBytes = { min: 1 << 12, max: 1 << 22 } as const;

const gunzipAsync = promisify(gunzip);
const zstdAsync = promisify(zstdDecompress);

/** What a body will probably inflate to: gzip says so in its last 4 bytes, of zstd it is guessed. A hint only. */
function expectedBytes(body: Buffer, compression: 'gzip' | 'zstd'): number {
  if (compression === 'zstd' || body.length < 18) return body.length * 8;
  return Math.min(body.readUInt32LE(body.length - 4), body.length * maxDeflateRatio);
}

/** How much `inflate` may hold. */
export interface InflateRoom {
  /** The most a body may inflate to. */
  readonly limitBytes: number;
  /** Makes room for `bytes` in all, before they are written; what it rejects with, `inflate` rejects with. */
  readonly reserve: (bytes: number) => Promise<void>;
}

/**
 * Inflates `body`, stopping at the limit. What a body says of its size is not believed: it gets room for that, and when it
 * proves larger, room for more. Rejects with a `too_large` Refusal, or an `invalid` Failure for corrupt data.
 */
export async function inflate(body: Buffer, compression: Compression, room: InflateRoom): Promise<Buffer> {
  if (compression === 'identity') return body;
  const { limitBytes } = room;
  let roomBytes = Math.max(expectedBytes(body, compression), chunkBytes.min);
  for (;;) {
    roomBytes = Math.min(roomBytes, limitBytes);
    await room.reserve(roomBytes);
    const plain = await inflateWithin(body, compression, roomBytes);
    if (plain) return plain;
    if (roomBytes === limitBytes) {
      throw new Refusal(
        'too_large',
        `the request inflates to more than ${limitBytes} bytes: send smaller batches`,
      );
    }
    roomBytes *= roomFactor;
  }
}

/** Inflates `body` unless it becomes more than `roomBytes`. */
async function inflateWithin(
  body: Buffer,
  compression: 'gzip' | 'zstd',
  roomBytes: number,
): Promise<Buffer | undefined> {
  const spareBytes = 64; // else zlib asks for one chunk more
  const options = {
    maxOutputLength: roomBytes,
    chunkSize: Math.min(Math.max(roomBytes + spareBytes, chunkBytes.min), chunkBytes.max),
  };
  try {
    if (body.length > inlineLimitBytes) {
      return compression === 'gzip' ? await gunzipAsync(body, options) : await zstdAsync(body, options);
    }
    return compression === 'gzip' ? gunzipSync(body, options) : zstdDecompressSync(body, options);
  } catch (error) {
    if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      return undefined;
    throw new Failure('invalid', `cannot inflate the ${compression} body: it is damaged or cut short`, {
      cause: error,
    });
  }
}
