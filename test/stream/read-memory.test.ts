import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReadMemory } from '../../src/stream/read-memory.ts';
import { runs } from '../property-runs.ts';

test('property: what a read was lent stays as it was until the next read begins', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(sizes, { maxLength: 6 }), (reads) => {
      const memory = new ReadMemory();
      for (const [round, read] of reads.entries()) {
        memory.begin();
        const lent = read.map((size, i) => memory.copy(Buffer.alloc(size, round * 8 + i)));
        for (const [i, bytes] of lent.entries()) {
          expect(bytes).toEqual(Buffer.alloc(read[i] ?? 0, round * 8 + i));
        }
      }
    }),
    { numRuns: runs },
  );
});

test('the next read uses the memory of the one before, unless that was beyond what is kept', () => {
  const memory = new ReadMemory();
  const read = (size: number): Buffer => {
    memory.begin();
    return memory.copy(Buffer.alloc(size));
  };
  read(100_000);
  const [second, third] = [read(100_000), read(90_000)];
  expect(third.buffer).toBe(second.buffer);
  const large = read(9_000_000);
  expect(read(9_000_000).buffer).not.toBe(large.buffer);
  expect(read(90_000).buffer).toBe(second.buffer);
});
