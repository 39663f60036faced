import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../config.ts';
import { messageOf } from '../core/failure.ts';
import { reachableUrl } from '../core/listen.ts';
import { windowOf } from '../kpi/window.ts';
import { planOf, type Plan } from '../plan.ts';
import { calledAs } from './called-as.ts';
import { canaryOf, startFleet, type FleetTarget } from './demo-fleet.ts';
import { judgedLines } from './demo-judged.ts';
import { badReleaseDemo } from './demo-bad-release.ts';
import {
  answerOf,
  isUp,
  startPipeline,
  stopPipeline,
  targetOf,
  untilUp,
  type Started,
} from './demo-pipeline.ts';
import { kpiTable, parseSamples, type Sample } from './demo-table.ts';
import { print, UsageError, type Command } from './command.ts';
import { onStopSignals } from './stop-signals.ts';
import { TearDown } from './tear-down.ts';

const queries = [
  "SELECT AgentName, Release, count() AS calls, countIf(Result = 'error') AS failed FROM tool_calls GROUP BY ALL ORDER BY AgentName, Release",
  'SELECT AgentName, Release, Runs, CostUsdPerRun, CostUsdPerSuccess FROM cost_per_task ORDER BY AgentName, Release',
  "SELECT Model, sum(InputTokens) AS tokens_in, sum(OutputTokens) AS tokens_out, sum(CostUsd) AS usd FROM otel_traces WHERE Step = 'llm' GROUP BY Model",
  'SELECT Timestamp, AgentName, Release, EscalationReason, EscalationState FROM otel_traces WHERE Escalated ORDER BY Timestamp DESC LIMIT 5',
];

/** Of the traffic of its agent. */
const canaryShare = 0.1;

export const demoCommand: Command = {
  name: 'demo',
  summary: 'drive a small fleet of agents through the pipeline and watch its KPIs',
  help: `Usage: plimsoll demo [--config FILE]... [--seconds N] [--rate R] [--metrics URL]
       plimsoll demo --bad-release [--config FILE]... [--rate R]

Starts the pipeline unless one is up, and sends it what two make-believe agents do, through the real OpenTelemetry
exporters (gRPC and HTTP). One of them runs a bad canary release with a tenth of its traffic: watch its KPIs fall. Ctrl-C
ends it cleanly.

With --bad-release all is well at first; after 20 s a bad canary is shipped, evidence against it rises, and a make-believe
deployment is ordered back: one or two minutes, with everything in a folder of its own, and on other ports where those of
the configuration are in use. In a terminal it then goes on until Ctrl-C, for a look at the page and the tables. Where
prometheus and alertmanager are on PATH, they take part.

  --seconds N   stop by itself after N seconds
  --rate R      tasks a second of each agent (default 8, and 6 with --bad-release)
  --metrics URL where the KPIs are, when another process assesses: http://127.0.0.1:9466/metrics with assess.yaml`,
  options: {
    seconds: { type: 'string' },
    rate: { type: 'string' },
    metrics: { type: 'string' },
    'bad-release': { type: 'boolean' },
  },
  run: async ({ config: files, options }) => {
    if (options['bad-release'] === true) return badRelease(files, positive('--rate', options['rate'] ?? '6'));
    const plan = planOf(loadConfig(files));
    const seconds = positive('--seconds', options['seconds'] ?? 'Infinity');
    const rate = positive('--rate', options['rate'] ?? '8');
    const stopping = new AbortController();
    const urls = urlsOf(plan, options['metrics']);
    const target = targetOf(plan);
    const attached = await isUp(urls.health);
    if (attached) print(`sending to the pipeline that already runs (${urls.health})`);
    const pipeline = attached ? undefined : startPipeline(files);
    onStopSignals(
      () => stop(stopping),
      () => {
        pipeline?.child.kill('SIGTERM');
        process.exit(130);
      },
    );
    try {
      await untilUp(urls.health, pipeline, stopping.signal);
      const signal = AbortSignal.any([stopping.signal, ...deadline(seconds)]);
      await watch({ urls, window: windowLabelOf(plan), pipeline }, { target, rate }, signal);
    } finally {
      await stopPipeline(pipeline);
    }
    return 0;
  },
};

async function badRelease(files: readonly string[], rate: number): Promise<number> {
  const stopping = new AbortController();
  const tearDown = new TearDown();
  onStopSignals(
    () => stop(stopping),
    () => {
      tearDown.kill();
      process.exit(130);
    },
  );
  return tearDown.after(async () => badReleaseDemo({ files, rate, signal: stopping.signal, tearDown }));
}

/** The end takes seconds, in which nothing else is said. */
function stop(stopping: AbortController): void {
  print('stopping…');
  stopping.abort();
}

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
  /** The live page. */
  readonly page: string | undefined;
  /** The policies of the configuration, which a pipeline that runs already need not have. */
  readonly policies: readonly string[];
}

function urlsOf({ health, sql, api, metrics, policies }: Plan, given: string | boolean | undefined): Urls {
  if (!health)
    throw new Error('service::extensions: lists no health_check; the demo needs it to see when all is up');
  return {
    health: reachableUrl(health.options.endpoint),
    sql: sql && reachableUrl(sql.options.endpoint),
    page: api && reachableUrl(api.options.endpoint),
    policies,
    metrics: given === undefined ? `${reachableUrl(metrics.endpoint)}/metrics` : String(given),
  };
}

