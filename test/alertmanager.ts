import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { until } from './until.ts';

/** A real Alertmanager, with the configuration `alertmanager.yaml` of a folder, and its data there. */
export class Alertmanager {
  readonly #folder: string;
  readonly #port: number;
  readonly #words: readonly string[];
  #child: ChildProcess | undefined;

  /** `words` are more of its command line, such as those of a cluster. */
  constructor(folder: string, port: number, words: readonly string[] = ['--cluster.listen-address=']) {
    this.#folder = folder;
    this.#port = port;
    this.#words = words;
  }

  /** Where Prometheus sends alerts, as host:port. */
  get target(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const words = [
      '--config.file=alertmanager.yaml',
      `--storage.path=alertmanager-${this.#port}`,
      `--web.listen-address=${this.target}`,
      ...this.#words,
    ];
    this.#child = spawn('prometheus-alertmanager', words, { cwd: this.#folder, stdio: 'ignore' });
    await until(
      'Alertmanager is ready',
      async () => (await fetch(`http://${this.target}/-/ready`)).ok,
      120_000,
    );
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
}
