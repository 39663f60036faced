import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../config.ts';
import { reachableUrl } from '../core/listen.ts';
import { windowOf } from '../kpi/window.ts';
import { planOf, type Plan } from '../plan.ts';
import { startFleet, type FleetTarget } from './demo-fleet.ts';
import { kpiTable, parseSamples } from './demo-table.ts';
import { print, UsageError, type Command } from './command.ts';
import { onStopSignals } from './stop-signals.ts';

const queries = [
  "SELECT AgentName, Release, count() AS calls, countIf(Result = 'error') AS failed FROM tool_calls GROUP BY ALL ORDER BY AgentName, Release",
  'SELECT AgentName, Release, Runs, CostUsdPerRun, CostUsdPerSuccess FROM cost_per_task ORDER BY AgentName, Release',
  "SELECT Model, sum(InputTokens) AS tokens_in, sum(OutputTokens) AS tokens_out, sum(CostUsd) AS usd FROM otel_traces WHERE Step = 'llm' GROUP BY Model",
  'SELECT Timestamp, AgentName, Release, EscalationReason, EscalationState FROM otel_traces WHERE Escalated ORDER BY Timestamp DESC LIMIT 5',
];

export const demoCommand: Command = {
  name: 'demo',
  summary: 'drive a small fleet of agents through the pipeline and watch its KPIs',
  help: `Usage: plimsoll demo [--config FILE]... [--seconds N] [--rate R] [--metrics URL]

Starts the pipeline unless one is up, and sends it what three make-believe agents do, through the real OpenTelemetry
exporters (gRPC and HTTP). One of them runs a bad canary release: watch its KPIs fall. Ctrl-C ends it cleanly.

  --seconds N   stop by itself after N seconds
  --rate R      tasks a second of each agent (default 4)
  --metrics URL where the KPIs are, when another process assesses: http://127.0.0.1:9466/metrics with assess.yaml`,
  options: { seconds: { type: 'string' }, rate: { type: 'string' }, metrics: { type: 'string' } },
  run: async ({ config: files, options }) => {
    const plan = planOf(loadConfig(files));
    const seconds = positive('--seconds', options['seconds'] ?? 'Infinity');
    const rate = positive('--rate', options['rate'] ?? '4');
    const stopping = new AbortController();
    const urls = urlsOf(plan, options['metrics']);
    const target = targetOf(plan);
    const attached = await isUp(urls.health);
    if (attached) print(`sending to the pipeline that already runs (${urls.health})`);
    const pipeline = attached ? undefined : startPipeline(files);
    onStopSignals(
      () => stopping.abort(),
      () => {
        pipeline?.child.kill('SIGTERM');
        process.exit(130);
      },
    );
    try {
      await untilUp(urls.health, pipeline, stopping.signal);
      const signal = AbortSignal.any([stopping.signal, ...deadline(seconds)]);
      await watch(urls, windowLabelOf(plan), { target, rate }, signal);
    } finally {
      await stopPipeline(pipeline);
    }
    return 0;
  },
};

function positive(option: string, text: string | boolean): number {
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`${option}: must be a number above 0, not ${String(text)}`);
  return value;
}

function deadline(seconds: number): readonly AbortSignal[] {
  return Number.isFinite(seconds) ? [AbortSignal.timeout(seconds * 1000)] : [];
}

interface Urls {
  readonly metrics: string;
  readonly health: string;
  readonly sql: string | undefined;
}

function urlsOf({ health, sql, metrics }: Plan, given: string | boolean | undefined): Urls {
  if (!health)
    throw new Error('service::extensions: lists no health_check; the demo needs it to see when all is up');
  return {
    health: reachableUrl(health.options.endpoint),
    sql: sql && reachableUrl(sql.options.endpoint),
    metrics: given === undefined ? `${reachableUrl(metrics.endpoint)}/metrics` : String(given),
  };
}

function targetOf({ ingest }: Plan): FleetTarget {
  const otlp = ingest?.receivers.find(
    ({ options: { protocols } }) => protocols.grpc && protocols.http,
  )?.options;
  const { grpc, http } = otlp?.protocols ?? {};
  if (!grpc || !http)
    throw new Error('the demo sends over gRPC and HTTP: configure an otlp receiver with both');
  if (grpc.tls || http.tls)
    throw new Error('the demo speaks no TLS: give it a configuration without receivers::otlp tls');
  return {
    grpcUrl: reachableUrl(grpc.endpoint),
    httpUrl: reachableUrl(http.endpoint),
    token: otlp?.auth?.bearer_tokens[0]?.reveal(),
  };
}

