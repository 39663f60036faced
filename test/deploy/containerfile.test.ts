import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginIn } from '../e2e/program.ts';
import { freePorts } from '../free-ports.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { built, contained, exposedPorts, pairsOf, processOne, stagesOf, type Image } from './container.ts';

const context = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(join(context, 'deploy', 'Containerfile'), 'utf8');
const [before = [], build = [], packages = [], last = []] = stagesOf(text);

test('every stage begins with one base, pinned to the Node that is tested with', () => {
  const { devDependencies }: { devDependencies: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(join(context, 'package.json'), 'utf8'),
  );
  expect(before).toEqual([
    { name: 'ARG', text: `BASE=docker.io/library/node:${devDependencies['node']}-trixie-slim` },
  ]);
  for (const [from] of [build, packages, last]) expect(from?.text).toMatch(/^\$\{BASE\}(?: AS \w+)?$/);
});

test('what is copied into it may be seen by the build', () => {
  const seen = readFileSync(join(context, 'deploy', 'Containerfile.dockerignore'), 'utf8')
    .split('\n')
    .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
  const copied = [build, packages, last]
    .flat()
    .filter(({ name, text: words }) => name === 'COPY' && !words.startsWith('--from'))
    .flatMap(({ text: words }) => words.split(' ').slice(0, -1));
  expect([...new Set(copied)].toSorted()).toEqual(seen.toSorted());
});

test('it opens the ports on which its environment has the program listen, and its health is asked on that of health', () => {
  const said = new Map(last.filter(({ name }) => name === 'ENV').flatMap((each) => pairsOf(each.text)));
  const ports = ['OTLP_GRPC', 'OTLP_HTTP', 'API', 'METRICS', 'HEALTH'].map((name) =>
    said.get(`PLIMSOLL_${name}_ENDPOINT`)?.replace('0.0.0.0:', ''),
  );
  expect(exposedPorts(text).map(String)).toEqual(ports);
  expect(last.find(({ name }) => name === 'HEALTHCHECK')?.text).toContain(`127.0.0.1:${ports.at(-1)}'`);
});

test.each(['all-kafka', 'ingest', 'store', 'assess'])(
  'in it, %s listens where others reach it',
  async (name) => {
    const said = last.filter((each) => each.name === 'ENV').flatMap((each) => pairsOf(each.text));
    const environment = { ...Object.fromEntries(said), PLIMSOLL_API_TOKEN: 'a-token-of-this-test' };
    const config = join(context, 'config', `${name}.yaml`);
    const { code, stdout } = await beginIn(environment, 'print-config', '--config', config).ended;
    expect(code).toBe(0);
    const endpoints = [...stdout.matchAll(/endpoint: (\S+)/g)].map(([, endpoint]) => endpoint);
    const sqlOfEmbedded = '127.0.0.1:8123';
    expect(endpoints).not.toEqual([]);
    expect(endpoints.filter((each) => !each?.startsWith('0.0.0.0:') && each !== sqlOfEmbedded)).toEqual([]);
  },
);

test('the version on its label is that of the package', () => {
  const { version }: { version: string } = JSON.parse(readFileSync(join(context, 'package.json'), 'utf8'));
  expect(text).toContain(`org.opencontainers.image.version="${version}"`);
});

/** Why its steps cannot be carried out here; undefined when they can. */
const missing = kafkaMissing ?? rootMissing();

function rootMissing(): string | undefined {
  if (spawnSync('unshare', ['--mount', '--pid', '--fork', 'true']).status === 0) return undefined;
  const reason = 'to be process 1 on a read-only root needs unshare (util-linux), and root';
  process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}

/** This checkout's packages are what `npm ci` made of the same lock file: they are copied, without the engine of chDB. */
function installed(stage: string) {
  return async (command: string, workdir: string): Promise<boolean> => {
    if (command !== 'npm ci') return false;
    cpSync(join(context, 'node_modules'), join(stage, workdir, 'node_modules'), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !/node_modules\/(?:@chdb|\.cache|\.vite)/.test(path),
    });
    return true;
  };
}

describe.skipIf(missing)('carried out step by step', () => {
  const folder = mkdtempSync('/var/tmp/plimsoll-container-');
  const brokers = testCluster(1);
  let image: Image;
  let environment: Readonly<Record<string, string>>;

  beforeAll(async () => {
    const stages = { build: join(folder, 'build'), packages: join(folder, 'packages') };
    await Promise.all([
      built(build, { root: stages.build, context, stages, run: installed(stages.build) }),
      built(packages, { root: stages.packages, context, stages }),
    ]);
    image = await built(last, { root: join(folder, 'image'), context, stages });
    const [grpc, http, api, metrics, health] = await freePorts(5);
    environment = {
      KAFKA_BROKERS: brokers().join(','),
      PLIMSOLL_KAFKA_REPLICATION: '1',
      PLIMSOLL_KAFKA_PARTITIONS: '1',
      PLIMSOLL_API_TOKEN: 'a-token-of-this-test',
      PLIMSOLL_OTLP_GRPC_ENDPOINT: `0.0.0.0:${grpc}`,
      PLIMSOLL_OTLP_HTTP_ENDPOINT: `0.0.0.0:${http}`,
      PLIMSOLL_API_ENDPOINT: `0.0.0.0:${api}`,
      PLIMSOLL_METRICS_ENDPOINT: `0.0.0.0:${metrics}`,
      PLIMSOLL_HEALTH_ENDPOINT: `0.0.0.0:${health}`,
    };
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs `words` of it to their end. */
  async function ended(words: readonly string[], more = {}) {
    const container = contained(image, words, more);
    let said = '';
    for (const stream of [container.stdout, container.stderr])
      stream?.on('data', (part) => (said += String(part)));
    const [code] = await once(container, 'close');
    return { code: Number(code), said };
  }

  test('it says by itself what it can do', async () => {
    const { code, said } = await ended([...image.entrypoint, ...image.command]);
    expect({ code, said }).toMatchObject({ code: 0, said: expect.stringContaining('Usage: plimsoll') });
  });

  test('its user is a number, not root, and can write nothing but data and /tmp', async () => {
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const { said } = await ended([
      'sh',
      '-c',
      'for d in / /app /app/dist /data /tmp; do test -w $d && echo $d; done',
    ]);
    expect(said).toBe('/data\n/tmp\n');
  });

  test.each(['ingest', 'assess'])(
    'as %s it becomes healthy, and ends in order when it is told to',
    async (role) => {
      const words = [...image.entrypoint, 'run', '--config', `config/${role}.yaml`];
      const container = contained(image, words, environment);
      let said = '';
      for (const stream of [container.stdout, container.stderr])
        stream?.on('data', (part) => (said += String(part)));
      await until('it is ready', () => {
        if (container.exitCode !== null) throw new Error(said);
        return said.includes('is ready:');
      });
      const port = environment['PLIMSOLL_HEALTH_ENDPOINT']?.split(':')[1] ?? '';
      const check = image.healthcheck.map((word) => word.replace('13133', port));
      expect(check).not.toEqual(image.healthcheck);
      await until('the health check passes', async () => (await ended(check)).code === 0);
      process.kill(processOne(container), 'SIGTERM');
      const [code] = await once(container, 'close');
      expect({ code: Number(code), said }).toMatchObject({
        code: 0,
        said: expect.stringContaining('stopped'),
      });
      expect((await ended(check)).code).toBe(1);
    },
  );
});
