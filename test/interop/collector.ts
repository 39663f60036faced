import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedFolder } from '../cached-folder.ts';
import { finished } from '../finished.ts';
import { gcflags, goEnvironment } from '../go-build.ts';
import { until } from '../until.ts';

const manifest = fileURLToPath(new URL('manifest.yaml', import.meta.url));
const builder = 'go.opentelemetry.io/collector/cmd/builder@v0.165.0';

/** The Collector that manifest.yaml describes, built the first time; that takes two minutes on two cores. */
export async function collectorProgram(): Promise<string> {
  const folder = await cachedFolder('collector', manifest, async (cwd) => {
    const words = ['run', '-gcflags', gcflags, builder, '--config', manifest, '--gcflags', gcflags];
    await finished('go', words, { cwd, env: { ...process.env, ...goEnvironment } });
  });
  return join(folder, 'build', 'collector');
}

/** A Collector that runs in a process of its own. */
export class Collector {
  readonly #child: ChildProcess;
  readonly #folder: string;
  #said = '';

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
  }

  /** Starts one with `config`; resolves when everything in it runs. Throws what it said when it ends before. */
  static async start(config: object): Promise<Collector> {
    const folder = mkdtempSync(join(tmpdir(), 'plimsoll-collector-'));
    const file = join(folder, 'config.yaml');
    writeFileSync(file, JSON.stringify(config));
    const child = spawn(await collectorProgram(), ['--config', `file:${file}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const collector = new Collector(child, folder);
    await until(
      'the Collector',
      () => collector.#said.includes('Everything is ready') || child.exitCode !== null,
    );
    if (child.exitCode !== null) throw new Error(`the Collector ended: ${collector.#said}`);
    return collector;
  }

  /** What it warned of. */
  get complaints(): readonly string[] {
    return this.#said.split('\n').filter((line) => /\t(?:warn|error)\t/i.test(line));
  }

  /** Ends it in order, after it has sent what it holds. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.kill('SIGTERM')) await once(this.#child, 'exit');
    rmSync(this.#folder, { recursive: true });
  }
}