async function isUp(health: string): Promise<boolean> {
  return fetch(health).then(
    async (response) => response.ok && (await response.text()).includes('"components"'), // others answer on this port too
    () => false,
  );
}

/** A pipeline that the demo started. */
interface Started {
  readonly child: ChildProcess;
  /** Resolves with how it ended, a code or a signal. */
  readonly ended: Promise<string>;
  hasEnded: boolean;
}

function startPipeline(files: readonly string[]): Started {
  const launcher = fileURLToPath(new URL('../plimsoll.js', import.meta.url));
  const words = files.flatMap((file) => ['--config', file]);
  // A process group of its own: Ctrl-C reaches the demo alone, which lets the fleet finish before it stops the pipeline.
  const child = spawn(process.execPath, [launcher, 'run', ...words], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  const started: Started = { child, ended: promise, hasEnded: false };
  child.once('exit', (code, signal) => {
    started.hasEnded = true;
    resolve(signal ?? `code ${code}`);
  });
  return started;
}

async function untilUp(health: string, pipeline: Started | undefined, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await isUp(health))) {
    if (pipeline?.hasEnded) {
      throw new Error(
        `the pipeline ended (${await pipeline.ended}) before it was ready; its message is above`,
      );
    }
    await sleep(100);
  }
}

/** The window that the table shows: the first that is configured. */
function windowLabelOf({ assess }: Plan): string {
  const [lengthMs] = assess?.kpi.windows ?? [];
  if (lengthMs === undefined)
    throw new Error('service::pipelines: lists no traces/assess; the demo shows the KPIs that it makes');
  return windowOf(lengthMs).label;
}

async function watch(
  urls: Urls,
  window: string,
  { target, rate }: { readonly target: FleetTarget; readonly rate: number },
  signal: AbortSignal,
): Promise<void> {
  const fleet = startFleet(target, rate);
  const table = (): Promise<string> => tableOf(urls.metrics, window);
  const redraws = process.stdout.isTTY;
  if (redraws) process.stdout.write('\u001B[2J');
  let shown = 0;
  try {
    while (!signal.aborted) {
      await sleep(redraws ? 1000 : 5000, undefined, { signal }).catch(() => undefined); // an abort ends the wait
      const top = redraws ? '\u001B[H\u001B[J' : '';
      print(`${top}${fleet.runs()} tasks so far; the last ${window}:\n\n${await table()}`);
      if (redraws || shown === 0) print(await hints(urls));
      shown += 1;
    }
  } finally {
    await fleet.stop();
  }
  print(`\nsent ${fleet.runs()} tasks; the last ${window}:\n\n${await table()}`);
}

/** The KPIs at `metricsUrl`, or where they are when the process there exports none. */
async function tableOf(metricsUrl: string, window: string): Promise<string> {
  const response = await fetch(metricsUrl).catch((cause: unknown) => {
    throw new Error(`nothing answers at ${metricsUrl}: --metrics says where the KPIs are`, { cause });
  });
  const samples = parseSamples(await response.text());
  const active = samples.find(({ name }) => name === 'plimsoll_kpi_active')?.value;
  if (active === 1) return kpiTable(samples, window);
  return active === undefined
    ? `no KPIs: ${metricsUrl} is not of the process that assesses; name that one: --metrics http://127.0.0.1:9466/metrics with assess.yaml`
    : `no KPIs yet: the process of ${metricsUrl} stands by, or has just begun to assess`;
}

async function hints({ metrics, health, sql }: Urls): Promise<string> {
  const embedded =
    sql !== undefined &&
    (await fetch(`${sql}/ping`).then(
      ({ ok }) => ok,
      () => false,
    ));
  const asks = (query: string): string =>
    embedded
      ? `  npm run -s plimsoll -- sql "${query}"`
      : `  curl --data-binary "${query}" "$CLICKHOUSE_URL"`;
  return [
    '',
    `metrics  ${metrics}`,
    `health   ${health}`,
    `sql      ${embedded ? sql : 'the ClickHouse server of the process that stores, $CLICKHOUSE_URL'}`,
    '',
    'Try, in another terminal:',
    ...queries.map(asks),
    '',
    'Ctrl-C to end.',
  ].join('\n');
}

async function stopPipeline(pipeline: Started | undefined): Promise<void> {
  pipeline?.child.kill('SIGTERM');
  await pipeline?.ended;
}