/** The window that the table shows: the first that is configured. */
function windowLabelOf({ assess }: Plan): string {
  const [lengthMs] = assess?.kpi.windows ?? [];
  if (lengthMs === undefined)
    throw new Error('service::pipelines: lists no traces/assess; the demo shows the KPIs that it makes');
  return windowOf(lengthMs).label;
}

/** The canary gets as much of the traffic of its agent as config/policies/refund-agent.yaml says, or nothing were judged by that. */
function shareOf(agent: string, release: string): number {
  if (agent !== canaryOf.agent) return 1;
  return release === canaryOf.canary ? canaryShare : 1 - canaryShare;
}

/** Sends what the fleet does, and shows the KPIs, until `signal` aborts; while nothing answers, it waits. */
async function watch(
  { urls, window, pipeline }: { urls: Urls; window: string; pipeline: Started | undefined },
  { target, rate }: { readonly target: FleetTarget; readonly rate: number },
  signal: AbortSignal,
): Promise<void> {
  const fleet = startFleet(target, rate, shareOf);
  const redraws = process.stdout.isTTY;
  if (redraws) process.stdout.write('\u001B[2J');
  const view = new View(urls, window);
  let undelivered: Error | undefined;
  try {
    while (!signal.aborted) {
      await sleep(redraws ? 1000 : 5000, undefined, { signal }).catch(() => undefined); // an abort ends the wait
      if (pipeline?.hasEnded) throw new Error(`the pipeline ended (${await pipeline.ended})`);
      const text = await view.next(fleet.runs(), redraws, signal);
      if (text !== undefined) print(text);
    }
  } finally {
    await fleet.stop().catch((error: unknown) => {
      undelivered = new Error(messageOf(error), { cause: error });
    });
  }
  const look = await lookAt(urls.metrics, window);
  if (look && undelivered) throw undelivered;
  const end =
    look === undefined
      ? `nothing answers at ${urls.metrics} any more, so the last ones are lost`
      : `the last ${window}:\n\n${look.table}`;
  print(`\nsent ${fleet.runs()} tasks; ${end}`);
}

/** What the demo shows of the pipeline, time and again. */
class View {
  readonly #urls: Urls;
  readonly #window: string;
  /** Whether it answered when it was asked last; undefined until it was asked. */
  #answers: boolean | undefined;

  constructor(urls: Urls, window: string) {
    this.#urls = urls;
    this.#window = window;
  }

  /** What is to be printed now; undefined where there is nothing new to say, or `signal` aborted. Rejects where nothing ever answered. */
  async next(runs: number, redraws: boolean, signal: AbortSignal): Promise<string | undefined> {
    const { metrics } = this.#urls;
    const look = await lookAt(metrics, this.#window, signal);
    if (signal.aborted) return undefined;
    const before = this.#answers;
    if (look === undefined && before === undefined)
      throw new Error(`nothing answers at ${metrics}: --metrics says where the KPIs are`);
    this.#answers = look !== undefined;
    if (look === undefined)
      return before === false
        ? undefined
        : `nothing answers at ${metrics} any more: waiting for the pipeline; the agents try again for 10 s to send what they have, and lose what is older`;
    const top = redraws ? '\u001B[H\u001B[J' : '';
    const back = before === false && !redraws ? `${metrics} answers again\n` : '';
    const below = redraws || before === undefined ? `\n${await hints(this.#urls, look)}` : '';
    return `${top}${back}${runs} tasks so far; the last ${this.#window}:\n\n${look.table}${below}`;
  }
}

/** What is at `url`, the exposition of a pipeline. */
interface Look {
  readonly samples: readonly Sample[];
  /** The KPIs, or why there are none. */
  readonly table: string;
  /** Whether the process there is one that assesses. */
  readonly assesses: boolean;
}

/** What `metricsUrl` shows; undefined when nothing answers. */
async function lookAt(metricsUrl: string, window: string, signal?: AbortSignal): Promise<Look | undefined> {
  const answer = await answerOf(metricsUrl, signal);
  if (answer === undefined) return undefined;
  const samples = parseSamples(answer.text);
  const active = samples.find(({ name }) => name === 'plimsoll_kpi_active')?.value;
  const why =
    active === undefined
      ? `no KPIs: ${metricsUrl} is not of the process that assesses; name that one: --metrics http://127.0.0.1:9466/metrics with assess.yaml`
      : `no KPIs yet: the process of ${metricsUrl} stands by, or has just begun to assess`;
  return { samples, table: active === 1 ? kpiTable(samples, window) : why, assesses: active !== undefined };
}

async function hints({ metrics, health, sql, page, policies }: Urls, look: Look): Promise<string> {
  const embedded = sql !== undefined && (await answerOf(`${sql}/ping`))?.isOk === true;
  const asks = (query: string): string =>
    embedded ? `  ${calledAs().call('sql')} "${query}"` : `  curl --data-binary "${query}" "$CLICKHOUSE_URL"`;
  return [
    '',
    ...(page === undefined ? [] : [`page     ${page}`]),
    `metrics  ${metrics}`,
    `health   ${health}`,
    `sql      ${embedded ? sql : 'the ClickHouse server of the process that stores, $CLICKHOUSE_URL'}`,
    ...(look.assesses ? ['', ...judgedLines(look.samples, policies, page)] : []),
    '',
    'Try, in another terminal:',
    ...queries.map(asks),
    '',
    'Ctrl-C to end.',
  ].join('\n');
}
