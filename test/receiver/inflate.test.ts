import * as fc from 'fast-check';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { inflate } from '../../src/receiver/inflate.ts';
import { runs } from '../property-runs.ts';

const limitBytes = 1 << 22;
const compress = { gzip: gzipSync, zstd: zstdCompressSync };

describe.each(['gzip', 'zstd'] as const)('inflating %s', (compression) => {
  const deflate = (body: Uint8Array): Buffer => compress[compression](body);

  it('gives back what was compressed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.integer({ min: 1, max: 50 }),
        async (piece, times) => {
          const body = Buffer.concat(Array.from({ length: times }, () => piece));
          expect((await inflate(deflate(body), compression, limitBytes)).equals(body)).toBe(true);
        },
      ),
      { numRuns: runs / 5 },
    );
  });

  it('takes exactly the limit and refuses one byte more, small or large on the wire', async () => {
    const noise = Buffer.from(
      Array.from({ length: 1 << 21 }, (_, index) => (index * index * 2654435761) >>> 24),
    );
    for (const body of [
      Buffer.alloc(limitBytes),
      Buffer.concat([noise, Buffer.alloc(limitBytes - noise.length)]),
    ]) {
      expect(await inflate(deflate(body), compression, limitBytes)).toHaveLength(limitBytes);
      const more = deflate(Buffer.concat([body, Buffer.of(1)]));
      await expect(inflate(more, compression, limitBytes)).rejects.toMatchObject({ reason: 'too_large' });
    }
  });

  it('stops a bomb at the limit instead of inflating it', async () => {
    const bomb = deflate(Buffer.alloc(256 << 20));
    await expect(inflate(bomb, compression, limitBytes)).rejects.toMatchObject({ reason: 'too_large' });
  });

  it('answers arbitrary and damaged bytes as invalid', async () => {
    const body = deflate(Buffer.from('a body that will be damaged somewhere'));
    const damaged = fc.oneof(
      fc.uint8Array(),
      fc.nat({ max: body.length - 1 }).map((length) => body.subarray(0, length)),
    );
    await fc.assert(
      fc.asyncProperty(damaged, async (bytes) => {
        const outcome = await inflate(Buffer.from(bytes), compression, limitBytes).catch(
          (error: unknown) => error,
        );
        if (!Buffer.isBuffer(outcome)) expect(outcome).toMatchObject({ kind: 'invalid' });
        else expect(outcome).toHaveLength(0);
      }),
      { numRuns: runs },
    );
  });
});

it('leaves an uncompressed body alone', async () => {
  const body = Buffer.from('plain');
  expect(await inflate(body, 'identity', 1)).toBe(body);
});
