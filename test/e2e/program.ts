import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The program as a user starts it. */
export const launcher = new URL('../../src/plimsoll.js', import.meta.url).pathname;
const shipped = (name: string): string => new URL(`../../config/${name}`, import.meta.url).pathname;

/** Without a server of their own, stores of tests have their tables embedded. */
const environment = { CLICKHOUSE_URL: '', ...process.env };

/** Ports that the machine chooses, so that tests run beside each other and beside a real pipeline, and which they ask often. */
const anyPorts = `
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:0" }, http: { endpoint: "127.0.0.1:0" } } } }
extensions: { health_check: { endpoint: "127.0.0.1:0" }, sql: { endpoint: "127.0.0.1:0" }, api: { endpoint: "127.0.0.1:0" } }
exporters: { kpi: { scrape_interval: 100ms } }
service: { telemetry: { metrics: { endpoint: "127.0.0.1:0" } } }
`;

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `plimsoll` with `words` to its end. */
export async function plimsoll(...words: string[]): Promise<Ended> {
  return begin(...words).ended;
}

/** A program that was begun. */
interface Begun {
  readonly ended: Promise<Ended>;
  /** What it has said on standard output so far. */
  readonly said: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Nobody reads its standard output from now on, as behind `| head`. */
  readonly leaveUnread: () => void;
}

/** Begins `plimsoll` with `words`. */
export function begin(...words: string[]): Begun {
  return beginIn({}, ...words);
}

/** The same, with more in its environment. */
export function beginIn(more: Readonly<Record<string, string>>, ...words: string[]): Begun {
  const child = spawn(process.execPath, [launcher, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, ...more },
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  return {
    ended: ended(child),
    said: () => said,
    kill: (signal) => void child.kill(signal),
    leaveUnread: () => void child.stdout.destroy(),
  };
}

async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

/** A temporary folder with a configuration over a shipped one. */
export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'plimsoll-e2e-'));
  readonly dataDirectory = join(this.folder, 'data');
  readonly configFiles: readonly string[];

  constructor(over = '', config = 'plimsoll.yaml') {
    const own = ['ports', 'data', 'over'].map((name) => join(this.folder, `${name}.yaml`));
    this.configFiles = [shipped(config), ...own];
    this.configure(over);
  }

  /** Writes the configuration anew, for the next program that starts here. */
  configure(over: string): void {
    const texts = [anyPorts, `data_dir: ${this.dataDirectory}`, over];
    for (const [i, text] of texts.entries()) writeFileSync(this.configFiles[i + 1] ?? '', text);
  }

  /** The words that make any command use this place. */
  get words(): readonly string[] {
    return this.configFiles.flatMap((file) => ['--config', file]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How a program is started otherwise than a user does it. */
export interface StartOptions {
  readonly words?: readonly string[];
  readonly log?: number;
  readonly signal?: AbortSignal;
}

/** The whole program, running in a process of its own, exactly as a user runs it. */
export class Program {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #urls: ReadonlyMap<string, string>;

  private constructor(child: ChildProcess, end: Promise<Ended>, urls: ReadonlyMap<string, string>) {
    this.#child = child;
    this.ended = end;
    this.#urls = urls;
  }

  /**
   * Starts it and waits for the ready lines; throws what it said when it ends before. `words` come before those of the
   * place, and name another program for a test that plants a fault. What it says on standard error goes to the file
   * descriptor `log`, if there is one. Ends it at once when `signal` aborts.
   */
  static async start(place: Place, options: StartOptions = {}): Promise<Program> {
    const { words = [launcher, 'run'], log = 'pipe', signal } = options;
    const child = spawn(process.execPath, [...words, ...place.words], {
      stdio: ['ignore', 'pipe', log],
      env: environment,
    });
    const end = ended(child);
    const kill = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', kill);
    void end.then(() => signal?.removeEventListener('abort', kill));
    let said = '';
    const ready = new Promise<string>((resolve) => {
      child.stdout?.on('data', (text: string) => {
        said += text;
        if (/^ {2}metrics .*\n(?:.*\n)*$/m.test(said)) resolve(said);
      });
    });
    const first = await Promise.race([ready, end]);
    if (typeof first !== 'string')
      throw new Error(`the program ended with ${first.code}: ${first.stderr}${first.stdout}`);
    const urls = [...first.matchAll(/^ {2}(\S.*?) {2,}(https?:\S+)$/gm)].map(
      ([, what = '', url = '']) => [what, url] as const,
    );
    return new Program(child, end, new Map(urls));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  url(what: 'OTLP gRPC' | 'OTLP HTTP' | 'metrics' | 'health' | 'SQL' | 'page, API'): string {
    const url = this.#urls.get(what);
    if (url === undefined) throw new Error(`the program printed no ${what} URL`);
    return url;
  }

  /** Asks the SQL port; one object per row. */
  async query<Row>(sql: string): Promise<readonly Row[]> {
    const response = await fetch(this.url('SQL'), { method: 'POST', body: `${sql} FORMAT JSONEachRow` });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Row => JSON.parse(line));
  }

  async metrics(): Promise<string> {
    return (await fetch(this.url('metrics'))).text();
  }

  kill(signal: NodeJS.Signals): Promise<Ended> {
    this.#child.kill(signal);
    return this.ended;
  }
}
