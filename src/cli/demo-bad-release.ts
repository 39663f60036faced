import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Document, stringify } from 'yaml';
import { endpoints, loadConfig } from '../config.ts';
import { reachableUrl } from '../core/listen.ts';
import { eValueText } from '../judge/e-value.ts';
import { planOf, type Plan } from '../plan.ts';
import { linkLines } from '../rehearsal/drill-record.ts';
import { calledAs } from './called-as.ts';
import { print } from './command.ts';
import { DemoAlerting } from './demo-alerting.ts';
import { DemoDeployment } from './demo-deployment.ts';
import { canaryOf, startFleet } from './demo-fleet.ts';
import { startPipeline, stopPipeline, targetOf, untilUp } from './demo-pipeline.ts';
import { canaryShare, demoPolicy, demoTarget } from './demo-policy.ts';
import { sightOf, type Sight, type SightUrls } from './drill-sight.ts';
import { freePorts, isTaken } from './free-ports.ts';
import type { TearDown } from './tear-down.ts';

const healthyMs = 20_000;
const patienceMs = 180_000;
const lookEveryMs = 500;

/** How the demo is run. */
export interface BadReleaseOptions {
  /** The configuration that it changes a little. */
  readonly files: readonly string[];
  /** Tasks a second of each agent. */
  readonly rate: number;
  readonly signal: AbortSignal;
  /** Told of all that it starts; the demo does not end it. */
  readonly tearDown: TearDown;
}

/**
 * Shows how a bad release is found and taken back: a fleet that is well ships a canary whose tools fail; evidence against
 * it rises until the executor tells the make-believe deployment to go back. Resolves with 0 when that was ordered once and
 * is verified, or when `signal` ended the demo before; with 1 when it is not verified in time, or was ordered more than
 * once. Rejects with one sentence when the demo cannot begin.
 */
export async function badReleaseDemo({ files, rate, signal, tearDown }: BadReleaseOptions): Promise<number> {
  refuseShared(planOf(loadConfig(files)));
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-demo-'));
  const removed = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }); // what was just killed may still write
  tearDown.add({ end: removed, kill: removed });
  const deployment = new DemoDeployment(canaryOf.baseline);
  tearDown.add({ end: () => deployment.stop() });
  const { configs, token, tellsToken, reviewToken, policy } = await prepare(
    files,
    folder,
    await deployment.start(),
  );
  const plan = planOf(loadConfig(configs));
  const { health, urls } = placesOf(plan, token);
  const pipeline = startPipeline(configs);
  tearDown.add({ end: async () => stopPipeline(pipeline), kill: () => pipeline.child.kill('SIGKILL') });
  await untilUp(health, pipeline, signal);
  const alerting = await DemoAlerting.start({
    folder,
    policy: policy.read,
    metrics: new URL(urls.metrics).host,
    webhook: `${urls.api}/api/v1/alerts`,
    token: tellsToken,
  });
  if (alerting) tearDown.add({ end: async () => alerting.stop(), kill: () => alerting.kill() });
  const fleet = startFleet(targetOf(plan), rate, (agent, release) =>
    agent === canaryOf.agent ? deployment.shareOf(release) : 1,
  );
  tearDown.add({ end: async () => fleet.stop() });
  const code = await new Story().run({
    deployment,
    urls: { ...urls, ...alerting?.urls },
    reviewToken,
    signal,
  });
  if (process.stdout.isTTY && !signal.aborted)
    await lookAround({ page: urls.api, reviewToken, folder, configs, signal });
  return code;
}

/** Leaves all as it is, for who looks at a terminal, until `signal` ends it. */
async function lookAround({
  page,
  reviewToken,
  folder,
  configs,
  signal,
}: {
  readonly page: string;
  readonly reviewToken: string;
  readonly folder: string;
  readonly configs: readonly string[];
  readonly signal: AbortSignal;
}): Promise<void> {
  const words = configs.map((file) => `--config ${file}`).join(' ');
  print(
    [
      '',
      `The page is still there: ${page}; say there whether the rollback was right, with the token ${reviewToken}. So is all that was kept, in ${folder}:`,
      `  ${calledAs().call('sql')} ${words} "SELECT Timestamp, Event, State, Actor, Reason FROM rollbacks ORDER BY Seq"`,
      '',
      'Ctrl-C to end, which removes the folder.',
    ].join('\n'),
  );
  await once(signal, 'abort');
}

