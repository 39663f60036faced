import { spawnSync } from 'node:child_process';

/** The oldest Go that builds what test/interop/manifest.yaml and test/instrument/go.mod name. */
const least = [1, 26] as const;

/** Why no Go program can be built on this machine; undefined when one can. */
export const goMissing: string | undefined = missing();

function missing(): string | undefined {
  const { error, stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' });
  const need = `building one needs Go ${least.join('.')} or newer`;
  if (error) return `${need}, and there is no go`;
  const [, major = 0, minor = 0] = /^go(\d+)\.(\d+)/.exec(stdout) ?? [];
  const isEnough = Number(major) === least[0] ? Number(minor) >= least[1] : Number(major) > least[0];
  return isEnough ? undefined : `${need}, and this is ${stdout.trim()}`;
}
