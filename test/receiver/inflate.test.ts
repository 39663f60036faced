import * as fc from 'fast-check';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { inflate } from '../../src/receiver/inflate.ts';
import { runs } from '../property-runs.ts';

const limitBytes = 1 << 22;
const room = { limitBytes, reserve: () => Promise.resolve() };
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
          expect((await inflate(deflate(body), compression, room)).equals(body)).toBe(true);
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
      expect(await inflate(deflate(body), compression, room)).toHaveLength(limitBytes);
      const more = deflate(Buffer.concat([body, Buffer.of(1)]));
      await expect(inflate(more, compression, room)).rejects.toMatchObject({ reason: 'too_large' });
    }
  });

  it('stops a bomb at the limit instead of inflating it', async () => {
    const bomb = deflate(Buffer.alloc(256 << 20));
    await expect(inflate(bomb, compression, room)).rejects.toMatchObject({ reason: 'too_large' });
  });

  it('answers arbitrary and damaged bytes as invalid', async () => {
    const body = deflate(Buffer.from('a body that will be damaged somewhere'));
    const damaged = fc.oneof(
      fc.uint8Array(),
      fc.nat({ max: body.length - 1 }).map((length) => body.subarray(0, length)),
    );
    await fc.assert(
      fc.asyncProperty(damaged, async (bytes) => {
        const outcome = await inflate(Buffer.from(bytes), compression, room).catch((error: unknown) => error);
        if (!Buffer.isBuffer(outcome)) expect(outcome).toMatchObject({ kind: 'invalid' });
        else expect(outcome).toHaveLength(0);
      }),
      { numRuns: runs },
    );
  });
});

it('leaves an uncompressed body alone', async () => {
  const body = Buffer.from('plain');
  expect(await inflate(body, 'identity', room)).toBe(body);
});

it.each(['gzip', 'zstd'] as const)(
  'gets room for what %s becomes before it is written, whatever the body claims',
  async (compression) => {
    const plain = Buffer.alloc(1 << 20);
    const body = compress[compression](plain);
    if (compression === 'gzip') body.writeUInt32LE(1, body.length - 4);
    const asked: number[] = [];
    const reserve = (bytes: number) => Promise.resolve(void asked.push(bytes));
    await inflate(body, compression, { limitBytes, reserve }).catch((error: unknown) => error); // gzip notices the lie
    expect(asked.length).toBeGreaterThan(1);
    expect(asked.at(-1)).toBeGreaterThanOrEqual(plain.length);
    expect(asked).toEqual(asked.toSorted((a, b) => a - b));
  },
);

it('does not inflate without room', async () => {
  const full = { limitBytes, reserve: () => Promise.reject(new Error('no room')) };
  await expect(inflate(gzipSync('a'), 'gzip', full)).rejects.toThrow('no room');
});
