import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';
import { until } from './until.ts';

/** A configuration that scrapes Plimsoll's metrics, evaluates `rules` and tells Alertmanagers every second. */
export function everySecond(given: {
  /** Files, as a glob. */
  readonly rules: string;
  /** As host:port, like the metrics. */
  readonly alertmanagers: readonly string[];
  readonly metrics: string;
}): string {
  return JSON.stringify({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [given.rules],
    alerting: { alertmanagers: [{ static_configs: [{ targets: given.alertmanagers }] }] },
    scrape_configs: [
      { job_name: 'plimsoll', honor_labels: true, static_configs: [{ targets: [given.metrics] }] },
    ],
  });
}

/** A real Prometheus, with its data in a folder of its own. */
export class Prometheus {
  readonly #url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.#url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** Starts one with a configuration, as YAML, and waits until it is ready. */
  static async start(config: string, ...words: readonly string[]): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'plimsoll-prometheus-'));
    writeFileSync(join(folder, 'prometheus.yaml'), config);
    const [port] = await freePorts(1);
    const listen = `--web.listen-address=127.0.0.1:${port}`;
    const child = spawn(
      'prometheus',
      ['--config.file=prometheus.yaml', '--storage.tsdb.path=data', listen, ...words],
      { cwd: folder, stdio: 'ignore' },
    );
    const started = new Prometheus(`http://127.0.0.1:${port}`, child, folder);
    await until('Prometheus is ready', async () => (await fetch(`${started.#url}/-/ready`)).ok);
    return started;
  }

  /** The `data` of what `/api/v1/{path}` answers. */
  async get<Data>(path: string, params: Readonly<Record<string, string>> = {}): Promise<Data> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(params).toString()}`);
    const { status, data, error }: { status: string; data: Data; error?: string } = JSON.parse(
      await response.text(),
    );
    if (status !== 'success') throw new Error(`${path}: ${error}`);
    return data;
  }

  /** Ends it, and removes what it kept. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    rmSync(this.#folder, { recursive: true });
  }
}
