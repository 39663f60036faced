import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../config.ts';
import type { Config } from '../config-schema.ts';
import { startFleet } from './demo-fleet.ts';
import { kpiTable, type Sample, parseSamples } from './demo-table.ts';
import { print, type Command } from './command.ts';

const queries = [
  "SELECT AgentName, Release, count() AS calls, countIf(Result = 'error') AS failed FROM tool_calls GROUP BY ALL ORDER BY AgentName, Release",
  "SELECT Model, sum(InputTokens) AS tokens_in, sum(OutputTokens) AS tokens_out, sum(CostUsd) AS usd FROM otel_traces WHERE Step = 'llm' GROUP BY Model",
  'SELECT Timestamp, AgentName, Release, EscalationReason, EscalationState FROM otel_traces WHERE Escalated ORDER BY Timestamp DESC LIMIT 5',
];

export const demoCommand: Command = {
  name: 'demo',
  summary: 'drive a small fleet of agents through the pipeline and watch its KPIs',
  help: `Usage: plimsoll demo [--config FILE]... [--seconds N] [--rate R]

Starts the pipeline unless one is up, and sends it what three make-believe agents do, through the real OpenTelemetry
exporters (gRPC and HTTP). One of them runs a bad canary release: watch its KPIs fall. Ctrl-C ends it cleanly.

  --seconds N   stop by itself after N seconds
  --rate R      tasks a second of each agent (default 4)`,
  options: { seconds: { type: 'string' }, rate: { type: 'string' } },
  run: async ({ config: files, options }) => {
    const config = loadConfig(files);
    const seconds = positive('--seconds', options['seconds'] ?? 'Infinity');
    const rate = positive('--rate', options['rate'] ?? '4');
    const stopping = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
    const urls = urlsOf(config);
    const pipeline = (await isUp(urls.health)) ? undefined : startPipeline(files);
    try {
      await untilUp(urls.health, pipeline, stopping.signal);
      await watch(urls, rate, AbortSignal.any([stopping.signal, ...deadline(seconds)]));
    } finally {
      await stopPipeline(pipeline);
    }
    return 0;
  },
};

function positive(option: string, text: string | boolean): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option}: must be a number above 0, not ${String(text)}`);
  return value;
}

function deadline(seconds: number): readonly AbortSignal[] {
  return Number.isFinite(seconds) ? [AbortSignal.timeout(seconds * 1000)] : [];
}

interface Urls {
  readonly grpc: string;
  readonly http: string;
  readonly metrics: string;
  readonly health: string;
  readonly sql: string | undefined;
}

function url(at: { host: string; port: number } | undefined): string | undefined {
  return at && `http://${at.host}:${at.port}`;
}

function urlsOf(config: Config): Urls {
  const receivers = Object.values(config.receivers).map(({ protocols }) => protocols);
  const extensions = config.service.extensions.map((id) => config.extensions[id]);
  const grpc = url(receivers.find((protocols) => protocols.grpc)?.grpc?.endpoint);
  const http = url(receivers.find((protocols) => protocols.http)?.http?.endpoint);
  const health = url(extensions.find((extension) => extension?.type === 'health_check')?.endpoint);
  if (!grpc || !http || !health) {
    throw new Error(
      'the demo needs the otlp receiver with grpc and http, and the health_check extension: configure them',
    );
  }
  const sql = url(extensions.find((extension) => extension?.type === 'sql')?.endpoint);
  return { grpc, http, health, sql, metrics: `${url(config.service.telemetry.metrics.endpoint)}/metrics` };
}

async function isUp(health: string): Promise<boolean> {
  return fetch(health).then(
    (response) => response.ok,
    () => false,
  );
}

function startPipeline(files: readonly string[]): ChildProcess {
  const launcher = new URL('../plimsoll.js', import.meta.url).pathname;
  const words = files.flatMap((file) => ['--config', file]);
  // A process group of its own: Ctrl-C reaches the demo alone, which lets the fleet finish before it stops the pipeline.
  return spawn(process.execPath, [launcher, 'run', ...words], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
}

async function untilUp(
  health: string,
  pipeline: ChildProcess | undefined,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !(await isUp(health))) {
    if (pipeline && pipeline.exitCode !== null) {
      throw new Error(
        `the pipeline ended with code ${pipeline.exitCode} before it was ready; its message is above`,
      );
    }
    await sleep(100);
  }
}

async function watch(urls: Urls, rate: number, signal: AbortSignal): Promise<void> {
  const fleet = startFleet({ grpcUrl: urls.grpc, httpUrl: urls.http }, rate);
  const redraws = process.stdout.isTTY;
  if (redraws) process.stdout.write('\u001B[2J');
  let shown = 0;
  while (!signal.aborted) {
    await sleep(redraws ? 1000 : 5000, undefined, { signal }).catch(() => undefined); // an abort ends the wait
    const table = kpiTable(await readSamples(urls.metrics), '5m');
    print(`${redraws ? '\u001B[H\u001B[J' : ''}${fleet.runs()} tasks so far\n\n${table}`);
    if (redraws || shown === 0) print(hints(urls));
    shown += 1;
  }
  await fleet.stop();
  print(`\nsent ${fleet.runs()} tasks`);
}

async function readSamples(metricsUrl: string): Promise<readonly Sample[]> {
  const response = await fetch(metricsUrl);
  return parseSamples(await response.text());
}

function hints(urls: Urls): string {
  const sql = urls.sql;
  return [
    '',
    `metrics  ${urls.metrics}`,
    `health   ${urls.health}`,
    ...(sql ? [`sql      ${sql}`, '', 'Try, in another terminal:'] : []),
    ...(sql ? queries.map((query) => `  npm run -s plimsoll -- sql "${query}"`) : []),
    '',
    'Ctrl-C to end.',
  ].join('\n');
}

async function stopPipeline(pipeline: ChildProcess | undefined): Promise<void> {
  if (!pipeline || pipeline.exitCode !== null) return;
  const ended = new Promise((resolve) => void pipeline.once('exit', resolve));
  pipeline.kill('SIGTERM');
  await ended;
}