/** What a make-believe fleet does must not come to where real spans are: only what is embedded is the demo's own. */
function refuseShared({ stream, store }: Plan): void {
  const shared = [
    ...(stream.type === 'embedded' ? [] : [`connectors::${stream.type}`]),
    ...(store?.clickhouse.url === undefined ? [] : [`exporters::${store.id}::url`]),
  ];
  if (shared.length > 0)
    throw new Error(
      `--bad-release would write make-believe runs to what others use (${shared.join(' and ')}): give it a configuration with all embedded, such as config/plimsoll.yaml`,
    );
}

/** Writes the policy, and what the configuration needs for it and for ports that are taken, to `folder`. */
async function prepare(files: readonly string[], folder: string, target: string) {
  const file = join(folder, 'policy.yaml');
  const policy = demoPolicy(file);
  writeFileSync(file, policy.text);
  const [token, tellsToken, reviewToken] = [newToken(), newToken(), newToken()];
  const extensions = [...new Set([...loadConfig(files).service.extensions, 'api', 'rollback'])];
  const overlay = {
    data_dir: join(folder, 'data'),
    exporters: { kpi: { windows: ['30s', '5m', '1h'], scrape_interval: '1s' } }, // a rollback is verified by the shortest
    extensions: {
      api: { token, users: { alertmanager: tellsToken, reviewer: reviewToken } },
      rollback: {
        targets: {
          [demoTarget]: { type: 'webhook', url: target, current_url: target, secret: token },
        },
      },
    },
    // The demo itself tells what happens.
    service: { extensions, policies: [file], telemetry: { logs: { level: 'error' } } },
  };
  const own = join(folder, 'demo.yaml');
  writeFileSync(own, stringify(overlay));
  const ports = join(folder, 'ports.yaml');
  writeFileSync(ports, String(await movedFrom(endpoints(loadConfig([...files, own])))));
  return { configs: [...files, own, ports], token, tellsToken, reviewToken, policy };
}

/** A configuration in which what others listen at already is elsewhere; it says so. */
async function movedFrom(listening: ReturnType<typeof endpoints>): Promise<Document> {
  const taken = [];
  for (const each of listening) if (await isTaken(each.host, each.port)) taken.push(each);
  const ports = await freePorts(taken.length);
  const moved = new Document({});
  for (const [i, { path, host, port }] of taken.entries()) {
    const elsewhere = `127.0.0.1:${ports[i]}`;
    print(`${host}:${port} is in use: ${path} is ${elsewhere} here`);
    moved.setIn(path.split('::'), elsewhere);
  }
  return moved;
}

const newToken = (): string => randomBytes(16).toString('hex');

function placesOf(plan: Plan, token: string): { readonly health: string; readonly urls: SightUrls } {
  const { health, api, metrics } = plan;
  if (!health || !api || !plan.assess)
    throw new Error(
      'the demo needs health_check, api and traces/assess in one process: give it a configuration such as config/plimsoll.yaml',
    );
  return {
    health: reachableUrl(health.options.endpoint),
    urls: {
      metrics: `${reachableUrl(metrics.endpoint)}/metrics`,
      api: reachableUrl(api.options.endpoint),
      token,
      prometheus: undefined,
      alertmanager: undefined,
    },
  };
}

/** Tells what happens, as it happens, and sums it up. */
class Story {
  readonly #startedMs = Date.now();
  readonly #links = new Map<string, number>();
  #evidence = '';

  /** Tells `sentence`; `link` happens once. */
  tell(link: string, sentence: string): void {
    if (this.#links.has(link)) return;
    const nowMs = Date.now();
    this.#links.set(link, nowMs);
    this.#say(nowMs, sentence);
  }

  #say(nowMs: number, sentence: string): void {
    print(`${((nowMs - this.#startedMs) / 1000).toFixed(1).padStart(6)} s  ${sentence}`);
  }

