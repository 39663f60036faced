import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The keys in the tables of config/reference.md and of config/policies/reference.md, from the top. */
function knownKeys(): readonly string[] {
  const keys = [];
  for (const section of read('config/reference.md').split(/^## /m)) {
    const [, component] = /^`(\w+::\w+)`/.exec(section) ?? [];
    if (component !== undefined) keys.push(component);
    for (const [, key = ''] of section.matchAll(/^\| `([^`]+)`/gm))
      keys.push(component === undefined ? key : `${component}::${key}`);
  }
  for (const [, key = ''] of read('config/policies/reference.md').matchAll(/^\| `([^`]+)`/gm)) keys.push(key);
  return keys;
}

const documents = [
  ...globSync('deploy/*.md', { cwd: root }),
  'README.md',
  'config/policies/README.md',
  'test/README.md',
];

test('every key that a document names is one of a configuration or of a policy', () => {
  const known = knownKeys().map((key) => key.split('::'));
  /** `…` stands for any one key. */
  const isKnown = (named: readonly string[]): boolean =>
    known.some(
      (key) =>
        key.length === named.length &&
        key.every((part, at) => part === named[at] || named[at] === '…' || part === 'NAME'),
    );
  const named = documents.flatMap((path) =>
    [...read(path).matchAll(/[a-z_]+(?:::[\w/…]+)+/g)].map(([key]) => ({ path, key })),
  );
  expect(named.length).toBeGreaterThan(25);
  expect(named.filter(({ key }) => !isKnown(key.split('::')))).toEqual([]);
});

test('the chart asks for as much memory as each role was seen to take, and says no figures of its own', () => {
  const text = read('deploy/helm/plimsoll/values.yaml');
  const role = z.object({ resources: z.object({ requests: z.object({ memory: z.string() }) }) });
  const values = z.record(z.string(), z.unknown()).parse(parse(text));
  for (const name of ['ingest', 'store', 'assess']) {
    const most = new RegExp(`^\\| ${name} +\\| (\\d+) MiB was the most`, 'm').exec(
      read('deploy/capacity.md'),
    );
    const { memory } = role.parse(values[name]).resources.requests;
    expect(memory, name).toMatch(/^\d+Mi$/);
    expect(Number.parseInt(memory, 10), name).toBeGreaterThanOrEqual(Number(most?.[1]));
  }
  expect(text).toContain('deploy/capacity.md');
  expect(text.match(/at most \d+/)).toBeNull();
});
