// Every benchmark in turn, or those named: `npm run bench`, `npm run bench -- otlp ingest`.
import { spawnSync } from 'node:child_process';

const all = [
  'otlp',
  'enrich',
  'rows',
  'assess',
  'stream',
  'schema',
  'receive',
  'ingest',
  'store',
  'all-in-one',
];
const named = process.argv.slice(2);
const unknown = named.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`there is no benchmark ${unknown.join(', ')}; there are ${all.join(', ')}`);
  process.exit(2);
}
for (const name of named.length > 0 ? named : all) {
  console.log(`\n## ${name}\n`);
  const { status } = spawnSync(process.execPath, [new URL(`${name}.ts`, import.meta.url).pathname], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
