import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopFileReason } from '../../src/rollback/stop-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-stop-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a stop file stops while it is there, and not when it is not', () => {
  const file = join(folder, 'stop');
  expect(stopFileReason(file)).toBeUndefined();
  expect(stopFileReason(join(folder, 'nowhere', 'stop'))).toBeUndefined();
  writeFileSync(file, '');
  expect(stopFileReason(file)).toBe(`the file ${file} is there`);
});

test('a stop file that cannot be looked for stops, too', () => {
  const loop = join(folder, 'loop');
  symlinkSync(loop, loop);
  const noFolder = join(folder, 'file');
  writeFileSync(noFolder, '');
  for (const file of [loop, join(noFolder, 'stop')])
    expect(stopFileReason(file)).toMatch(/^nobody can see whether the file .* is there: E/);
});
