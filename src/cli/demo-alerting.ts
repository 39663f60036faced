import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { executorReceiver, receiverNames } from '../policy/alertmanager.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { renderedFiles } from '../policy/render.ts';
import { freePorts } from './free-ports.ts';
import { GuardedChild } from './tear-down.ts';

/** What the two programs are called: Debian's Alertmanager has a name of its own. */
const programs = { prometheus: ['prometheus'], alertmanager: ['prometheus-alertmanager', 'alertmanager'] };

/** Where the two listen. */
export interface AlertingUrls {
  readonly prometheus: string;
  readonly alertmanager: string;
}

/** What they are set up with. */
export interface AlertingParts {
  /** Where files go. */
  readonly folder: string;
  readonly policy: PolicyFile;
  /** Where Prometheus scrapes, as host:port, and where Alertmanager tells the executor, with its token. */
  readonly metrics: string;
  readonly webhook: string;
  readonly token: string;
}

/** A Prometheus and an Alertmanager on loopback ports, which look and tell every second by the rules of a policy. */
export class DemoAlerting {
  readonly urls: AlertingUrls;
  readonly #children: readonly GuardedChild[];

  private constructor(urls: AlertingUrls, children: readonly GuardedChild[]) {
    this.urls = urls;
    this.#children = children;
  }

  /** Starts both; undefined when one of them is not on this machine. */
  static async start(parts: AlertingParts): Promise<DemoAlerting | undefined> {
    const [prometheus, alertmanager] = [installed(programs.prometheus), installed(programs.alertmanager)];
    if (prometheus === undefined || alertmanager === undefined) return undefined;
    const [prometheusPort = 0, alertmanagerPort = 0] = await freePorts(2);
    writeConfiguration(parts, alertmanagerPort);
    const run = (program: string, ...words: readonly string[]): GuardedChild =>
      new GuardedChild(program, words, parts.folder);
    return new DemoAlerting(
      {
        prometheus: `http://127.0.0.1:${prometheusPort}`,
        alertmanager: `http://127.0.0.1:${alertmanagerPort}`,
      },
      [
        run(
          alertmanager,
          '--config.file=alertmanager.yaml',
          '--storage.path=alertmanager',
          `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
          '--cluster.listen-address=',
        ),
        run(
          prometheus,
          '--config.file=prometheus.yaml',
          '--storage.tsdb.path=prometheus',
          `--web.listen-address=127.0.0.1:${prometheusPort}`,
        ),
      ],
    );
  }

  /** Ends both. */
  async stop(): Promise<void> {
    await Promise.all(this.#children.map(async (child) => child.end()));
  }

  /** Ends both at once. */
  kill(): void {
    for (const child of this.#children) child.kill();
  }
}

/** The first of `names` that is a program of this machine. */
function installed(names: readonly string[]): string | undefined {
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

function writeConfiguration(parts: AlertingParts, alertmanagerPort: number): void {
  const { folder, policy, metrics, webhook, token } = parts;
  const receivers = receiverNames([policy]).map((name) =>
    name === executorReceiver
      ? {
          name,
          webhook_configs: [
            { url: webhook, http_config: { authorization: { type: 'Bearer', credentials: token } } },
          ],
        }
      : { name },
  );
  for (const [name, text] of renderedFiles([policy], { receivers })) writeFileSync(join(folder, name), text);
  const prometheus = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['*.rules.yaml'],
    alerting: {
      alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanagerPort}`] }] }],
    },
    scrape_configs: [{ job_name: 'plimsoll', honor_labels: true, static_configs: [{ targets: [metrics] }] }],
  };
  writeFileSync(join(folder, 'prometheus.yaml'), stringify(prometheus));
}
