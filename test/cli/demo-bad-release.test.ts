import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, test, vi } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
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

test('the demo of a bad release runs beside what is on its ports, and says where it is then', async () => {
  const others = [1, 2].map(() =>
    createServer((_, response) => void response.end('another program')).listen(0, '127.0.0.1'),
  );
  await Promise.all(others.map(async (other) => once(other, 'listening')));
  const [http = '', api = ''] = others.map((other) => {
    const address = other.address();
    return typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '';
  });
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-beside-'));
  const own = join(folder, 'own.yaml');
  const any = '127.0.0.1:0';
  writeFileSync(
    own,
    stringify({
      receivers: { otlp: { protocols: { grpc: { endpoint: any }, http: { endpoint: http } } } },
      extensions: { health_check: { endpoint: any }, sql: { endpoint: any }, api: { endpoint: api } },
      service: { telemetry: { metrics: { endpoint: any } } },
    }),
  );
  const files = [shipped('plimsoll.yaml'), own];
  let said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  // Already over, so that it ends as soon as it began.
  const tearDown = new TearDown();
  await tearDown.after(async () => badReleaseDemo({ files, rate: 1, signal: AbortSignal.abort(), tearDown }));
  vi.restoreAllMocks();
  expect(said.split('\n').slice(0, 2)).toEqual([
    expect.stringMatching(
      `^${http} is in use: receivers::otlp::protocols::http::endpoint is 127\\.0\\.0\\.1:[1-9]\\d+ here$`,
    ),
    expect.stringMatching(`^${api} is in use: extensions::api::endpoint is 127\\.0\\.0\\.1:[1-9]\\d+ here$`),
  ]);
  for (const other of others) other.close();
  rmSync(folder, { recursive: true });
});
