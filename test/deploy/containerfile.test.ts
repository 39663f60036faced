import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { built, contained, processOne, stagesOf, type Image } from './container.ts';

const context = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(join(context, 'deploy', 'Containerfile'), 'utf8');
const [, build = [], packages = [], last = []] = stagesOf(text);

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
