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
const chunkBytes = { min: 1 << 12, max: 1 << 22 } as const;

const gunzipAsync = promisify(gunzip);
const zstdAsync = promisify(zstdDecompress);

/** What a body will probably inflate to: gzip says so in its last 4 bytes, of zstd it is guessed. A hint only. */
function expectedBytes(body: Buffer, compression: 'gzip' | 'zstd'): number {
  if (compression === 'zstd' || body.length < 18) return body.length * 8;
  return Math.min(body.readUInt32LE(body.length - 4), body.length * maxDeflateRatio);
}

/** Inflates `body`, stopping at `limitBytes`. Rejects with a `too_large` Refusal, or an `invalid` Failure for corrupt data. */
export async function inflate(body: Buffer, compression: Compression, limitBytes: number): Promise<Buffer> {
  if (compression === 'identity') return body;
  const expected = expectedBytes(body, compression) + 64; // room to spare, else zlib asks for one chunk more
  const options = {
    maxOutputLength: limitBytes,
    chunkSize: Math.min(Math.max(expected, chunkBytes.min), chunkBytes.max),
  };
  try {
    if (body.length > inlineLimitBytes) {
      return compression === 'gzip' ? await gunzipAsync(body, options) : await zstdAsync(body, options);
    }
    return compression === 'gzip' ? gunzipSync(body, options) : zstdDecompressSync(body, options);
  } catch (error) {
    if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new Refusal(
        'too_large',
        `the request inflates to more than ${limitBytes} bytes: send smaller batches`,
      );
    }
    throw new Failure('invalid', `cannot inflate the ${compression} body: it is damaged or cut short`, {
      cause: error,
    });
  }
}
