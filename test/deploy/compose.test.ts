import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { beginIn, plimsoll } from '../e2e/program.ts';
import { finished } from '../finished.ts';
import { requires } from '../requires.ts';
import { pairsOf, stagesOf } from './container.ts';
import { validatorPrograms } from './validators.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = join(root, 'deploy', 'compose.yaml');
const policy = join(root, 'config', 'policies', 'refund-agent.yaml');
const promtool = requires('promtool', { version: '--version', from: 'prometheus' });
const amtool = requires('amtool', { version: '--version', from: 'prometheus-alertmanager' });

const serviceShape = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).nullish(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z
    .array(
      z.object({
        type: z.string(),
        source: z.string(),
        target: z.string(),
        read_only: z.boolean().optional(),
      }),
    )
    .default([]),
  ports: z
    .array(z.object({ host_ip: z.string().default('0.0.0.0'), target: z.number(), published: z.string() }))
    .default([]),
  healthcheck: z.looseObject({}).optional(),
  restart: z.string().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
type Service = z.infer<typeof serviceShape>;

/** What is copied to .env, filled in. */
const variables = Object.fromEntries(
  [...readFileSync(join(root, 'deploy', '.env.example'), 'utf8').matchAll(/^([A-Z_]+)=$/gm)].map(
    ([, name = '']) => [name, `a-secret-of-${name.toLowerCase()}`],
  ),
);

let services: Readonly<Record<string, Service>>;
beforeAll(async () => {
  const program = join(await validatorPrograms(), 'validators');
  const env = { PATH: process.env['PATH'], ...variables };
  const said: unknown = JSON.parse(await finished(program, ['compose', file], { env }));
  ({ services } = z.object({ services: z.record(z.string(), serviceShape) }).parse(said));
}, 900_000);

const roles = ['ingest', 'store', 'assess'];

test('whatever its variables ask for stands in .env.example, and no more', () => {
  const asked = [
    ...readFileSync(file, 'utf8').matchAll(/(?<!\$)\$\{(\w+)|environment: (PLIMSOLL_\w+) \}/g),
  ].map(([, name, secret]) => name ?? secret);
  expect(new Set(asked)).toEqual(new Set(Object.keys(variables)));
});

test('a secret that was left out is asked for before anything starts', async () => {
  const program = join(await validatorPrograms(), 'validators');
  const { PLIMSOLL_OTLP_TOKEN: _, ...others } = variables;
  const env = { PATH: process.env['PATH'], ...others };
  await expect(finished(program, ['compose', file], { env })).rejects.toThrow('PLIMSOLL_OTLP_TOKEN');
});

test('every file and folder that is mounted exists, and can only be read', () => {
  const mounted = Object.values(services).flatMap(({ volumes }) =>
    volumes.filter(({ type }) => type === 'bind'),
  );
  expect(mounted.length).toBeGreaterThan(5);
  for (const { source, read_only: isReadOnly } of mounted) {
    expect(existsSync(source), source).toBe(true);
    expect(isReadOnly, source).toBe(true);
  }
});

test('everything is reached on 127.0.0.1 alone, has a version, and can get no new privileges', () => {
  for (const [name, { ports, image, security_opt: options }] of Object.entries(services)) {
    for (const { host_ip: host } of ports) expect(host, name).toBe('127.0.0.1');
    expect(image, name).toMatch(/:v?\d+\.\d+/);
    if (name !== 'clickhouse') expect(options, name).toContain('no-new-privileges:true');
  }
});

test('the roles run on a read-only root without capabilities, as the image does', () => {
  for (const role of [...roles, 'rules'])
    expect(services[role]).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
});

test('who needs another waits until that is healthy, and says itself whether it is', () => {
  for (const [name, { depends_on: needs, healthcheck, image, restart }] of Object.entries(services)) {
    for (const [needed, { condition }] of Object.entries(needs)) {
      const ends = services[needed]?.restart === 'no';
      expect(condition, `${name}: ${needed}`).toBe(
        ends ? 'service_completed_successfully' : 'service_healthy',
      );
    }
    if (!image.startsWith('plimsoll:') && restart !== 'no') expect(healthcheck, name).toBeDefined();
  }
});

/** A folder with what a role is given at /etc/plimsoll, and the environment of its image and its service. */
function placeOf(role: string) {
  const [image = []] = stagesOf(readFileSync(join(root, 'deploy', 'Containerfile'), 'utf8')).slice(-1);
  const of = Object.fromEntries(
    image.filter(({ name }) => name === 'ENV').flatMap(({ text }) => pairsOf(text)),
  );
  const service = services[role];
  const words = (service?.command ?? []).slice(1).map((word) => {
    const mount = service?.volumes.find(({ target }) => target === word);
    return mount ? withPolicies(mount.source) : word.replace(/^config\//, `${root}config/`);
  });
  return { environment: { ...of, ...service?.environment }, words };
}

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-compose-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A copy that names the policies where they are here. */
function withPolicies(path: string): string {
  const copy = join(folder, path.replaceAll('/', '-'));
  writeFileSync(
    copy,
    readFileSync(path, 'utf8').replaceAll('/etc/plimsoll/policies', `${root}config/policies`),
  );
  return copy;
}

test.each(roles)('the configuration of %s is valid with the environment that it gets', async (role) => {
  const { environment, words } = placeOf(role);
  expect(await beginIn(environment, 'validate', ...words).ended).toMatchObject({ code: 0, stderr: '' });
  const { stdout } = await beginIn(environment, 'print-config', ...words).ended;
  expect(stdout).toContain('kafka:9092');
  expect(stdout).toContain('config/policies/*.yaml');
  if (role !== 'ingest') expect(stdout).toContain('data_dir: /data');
  if (role === 'ingest') expect(stdout).toMatch(/bearer_tokens/);
});

test('Alertmanager asks for rollbacks as a user of its own, who approves nothing', async () => {
  const composed = z
    .object({
      services: z.object({ alertmanager: z.object({ secrets: z.array(z.string()) }) }),
      secrets: z.record(z.string(), z.object({ environment: z.string() })),
    })
    .parse(parse(readFileSync(file, 'utf8'), { merge: true }));
  const shown = composed.services.alertmanager.secrets.map((name) => composed.secrets[name]?.environment);
  expect(shown).toEqual(['PLIMSOLL_ALERTMANAGER_TOKEN']);
  const { environment, words } = placeOf('assess');
  const { stdout } = await beginIn(environment, 'print-config', ...words).ended;
  expect(parse(stdout)).toMatchObject({
    extensions: {
      api: {
        token: '${env:PLIMSOLL_API_TOKEN}',
        users: { alertmanager: '${env:PLIMSOLL_ALERTMANAGER_TOKEN}' },
      },
    },
  });
  expect(environment['PLIMSOLL_ALERTMANAGER_TOKEN']).not.toBe(environment['PLIMSOLL_API_TOKEN']);
  expect(parse(readFileSync(policy, 'utf8')).metadata.approvers).not.toContain('alertmanager');
});

test('without the token of senders, ingest does not start', async () => {
  const { environment, words } = placeOf('ingest');
  const { PLIMSOLL_OTLP_TOKEN: _, ...others } = environment;
  expect(await beginIn(others, 'validate', ...words).ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('PLIMSOLL_OTLP_TOKEN is not set'),
  });
});

describe.skipIf(promtool ?? amtool)('with the rules that are rendered', () => {
  beforeAll(async () => {
    const receivers = join(root, 'deploy', 'compose', 'receivers.yaml');
    const words = ['--receivers', receivers, '--out', join(folder, 'rules')];
    expect(await plimsoll('policy', 'render', ...words, policy)).toMatchObject({ code: 0, stderr: '' });
  });

  test('Prometheus takes its configuration, and scrapes every role where its image listens', () => {
    const text = readFileSync(join(root, 'deploy', 'compose', 'prometheus.yaml'), 'utf8');
    for (const role of roles) expect(text).toContain(`'${role}:9464'`);
    const here = join(folder, 'prometheus.yaml');
    writeFileSync(here, text.replace('/rules/', `${folder}/rules/`));
    const { stdout, stderr } = spawnSync('promtool', ['check', 'config', here], { encoding: 'utf8' });
    expect(stdout + stderr).toMatch(/SUCCESS: 2 rule files found/);
  });

  test('Alertmanager takes its configuration, and tells the executor at the API with its token', () => {
    const here = join(folder, 'rules', 'alertmanager.yaml');
    const { status, stderr } = spawnSync('amtool', ['check-config', here], { encoding: 'utf8' });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const text = readFileSync(here, 'utf8');
    expect(text).toContain('http://assess:8080/api/v1/alerts');
    expect(text).toContain('/run/secrets/alertmanager-token');
  });
});

test('what Grafana is told of its surroundings are services, a user that there is, and variables that it asks for', () => {
  const { grafana } = services;
  const sources = readFileSync(join(root, 'deploy/grafana/provisioning/datasources/plimsoll.yaml'), 'utf8');
  for (const [, name = ''] of sources.matchAll(/(?<!\$)\$([A-Z_]+)/g))
    expect(grafana?.environment, name).toHaveProperty(name);
  expect(services).toHaveProperty(grafana?.environment['CLICKHOUSE_HOST'] ?? '');
  const reader = readFileSync(join(root, 'deploy', 'compose', 'clickhouse-reader.xml'), 'utf8');
  expect(reader).toContain(`<${grafana?.environment['CLICKHOUSE_USERNAME']}>`);
});

test('who reads ClickHouse takes no more of it than its limits, and cannot take them away', () => {
  const reader = readFileSync(join(root, 'deploy', 'compose', 'clickhouse-reader.xml'), 'utf8');
  const [, profile = ''] = /<profiles>\s*<reader>(.*)<\/reader>\s*<\/profiles>/s.exec(reader) ?? [];
  const [, constraints = ''] = /<constraints>(.*)<\/constraints>/s.exec(profile) ?? [];
  const said = profile.replace(constraints, '');
  for (const name of ['max_execution_time', 'max_memory_usage', 'max_result_rows']) {
    const value = Number(new RegExp(`<${name}>(\\d+)</${name}>`).exec(said)?.[1]);
    const [, least, most] =
      new RegExp(`<${name}><min>(\\d+)</min><max>(\\d+)</max></${name}>`).exec(constraints) ?? [];
    expect(Number(least), name).toBeGreaterThan(0); // 0 is no limit
    expect(value, name).toBeGreaterThanOrEqual(Number(least));
    expect(Number(most), name).toBeGreaterThanOrEqual(value);
  }
});
