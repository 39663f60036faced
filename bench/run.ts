// Every benchmark but the long ones in turn, or those named: `npm run bench`, `npm run bench -- otlp ingest`.
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const all = [
  'otlp',
  'enrich',
  'rows',
  'kpi',
  'snapshot',
  'assess',
  'exposition',
  'page',
  'stream',
  'kafka',
  'schema',
  'receive',
  'ingest',
  'store',
  'all-in-one',
  'roles',
];
/** The program runs with a compile cache, too: without one, types are stripped in a way that slows typed arrays. */
const cache = join(tmpdir(), 'plimsoll-bench-compile-cache');
/** Long ones, that run only when named. */
const long = ['judge', 'replay', 'outage', 'soak'];
const named = process.argv.slice(2);
const unknown = named.filter((name) => ![...all, ...long].includes(name));
if (unknown.length > 0) {
  console.error(`there is no benchmark ${unknown.join(', ')}; there are ${[...all, ...long].join(', ')}`);
  process.exit(2);
}
for (const name of named.length > 0 ? named : all) {
  console.log(`\n## ${name}\n`);
  const { status } = spawnSync(process.execPath, [new URL(`${name}.ts`, import.meta.url).pathname], {
    stdio: 'inherit',
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  });
  if (status !== 0) process.exitCode = 1;
}
