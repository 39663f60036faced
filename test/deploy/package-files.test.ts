import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, inject, test } from 'vitest';
import { sharedPackage, type Tarball } from './pack.ts';

/** As large as it may become before somebody should look at what is in it. */
const limitBytes = 1_500_000;

let tarball: Tarball;
beforeAll(async () => {
  tarball = await sharedPackage(inject('sharedPackageUrl'));
});

test('the package has what runs and what is deployed, and nothing else', () => {
  const tops = new Set(tarball.files.map(({ path }) => path.split('/')[0]));
  expect(tops).toEqual(
    new Set(['LICENSE', 'README.md', 'config', 'deploy', 'dist', 'package.json', 'proto']),
  );
  const paths = tarball.files.map(({ path }) => path);
  expect(
    paths.filter((path) => /\.(?:ts|tgz|map|test\.\w+)$|(?:^|\/)(?:data|node_modules)\//.test(path)),
  ).toEqual([]);
  expect(tarball.size).toBeLessThan(limitBytes);
  process.stdout.write(`${basename(tarball.filename)}: ${tarball.size} bytes, ${paths.length} files\n`);
});

const lines = (name: string): readonly string[] =>
  readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8').split('\n');

test('the secrets that people write beside it get neither into the package, nor into Git, nor into the image', () => {
  const paths = tarball.files.map(({ path }) => path);
  expect(paths).toContain('deploy/.env.example');
  expect(paths.filter((path) => path.endsWith('.env'))).toEqual([]);
  expect(lines('.gitignore')).toContain('.env');
  const ignored = lines('deploy/Containerfile.dockerignore').filter((line) => line !== '');
  expect(ignored.at(-1)).toBe('**/.env');
});
