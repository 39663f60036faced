import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { finished } from '../finished.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const left = new Set(['.git', 'node_modules', 'dist', 'data']);

/** What `npm pack` says of the package that it made. */
export interface Tarball {
  /** Its path. */
  readonly filename: string;
  /** In bytes. */
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/**
 * Builds the package and writes it to `folder`, from a copy: what builds at the same time would remove its `dist`. The
 * copy has secrets where people write them, in `deploy/.env`.
 */
export async function packedInto(folder: string): Promise<Tarball> {
  const cwd = join(folder, 'copy');
  mkdirSync(cwd);
  cpSync(root, cwd, { recursive: true, filter: (path) => path === root || !left.has(basename(path)) });
  writeFileSync(join(cwd, 'deploy', '.env'), 'PLIMSOLL_OTLP_TOKEN=a-secret\n');
  symlinkSync(join(root, 'node_modules'), join(cwd, 'node_modules'));
  const said = await finished('npm', ['pack', '--json', '--silent', '--pack-destination', folder], { cwd });
  rmSync(cwd, { recursive: true });
  const answer: Readonly<Record<string, Tarball>> = JSON.parse(said.slice(said.search(/^[[{]/m)));
  const [made] = Object.values(answer);
  if (made === undefined) throw new Error(`npm pack made nothing: ${said}`);
  return { ...made, filename: join(folder, made.filename) };
}

/** The package that the test files of a run share, of `sharedPackageUrl`. */
export async function sharedPackage(url: string): Promise<Tarball> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  const tarball: Tarball = JSON.parse(text);
  return tarball;
}
