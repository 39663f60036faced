import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const near = fileURLToPath(new URL('../node_modules/.cache', import.meta.url));
const pollMs = 200;
/** Whoever has the lock for longer has died. */
const staleMs = 900_000;

/**
 * The folder in the cache (XDG_CACHE_HOME, or node_modules) with what `make` makes of the file `manifest` in an empty
 * folder. It is made when there is none for the file as it is; processes that ask at once make one.
 */
export async function cachedFolder(
  name: string,
  manifest: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? near, `plimsoll-${name}`);
  const version = createHash('sha256').update(readFileSync(manifest)).digest('hex').slice(0, 12);
  const made = join(cache, version);
  if (existsSync(made)) return made;
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, `${version}.lock`);
  while (!locked(lock)) {
    await sleep(pollMs);
    if (existsSync(made)) return made;
  }
  const folder = mkdtempSync(join(cache, 'making-'));
  try {
    if (!existsSync(made)) {
      await make(folder);
      renameSync(folder, made);
    }
    return made;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(lock, { recursive: true });
  }
}

/** Takes the lock, if nobody has it. */
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
