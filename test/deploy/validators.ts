import { createHash } from 'node:crypto';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedFolder } from '../cached-folder.ts';
import { finished } from '../finished.ts';
import { gcflags, goEnvironment } from '../go-build.ts';

const source = fileURLToPath(new URL('validators/', import.meta.url));

/**
 * The folder with `helm`, and with `validators`, which reads what is deployed as Docker Compose and Kubernetes do; built
 * the first time, which takes two minutes on two cores.
 */
export async function validatorPrograms(): Promise<string> {
  const modules = createHash('sha256')
    .update(readFileSync(join(source, 'go.mod')))
    .digest('hex');
  const folder = await cachedFolder(
    `validators-${modules.slice(0, 12)}`,
    join(source, 'main.go'),
    async (cwd) => {
      cpSync(source, cwd, { recursive: true });
      const words = [
        'build',
        '-mod=readonly',
        '-gcflags',
        gcflags,
        '-ldflags',
        '-s -w',
        '-o',
        'bin/',
        '.',
        'helm.sh/helm/v3/cmd/helm',
      ];
      await finished('go', words, {
        cwd,
        env: { ...process.env, ...goEnvironment, GOFLAGS: '-buildvcs=false' },
      });
    },
  );
  return join(folder, 'bin');
}
