import { cpSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedFolder } from '../cached-folder.ts';
import { finished } from '../finished.ts';

/** Decides what is installed of npm: exact versions of everything. */
export const npmLock = fileURLToPath(new URL('package-lock.json', import.meta.url));
/** Decides what is installed of PyPI: exact versions of everything. */
export const pipLock = fileURLToPath(new URL('requirements.txt', import.meta.url));
/** The same, of the reference parser of OpenMetrics. */
export const parserLock = fileURLToPath(new URL('../metrics/requirements.txt', import.meta.url));

/** The `node_modules` with the agent frameworks in JavaScript, installed the first time. */
export async function nodeModules(): Promise<string> {
  const folder = await cachedFolder('npm', npmLock, async (cwd) => {
    for (const name of ['package.json', 'package-lock.json'])
      cpSync(join(dirname(npmLock), name), join(cwd, name));
    await finished('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd });
  });
  return join(folder, 'node_modules');
}

/** The Python that has what `lock` decides, the agent frameworks in Python if it is not given; installed the first time. */
export async function python(lock = pipLock): Promise<string> {
  const folder = await cachedFolder('pip', lock, async (cwd) => {
    await finished('python3', ['-m', 'venv', cwd]);
    const words = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--requirement', lock];
    await finished(join(cwd, 'bin', 'python'), words);
  });
  return join(folder, 'bin', 'python');
}
