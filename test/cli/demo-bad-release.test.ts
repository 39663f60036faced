import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, test, vi } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../free-ports.ts';
import { until } from '../until.ts';
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

test('the demo of a bad release runs beside what is on its ports, and says where it is then and who may review', async () => {
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
  const [grpc, health, sql, metrics] = (await freePorts(4)).map((port) => `127.0.0.1:${port}`);
  writeFileSync(
    own,
    stringify({
      receivers: { otlp: { protocols: { grpc: { endpoint: grpc }, http: { endpoint: http } } } },
      extensions: { health_check: { endpoint: health }, sql: { endpoint: sql }, api: { endpoint: api } },
      service: { telemetry: { metrics: { endpoint: metrics } } },
    }),
  );
  const files = [shipped('plimsoll.yaml'), own];
  let said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const tearDown = new TearDown();
  const over = new AbortController();
  const demo = tearDown.after(async () => badReleaseDemo({ files, rate: 1, signal: over.signal, tearDown }));
  const seen = until('what it says of its page', () => /the page (\S+) .* the token (\S+)/.exec(said)).then(
    async ([, page = '', token = '']) => {
      const gate = await fetch(`${page}/api/v1/gate/none?release=1`);
      const review = await fetch(`${page}/api/v1/reviews/none`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: '{"review":"right"}',
      });
      return { page, gate: await gate.text(), review: [review.status, await review.text()] };
    },
  );
  const { page, gate, review } = await Promise.race([seen, demo.then(() => seen)]).finally(() =>
    over.abort(),
  );
  await demo;
  vi.restoreAllMocks();
  expect(said).toContain(`${api} is in use: extensions::api::endpoint is ${new URL(page).host} here`);
  expect(gate).toContain('only refund-agent');
  expect(review).toEqual([404, expect.stringContaining('none')]);
  expect(said.split('\n').slice(0, 2)).toEqual([
    expect.stringMatching(
      `^${http} is in use: receivers::otlp::protocols::http::endpoint is 127\\.0\\.0\\.1:[1-9]\\d+ here$`,
    ),
    expect.stringMatching(`^${api} is in use: extensions::api::endpoint is 127\\.0\\.0\\.1:[1-9]\\d+ here$`),
  ]);
  for (const other of others) other.close();
  rmSync(folder, { recursive: true });
});
