import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { finished } from '../finished.ts';

/** One instruction of a Containerfile. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** The instructions of a Containerfile by stage: what stands before the first FROM, then each stage with its FROM. */
export function stagesOf(text: string): readonly (readonly Instruction[])[] {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: Instruction[][] = [[]];
  for (const line of lines) {
    const [name = '', ...rest] = line.trim().split(/\s+/);
    if (name === 'FROM') stages.push([]);
    stages.at(-1)?.push({ name, text: rest.join(' ') });
  }
  return stages;
}

/** The ports that the last stage of a Containerfile exposes, in its order. */
export function exposedPorts(text: string): readonly number[] {
  const exposed = stagesOf(text)
    .at(-1)
    ?.find(({ name }) => name === 'EXPOSE');
  return exposed?.text.split(' ').map(Number) ?? [];
}

/** What an image says of itself, once its steps were carried out. */
export interface Image {
  /** Its root folder. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
}

/**
 * Carries the steps of a stage out in a folder: COPY copies, from `context` or another stage, and RUN runs as root in a
 * root of its own, for which this machine's `/usr` and this Node stand in for those of the base image.
 */
export async function built(
  stage: readonly Instruction[],
  place: {
    readonly root: string;
    readonly context: string;
    readonly stages: Readonly<Record<string, string>>;
    readonly run?: (command: string, workdir: string) => Promise<boolean>;
  },
): Promise<Image> {
  const { root, context, stages } = place;
  makeRoot(root);
  let workdir = '/';
  let user = '0:0';
  const environment: Record<string, string> = {};
  const lists: Record<string, readonly string[]> = {};
  for (const { name, text } of stage) {
    const list = (): readonly string[] => JSON.parse(text.slice(text.indexOf('[')));
    if (name === 'WORKDIR') mkdirSync(join(root, (workdir = text)), { recursive: true });
    else if (name === 'USER') user = text;
    else if (name === 'COPY') copy(text, { root, workdir, context, stages });
    else if (name === 'RUN') {
      const command = withArguments(text, stage);
      if (!(await place.run?.(command, workdir))) await inRoot(root, workdir, command);
    } else if (name === 'ENV') for (const [key, value] of pairsOf(text)) environment[key] = value;
    else if (/^(?:ENTRYPOINT|CMD|HEALTHCHECK)$/.test(name)) lists[name] = list();
  }
  return {
    root,
    environment,
    workdir,
    user,
    entrypoint: lists['ENTRYPOINT'] ?? [],
    command: lists['CMD'] ?? [],
    healthcheck: lists['HEALTHCHECK'] ?? [],
  };
}

/** The names and values of an ENV or ARG; none has a space. */
export function pairsOf(text: string): readonly (readonly [string, string])[] {
  return text.split(' ').map((word) => {
    const [key = '', ...value] = word.split('=');
    return [key, value.join('=')] as const;
  });
}

/** `text` with what the ARGs of its stage are by default. */
function withArguments(text: string, stage: readonly Instruction[]): string {
  const defaults = new Map(stage.filter(({ name }) => name === 'ARG').flatMap((each) => pairsOf(each.text)));
  return text.replaceAll(/\$\{(\w+)\}/g, (all, name: string) => defaults.get(name) ?? all);
}

function copy(
  text: string,
  place: { root: string; workdir: string; context: string; stages: Readonly<Record<string, string>> },
): void {
  const { root, workdir, context, stages } = place;
  const words = text.split(' ');
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const source = from === undefined ? context : (stages[from] ?? '');
  const target = words.pop() ?? '';
  const into = join(root, target.startsWith('/') ? '' : workdir, target);
  for (const word of words) {
    for (const path of globSync(word.replace(/^\//, ''), { cwd: source })) {
      const at = target.endsWith('/') ? join(into, basename(path)) : into;
      mkdirSync(dirname(at), { recursive: true });
      cpSync(join(source, path), at, { recursive: true, verbatimSymlinks: true });
    }
    if (globSync(word.replace(/^\//, ''), { cwd: source }).length === 0)
      throw new Error(`COPY ${text}: there is no ${word}`);
  }
}

const lent = ['usr', 'etc', 'dev', 'opt', 'proc', 'tmp', 'root', 'node'];

function makeRoot(root: string): void {
  for (const folder of lent) mkdirSync(join(root, folder), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    if (existsSync(`/${name}`)) symlinkSync(`usr/${name}`, join(root, name));
  copyFileSync(process.execPath, join(root, 'node', 'node'));
}

/** Shell that makes `$1` a root: the machine's programs can be read there, and not changed. */
const mounts = `
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
for each in usr etc dev; do mount --rbind "/$each" "$1/$each"; mount -o remount,bind,ro "$1/$each"; done
mount --bind "$1/node" "$1/usr/local/bin"
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
`;

async function inRoot(root: string, workdir: string, command: string): Promise<void> {
  const script = `${mounts}
mount --bind "$HOME" "$1/root"
HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin exec chroot "$1" sh -c "cd $2 && $3"`;
  await finished('unshare', ['--mount', 'sh', '-c', script, 'sh', root, workdir, command]);
}

/**
 * Runs `words` of the image as a container engine would: as its user, as process 1, with its environment and `more`
 * alone, on a read-only root with a volume at `/data` and an empty `/tmp`.
 */
export function contained(
  image: Image,
  words: readonly string[],
  more: Readonly<Record<string, string>> = {},
): ChildProcess {
  const enter = `${mounts}
mount --bind "$1/data" "$1/data"
mount -o remount,bind,ro "$1"
root=$1 user=$2 workdir=$3
shift 3
exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin "$@"`;
  const variables = Object.entries({ ...image.environment, ...more }).map(
    ([key, value]) => `${key}=${value}`,
  );
  const { root, user, workdir } = image;
  const script = ['sh', '-c', enter, 'sh', root, user, workdir];
  const inside = ['sh', '-c', 'cd "$0" && exec "$@"', workdir, ...words];
  return spawn(
    'unshare',
    [
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      ...script,
      ...variables,
      'chroot',
      `--userspec=${user}`,
      root,
    ].concat(inside),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
}

/** The process that is 1 in what `contained` has begun, as this machine numbers it. */
export function processOne(container: ChildProcess): number {
  const { pid = 0 } = container;
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}
