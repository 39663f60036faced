import { once } from 'node:events';
import { createGunzip, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventFrame, gzipped } from '../../src/page/event-frame.ts';
import { runs } from '../property-runs.ts';

async function* each(frames: readonly EventFrame[]): AsyncGenerator<EventFrame> {
  yield* frames;
}

test('frames that were packed alone are together one gzip file of what they say', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'binary', maxLength: 300 }), { maxLength: 5 }),
      async (texts) => {
        const chunks = await Array.fromAsync(gzipped(each(texts.map((text) => new EventFrame(text)))));
        expect(gunzipSync(Buffer.concat(chunks)).equals(Buffer.from(texts.join('')))).toBe(true);
      },
    ),
    { numRuns: Math.ceil(runs / 10) },
  );
});

test('each frame can be read as soon as it is there', async () => {
  const gunzip = createGunzip();
  const frames = ['one', 'two', 'one'].map((text) => new EventFrame(text));
  const chunks = gzipped(each(frames));
  gunzip.write((await chunks.next()).value);
  for (const { text } of frames) {
    const read = once(gunzip, 'data');
    gunzip.write((await chunks.next()).value);
    expect(String((await read)[0])).toBe(text);
  }
});
