import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { finished } from '../finished.ts';
import { until } from '../until.ts';
import { sharedPackage } from './pack.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Not below the system's temporary folder: what somebody has installed there, Node would find, too. */
const folder = mkdtempSync('/var/tmp/plimsoll-package-');
const packed = join(folder, 'node_modules', 'plimsoll');
const fetching = ['--prefer-offline', '--no-audit', '--no-fund'];

beforeAll(async () => {
  const { filename } = await sharedPackage(inject('sharedPackageUrl'));
  writeFileSync(join(folder, 'package.json'), '{}');
  await finished('npm', ['install', ...fetching, filename], { cwd: folder });
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true }));

const everything = { ...process.env, CLICKHOUSE_URL: 'http://127.0.0.1:1' };

/** Runs the program as it is installed. */
function plimsoll(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(join(folder, 'node_modules', '.bin', 'plimsoll'), words, {
    cwd: folder,
    encoding: 'utf8',
    env: everything,
  });
  return { code: status, stdout, stderr };
}

test('the program says its version, and the help of each of its commands', () => {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const asked = spawnSync('npx', ['plimsoll', 'version'], { cwd: folder, encoding: 'utf8' });
  expect(asked.stdout).toContain(version);
  expect(plimsoll('version')).toMatchObject({ code: 0, stdout: expect.stringContaining(version) });
  const commands = [...plimsoll('--help').stdout.matchAll(/^ {2}(\w[\w-]*) {2,}/gm)].map(
    ([, name = '']) => name,
  );
  expect(commands).toContain('run');
  for (const command of commands)
    expect(plimsoll(command, '--help')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`plimsoll ${command}`),
      stderr: '',
    });
});

test('the shipped configurations and policies are valid where they are installed', () => {
  for (const name of ['plimsoll', 'all-kafka'])
    expect(plimsoll('validate', '--config', join(packed, 'config', `${name}.yaml`))).toMatchObject({
      code: 0,
      stderr: '',
    });
  const policy = join(packed, 'config', 'policies', 'refund-agent.yaml');
  expect(plimsoll('policy', 'test', policy).stdout).toContain('4 tests passed');
});

test('without a configuration it runs the shipped one, becomes ready, and stops when it is told to', async () => {
  const ports = ['OTLP_GRPC', 'OTLP_HTTP', 'METRICS', 'HEALTH', 'SQL', 'API'];
  const anyPorts = Object.fromEntries(ports.map((name) => [`PLIMSOLL_${name}_ENDPOINT`, '127.0.0.1:0']));
  const child = spawn(join(folder, 'node_modules', '.bin', 'plimsoll'), ['run'], {
    cwd: folder,
    env: { ...process.env, ...anyPorts },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
  await until('it is ready', () => {
    if (child.exitCode !== null) throw new Error(said);
    return /^ {2}health +(\S+)$/m.test(said);
  });
  const [, health = ''] = /^ {2}health +(\S+)$/m.exec(said) ?? [];
  await until('data flows', async () => (await fetch(health)).ok);
  const [, page = ''] = /^ {2}page, API +(\S+)$/m.exec(said) ?? [];
  const asked = await fetch(page, { headers: { accept: 'text/html' } });
  expect(await asked.text()).toContain('<html');
  for (const name of ['main.js', 'base.css', 'uPlot.esm.js'])
    expect((await fetch(new URL(`/page/${name}`, page))).status, name).toBe(200);
  child.kill('SIGTERM');
  await until('it has stopped', () => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
  expect(existsSync(join(folder, 'data'))).toBe(true);
});

test('without optional packages all but what is embedded works, and that says what it needs', async () => {
  await finished('npm', ['install', '--omit=optional', ...fetching], { cwd: folder });
  expect(existsSync(join(folder, 'node_modules', 'chdb'))).toBe(false);
  expect(plimsoll('version').code).toBe(0);
  expect(plimsoll('validate', '--config', join(packed, 'config', 'store.yaml'))).toMatchObject({
    code: 0,
    stderr: '',
  });
  const { code, stderr } = plimsoll('run');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^plimsoll: the embedded .*optional package/m);
});
