import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { finished } from '../finished.ts';
import { nodeModules, python } from './packages.ts';

/** A file of this repository, by its path from the root. */
const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What a script is told of its surroundings. Nothing else that this process knows may change what it does. */
function environment(given: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, OPENAI_API_KEY: 'none', ...given };
}

/** The line of JSON that a script ends with. */
function lineOf(said: string): string {
  const line = said.split('\n').findLast((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`the script said no JSON: ${said}`);
  return line;
}

/**
 * Copies `files`, of which the first is run, into a folder of their own beside the packages of package-lock.json, as a
 * user would, and returns what it says at its end.
 */
export async function runNode<T>(
  files: readonly string[],
  words: readonly string[],
  given: Readonly<Record<string, string>>,
): Promise<T> {
  return inFolder(files, async (folder, script) => {
    symlinkSync(await nodeModules(), join(folder, 'node_modules'));
    return finished(process.execPath, [script, ...words], { env: environment(given) });
  });
}

/** The same in Python, with the packages of requirements.txt. */
export async function runPython<T>(
  files: readonly string[],
  words: readonly string[],
  given: Readonly<Record<string, string>>,
): Promise<T> {
  return inFolder(files, async (_, script) =>
    finished(await python(), [script, ...words], { env: environment(given) }),
  );
}

async function inFolder<T>(
  files: readonly string[],
  run: (folder: string, script: string) => Promise<string>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-script-'));
  try {
    const copies = files.map((path) => {
      const copy = join(folder, basename(path));
      cpSync(fileOf(path), copy);
      return copy;
    });
    return JSON.parse(lineOf(await run(folder, copies[0] ?? '')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
