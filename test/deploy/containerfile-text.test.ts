import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { beginIn } from '../e2e/program.ts';
import { exposedPorts, pairsOf, stagesOf } from './container.ts';

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
