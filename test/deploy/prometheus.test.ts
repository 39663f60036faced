import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { endpoints, loadConfig } from '../../src/config.ts';
import { plimsoll } from '../e2e/program.ts';
import { requires } from '../requires.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const scrape = path('deploy/prometheus.yaml');
const promtool = requires('promtool', { version: '--version', from: 'prometheus' });

test.skipIf(promtool)('Prometheus takes the shipped scrape configuration', () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', scrape], { encoding: 'utf8' });
  expect({ status, said: stdout + stderr }).toMatchObject({ status: 0 });
});

/** The text without the `# ` in front of what is commented out, and without words. */
function uncommented(text: string): string {
  return text
    .replaceAll(/^ *# [A-Z].*$/gm, '')
    .replaceAll(/^( *)# /gm, '$1')
    .replace("      - targets: ['127.0.0.1:9464']\n", '');
}

test.skipIf(promtool)('with its comments taken in, Prometheus finds the rules of --out rules', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-deploy-'));
  mkdirSync(join(folder, 'deploy'));
  const file = join(folder, 'deploy', 'prometheus.yaml');
  writeFileSync(file, uncommented(readFileSync(scrape, 'utf8')));
  const policy = path('config/policies/refund-agent.yaml');
  const words = ['--receivers', path('deploy/receivers.yaml')];
  const { stderr } = await plimsoll('policy', 'render', ...words, '--out', join(folder, 'rules'), policy);
  expect(stderr).toBe('');
  const checked = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' });
  expect(checked.stdout + checked.stderr).toMatch(/SUCCESS: 2 rule files found/);
  rmSync(folder, { recursive: true });
});

test('in roles, it scrapes where each of them listens', () => {
  const text = uncommented(readFileSync(scrape, 'utf8'));
  process.env['CLICKHOUSE_URL'] ??= ''; // store.yaml wants to be told
  for (const role of ['ingest', 'store', 'assess']) {
    const all = endpoints(loadConfig([path(`config/${role}.yaml`)]));
    const metrics = all.find(({ path: at }) => at.includes('metrics'));
    expect(text).toContain(`'${metrics?.host}:${metrics?.port}'`);
  }
});

test('it scrapes where the shipped configuration listens, and keeps the labels as they are', () => {
  const metrics = endpoints(loadConfig([path('config/plimsoll.yaml')])).find(({ path: at }) =>
    at.includes('metrics'),
  );
  const text = readFileSync(scrape, 'utf8');
  expect(text).toContain(`'${metrics?.host}:${metrics?.port}'`);
  expect(text).toContain('honor_labels: true');
});
