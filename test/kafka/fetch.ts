import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const defaultCache = fileURLToPath(new URL('../../node_modules/.cache/plimsoll-kafka', import.meta.url));

const pollMs = 200;
/** Whoever has the lock for longer has died. */
const staleMs = 600_000;

/** The folder with the jars of the broker that pom.xml names, fetched with Maven the first time. */
export function kafkaJars(): string {
  const xdg = process.env['XDG_CACHE_HOME'];
  const cache = xdg ? join(xdg, 'plimsoll-kafka') : defaultCache;
  const version = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12);
  const jars = join(cache, version);
  if (existsSync(jars)) return jars;
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, `${version}.lock`);
  while (!locked(lock)) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pollMs);
    if (existsSync(jars)) return jars;
  }
  try {
    return existsSync(jars) ? jars : fetchInto(cache, jars);
  } finally {
    rmSync(lock, { recursive: true });
  }
}

/** Takes the lock, if nobody has it: Maven's own folder is not made for several at once. */
function locked(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0) > staleMs)
      rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

function fetchInto(cache: string, jars: string): string {
  const fetched = mkdtempSync(join(cache, 'fetching-'));
  const command = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime'];
  const { status, stdout, stderr } = spawnSync('mvn', [...command, `-DoutputDirectory=${fetched}`], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    rmSync(fetched, { recursive: true });
    throw new Error(`Maven could not fetch Apache Kafka: ${stdout}${stderr}`);
  }
  renameSync(fetched, jars);
  return jars;
}
