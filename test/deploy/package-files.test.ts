import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { packedInto } from './pack.ts';

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-pack-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** As large as it may become before somebody should look at what is in it. */
const limitBytes = 1_500_000;

test('the package has what runs and what is deployed, and nothing else', async () => {
  const tarball = await packedInto(folder);
  const tops = new Set(tarball.files.map(({ path }) => path.split('/')[0]));
  expect(tops).toEqual(
    new Set(['LICENSE', 'README.md', 'config', 'deploy', 'dist', 'package.json', 'proto']),
  );
  const paths = tarball.files.map(({ path }) => path);
  expect(
    paths.filter((path) => /\.(?:ts|tgz|map|test\.\w+)$|(?:^|\/)(?:data|node_modules)\//.test(path)),
  ).toEqual([]);
  expect(tarball.size).toBeLessThan(limitBytes);
  process.stdout.write(`${tarball.filename}: ${tarball.size} bytes, ${paths.length} files\n`);
});
