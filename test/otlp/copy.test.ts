import { expect, test } from 'vitest';
import { copyBytes } from '../../src/otlp/copy.ts';

test('a copy of any length is the source there, and writes nothing beyond it', () => {
  const source = Buffer.from(Array.from({ length: 700 }, (_, k) => (k * 7 + 1) & 0xff));
  const view = new DataView(source.buffer, source.byteOffset, source.length);
  for (let length = 0; length <= 600; length++) {
    for (const from of [0, 3]) {
      const target = new Uint8Array(700);
      copyBytes(source, view, from, from + length, target, new DataView(target.buffer), 5);
      const wanted = new Uint8Array(700);
      wanted.set(source.subarray(from, from + length), 5);
      if (Buffer.compare(target, wanted) !== 0) expect(target, `${length} bytes`).toEqual(wanted);
    }
  }
});
