import { expect, test } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { badReleaseDemo } from '../../src/cli/demo-bad-release.ts';
import { TearDown } from '../../src/cli/tear-down.ts';

const shipped = (name: string): string => new URL(`../../config/${name}`, import.meta.url).pathname;

test.each([
  ['all-kafka.yaml', '', 'connectors::kafka'],
  [
    'plimsoll.yaml',
    'exporters: { clickhouse: { url: "http://127.0.0.1:9" } }\nservice: { extensions: [health_check, api] }',
    'exporters::clickhouse::url',
  ],
])('the demo of a bad release refuses %s with "%s": real spans are there', async (name, over, what) => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-shared-'));
  const own = join(folder, 'own.yaml');
  writeFileSync(own, over || '{}');
  const files = [shipped(name), own];
  // Already over, so that a demo that does begin ends at once.
  const demo = badReleaseDemo({ files, rate: 1, signal: AbortSignal.abort(), tearDown: new TearDown() });
  await expect(demo).rejects.toThrow(
    `--bad-release would write make-believe runs to what others use (${what}): give it a configuration with all embedded`,
  );
  rmSync(folder, { recursive: true });
});
