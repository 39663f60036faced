import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { compressionsAlgorithms } from '@platformatic/kafka';
import { compressionCodes } from './kafka-batch.ts';

/** How the records of a batch are packed, by the three lowest bits of its attributes (KIP-98, KIP-110); two we never write. */
const codes = { ...compressionCodes, snappy: 2, lz4: 3 } as const;

/** The most bytes a batch may become when it is unpacked; larger ones would take the memory of the process. */
const unpackedLimitBytes = 2 ** 28;

const zlibOptions = { chunkSize: 2 ** 18, maxOutputLength: unpackedLimitBytes };

/**
 * What was packed with `code`, by whichever client. Throws one sentence when nobody can unpack it, or nobody should.
 */
export function unpacked(code: number, bytes: Buffer): Buffer {
  switch (code) {
    case codes.none:
      return bytes;
    case codes.gzip:
      return gunzipSync(bytes, zlibOptions);
    case codes.snappy:
      return unpackedBy('snappy', bytes, snappyBytes(bytes));
    case codes.lz4:
      return unpackedBy('lz4', bytes, lz4LimitBytes(bytes));
    case codes.zstd:
      return zstdDecompressSync(bytes, zlibOptions);
    default:
      throw new Error(
        `its compression ${code} is none of ${Object.keys(codes).join(', ')}: have its producer use one of these`,
      );
  }
}

/** The package unpacks in memory that never shrinks and ends in a trap where it fails, so what it is given is measured before. */
function unpackedBy(name: 'snappy' | 'lz4', bytes: Buffer, becomesBytes: number): Buffer {
  if (becomesBytes > unpackedLimitBytes)
    throw new Error(`its ${name} may become ${becomesBytes} bytes and ${unpackedLimitBytes} is the limit`);
  try {
    return compressionsAlgorithms[name].decompressSync(bytes);
  } catch (error) {
    throw new Error(`its ${name} is damaged`, { cause: error });
  }
}

/** What Java clients write before snappy: a magic, two versions, then chunks that each begin with their length. */
const xerialMagic = Buffer.from('\x82SNAPPY\0', 'latin1');
const xerialHeaderBytes = 16;

/** How many bytes snappy becomes: each chunk, or the only one, says so in front. */
function snappyBytes(bytes: Buffer): number {
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) return leadingVarint(bytes, 0);
  let total = 0;
  for (let at = xerialHeaderBytes; at + 4 <= bytes.length; at += 4 + bytes.readUInt32BE(at))
    total += leadingVarint(bytes, at + 4);
  return total;
}

function leadingVarint(bytes: Buffer, from: number): number {
  let value = 0;
  for (let at = from, scale = 1; at < bytes.length && scale <= 2 ** 28; at++, scale *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return value;
}

// A frame of LZ4: magic, flags, the size that no block is larger than, then blocks, each of which begins with its length.
const lz4FlagsAt = 4;
const lz4SizeAt = 5;
const blockChecksumFlag = 0x10;
const contentSizeFlag = 0x08;
const dictionaryFlag = 0x01;
const storedFlag = 0x8000_0000;
/** No byte of a block becomes more. */
const lz4Ratio = 255;

/** At most how many bytes a frame of LZ4 becomes. */
function lz4LimitBytes(bytes: Buffer): number {
  if (bytes.length < lz4SizeAt + 2) return 0;
  const flags = bytes[lz4FlagsAt] ?? 0;
  const largestBytes = 2 ** (8 + 2 * (((bytes[lz4SizeAt] ?? 0) >>> 4) & 7));
  const checksumBytes = flags & blockChecksumFlag ? 4 : 0;
  let at = lz4SizeAt + 2 + (flags & contentSizeFlag ? 8 : 0) + (flags & dictionaryFlag ? 4 : 0);
  let total = 0;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt32LE(at) & ~storedFlag;
    if (length === 0) break;
    total += Math.min(largestBytes, length * lz4Ratio);
    at += 4 + length + checksumBytes;
  }
  return total;
}
