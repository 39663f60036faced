import { Readable } from 'node:stream';
import { constants, createGzip, createZstdCompress } from 'node:zlib';

/** How inserts travel to a server. */
export type Compression = 'zstd' | 'gzip' | 'none';

/** So much is compressed at once, off the main thread: handing it over costs as much as 20 KiB of compression. */
const pieceBytes = 2 ** 20;

const encoders: Readonly<Record<Exclude<Compression, 'none'>, () => NodeJS.ReadWriteStream & Readable>> = {
  zstd: () =>
    createZstdCompress({ chunkSize: pieceBytes, params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
  gzip: () => createGzip({ chunkSize: pieceBytes, level: 1 }),
};

/** `chunks` as the body of an HTTP request; they are read until the stream ends. */
export function insertBody(chunks: readonly Uint8Array[], compression: Compression): Readable {
  const pieces = Readable.from(piecesOf(chunks));
  return compression === 'none' ? pieces : pieces.pipe(encoders[compression]());
}

/** The header that names the compression. */
export function contentEncoding(compression: Compression): Record<string, string> {
  return compression === 'none' ? {} : { 'content-encoding': compression };
}

/** The bytes of `chunks`, of which a block has hundreds, in few pieces. */
function* piecesOf(chunks: readonly Uint8Array[]): Generator<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    gathered.push(chunk);
    bytes += chunk.byteLength;
    if (bytes < pieceBytes) continue;
    yield gathered.length === 1 ? chunk : Buffer.concat(gathered);
    [gathered, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(gathered);
}
