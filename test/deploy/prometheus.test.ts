import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { endpoints, loadConfig } from '../../src/config.ts';
import { requires } from '../requires.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const scrape = path('deploy/prometheus.yaml');
const promtool = requires('promtool', { version: '--version', from: 'prometheus' });

test.skipIf(promtool)('Prometheus takes the shipped scrape configuration', () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', scrape], { encoding: 'utf8' });
  expect({ status, said: stdout + stderr }).toMatchObject({ status: 0 });
});

test('it scrapes where the shipped configuration listens, and keeps the labels as they are', () => {
  const metrics = endpoints(loadConfig([path('config/plimsoll.yaml')])).find(({ path: at }) =>
    at.includes('metrics'),
  );
  const text = readFileSync(scrape, 'utf8');
  expect(text).toContain(`'${metrics?.host}:${metrics?.port}'`);
  expect(text).toContain('honor_labels: true');
});