  async run({
    deployment,
    urls,
    reviewToken,
    signal,
  }: {
    readonly deployment: DemoDeployment;
    readonly urls: SightUrls;
    /** Of a user who may say of rollbacks whether they were right. */
    readonly reviewToken: string;
    readonly signal: AbortSignal;
  }): Promise<number> {
    const { agent, environment, baseline, canary: release } = canaryOf;
    this.#say(Date.now(), `${agent} ${baseline} does well, and gets all runs`);
    this.#say(
      Date.now(),
      urls.prometheus === undefined
        ? 'Prometheus and Alertmanager are not on this machine: the judge tells the executor in the process alone'
        : `Prometheus ${urls.prometheus} and Alertmanager ${urls.alertmanager} look on`,
    );
    this.#say(
      Date.now(),
      `the page ${urls.api} shows it, too, and takes reviews with the token ${reviewToken}`,
    );
    await pause(healthyMs, signal);
    if (signal.aborted) return 0;
    deployment.ship(release, canaryShare);
    this.tell('shipped', `${release} is shipped to ${100 * canaryShare} % of the runs; its tools fail`);
    const endMs = Date.now() + patienceMs;
    while (!signal.aborted && Date.now() < endMs) {
      const sight = await sightOf(urls, { agent, environment, release });
      this.#note(sight);
      if (deployment.orders > 0) this.tell('deployment switched', `all runs go to ${baseline} again`);
      this.#noteEnd(sight);
      if (this.#links.has('verified')) return this.#end(deployment);
      await pause(lookEveryMs, signal);
    }
    if (signal.aborted) return 0;
    this.#say(Date.now(), `${release} was not taken back within ${patienceMs / 1000} s`);
    return 1;
  }

  #note({ units, verdict, evidence, attempts, isFiring, isNotified }: Sight): void {
    if (units) this.tell('judged', 'the judge has seen runs of it');
    this.#tellEvidence(units?.settled ?? 0, evidence);
    if (verdict === 'fail') this.tell('verdict', 'verdict: fail');
    if (isFiring) this.tell('alert fires', 'an alert on it fires in Prometheus');
    if (isNotified) this.tell('alert in Alertmanager', 'Alertmanager has the alert, and tells the executor');
    const [attempt] = attempts;
    if (!attempt) return;
    this.tell('rollback asked for', `the executor is asked for a rollback by ${attempt.asked_by.join(', ')}`);
    if (attempt.asked_by.length > 1)
      this.tell('asked again', `${attempt.asked_by.at(-1)} asks for the same one`);
  }

  #noteEnd({ attempts: [attempt] }: Sight): void {
    if (attempt?.state === 'done') this.tell('verified', `verified: ${attempt.outcome}`);
  }

  #tellEvidence(settled: number, evidence: Sight['evidence']): void {
    const shown = evidence
      .filter(({ test, threshold }) => test === 'worse' && threshold !== undefined)
      .map(({ kpi, logEvidence, threshold = 0 }) => `${kpi} ${bar(logEvidence, threshold)}`)
      .join('   ');
    if (shown === '' || shown === this.#evidence || this.#links.has('verdict')) return;
    this.#evidence = shown;
    this.#say(Date.now(), `evidence after ${settled} runs: ${shown}`);
  }

  #end({ orders }: DemoDeployment): number {
    const links = [...this.#links].map(([link, timeMs]) => ({ link, timeMs }));
    print('');
    for (const line of linkLines(links)) print(line);
    print(`\nthe deployment was ordered back ${orders === 1 ? 'once' : `${orders} times`}`);
    return orders === 1 ? 0 : 1;
  }
}

const barLength = 16;

/** How far evidence has come, up to where it rolls back. */
function bar(logEvidence: number, threshold: number): string {
  const filled = Math.round(barLength * Math.min(1, Math.max(0, logEvidence / threshold)));
  const text = '█'.repeat(filled) + '░'.repeat(barLength - filled);
  return `${text} ${eValueText(logEvidence)} of ${eValueText(threshold)}`;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined); // an abort ends the wait
}
