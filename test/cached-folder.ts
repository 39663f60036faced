import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const near = fileURLToPath(new URL('../node_modules/.cache', import.meta.url));
const pollMs = 200;
/** Whoever has the lock for longer has died. */
const staleMs = 900_000;

/** Where `cachedFolder` keeps what it makes of the file `manifest` as it is. */
export function cachedPath(name: string, manifest: string): string {
  const version = createHash('sha256').update(readFileSync(manifest)).digest('hex').slice(0, 12);
  return join(process.env['XDG_CACHE_HOME'] ?? near, `plimsoll-${name}`, version);
}

/**
 * The folder in the cache (XDG_CACHE_HOME, or node_modules) with what `make` makes of the file `manifest` in an empty
 * folder. It is made when there is none for the file as it is; processes that ask at once make one.
 */
export async function cachedFolder(
  name: string,
  manifest: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const made = cachedPath(name, manifest);
  if (existsSync(made)) return made;
  const cache = dirname(made);
  mkdirSync(cache, { recursive: true });
  const lock = `${made}.lock`;
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
