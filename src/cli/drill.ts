import { existsSync } from 'node:fs';
import { loadConfig } from '../config.ts';
import { widestTokenOf } from '../config-senders.ts';
import { reachableUrl } from '../core/listen.ts';
import { planOf, type Plan } from '../plan.ts';
import { readPolicies } from '../policy-files.ts';
import { readPolicy, type PolicyFile } from '../policy/read-policy.ts';
import { drillLines, type DrillRecord } from '../rehearsal/drill-record.ts';
import { inProcessDrill } from '../rehearsal/in-process-drill.ts';
import { knownScenarios, unseenBy } from '../rehearsal/scenarios.ts';
import { print, UsageError, type Command } from './command.ts';
import { readText } from './named-file.ts';
import type { SightUrls } from './drill-sight.ts';
import { drillFaults, liveDrill, storeRecord, type LiveDrillParts } from './live-drill.ts';
import { onStopSignals } from './stop-signals.ts';

const scenarioLines = [...knownScenarios].map(([name, { summary }]) => `  ${name.padEnd(22)} ${summary}`);

export const drillCommand: Command = {
  name: 'drill',
  summary: 'rehearse a bad release, from its first span to its rollback',
  help: `Usage: plimsoll drill run SCENARIO --policy POLICY [--in-process] [options]

Rehearses what a policy promises: make-believe releases of its agent get traffic, one of them goes wrong, and it must be
judged, taken back once, and the rollback verified, while a healthy one stays. Exits with 1 when something does not hold.

Scenarios:
${scenarioLines.join('\n')}

With --in-process everything happens in this process on a clock of its own, in seconds: real enrichment, runs, KPIs,
judge and executor, no network. The executor is killed in the midst, too. It needs nothing and is fit for CI.

Without it, the drill goes through the pipeline that the configuration describes and that runs: it sends traffic marked
with the environment drill:NAME, so no KPI, objective or target of NAME is touched, and waits for every link. It takes
some ticks of the policy, and longer where runs hang: until their deadline. The record is printed as JSON and kept with
the executor. Tokens are those of the configuration, such as PLIMSOLL_API_TOKEN.

  plimsoll drill run tools-fail-30-percent --policy config/policies/refund-agent.yaml --in-process
  plimsoll drill run outage --policy refund-agent --prometheus http://127.0.0.1:9090

  --policy POLICY     a file, or the name of a policy that the configuration uses
  --url URL           the API of the process that assesses; default: that of the configuration
  --metrics URL       its exposition; default: that of the configuration
  --otlp URL          where spans are taken over HTTP; default: that of the configuration
  --prometheus URL    the verdict must fire there, too
  --alertmanager URL  and arrive there
  --rate N            runs of each canary in a minute (default 60)`,
  options: {
    policy: { type: 'string' },
    'in-process': { type: 'boolean' },
    url: { type: 'string' },
    metrics: { type: 'string' },
    otlp: { type: 'string' },
    prometheus: { type: 'string' },
    alertmanager: { type: 'string' },
    rate: { type: 'string' },
  },
  takesWords: true,
  run: async ({ config, options, words }) => {
    const [what, name = '', ...others] = words;
    const scenario = knownScenarios.get(name);
    if (what !== 'run' || !scenario || others.length > 0)
      throw new UsageError(`drill takes run SCENARIO; there is ${[...knownScenarios.keys()].join(', ')}`);
    const given = options['policy'];
    if (given === undefined) throw new UsageError('say under which policy: drill run SCENARIO --policy FILE');
    const plan = planOf(loadConfig(config));
    const file = policyOf(String(given), plan);
    const unseen = unseenBy(file, name, scenario);
    if (unseen !== undefined) throw new Error(unseen);
    if (options['in-process'] === true) return inProcess(name, file, plan);
    return live(name, partsOf(file, plan, options));
  },
};

/** The policy that `given` names: a file, or one that the configuration uses. */
function policyOf(given: string, { policies: patterns }: Plan): PolicyFile {
  if (existsSync(given)) {
    const result = readPolicy(given, readText(given));
    if ('read' in result) return result.read;
    throw new Error(result.findings.map(({ path, sentence }) => `${given}: ${path}: ${sentence}`).join('; '));
  }
  const { policies, faults } = readPolicies(patterns);
  if (faults.length > 0) throw new Error(faults.join('; '));
  const found = policies.find(({ policy }) => policy.metadata.name === given);
  if (found) return found;
  const names = policies.map(({ policy }) => policy.metadata.name).join(', ');
  throw new Error(
    `--policy ${given} is no file, and service::policies has ${names === '' ? 'none' : `only ${names}`}: name one of them, or a file`,
  );
}

async function inProcess(name: string, file: PolicyFile, plan: Plan): Promise<number> {
  const { assess } = plan;
  if (!assess)
    throw new Error('service::pipelines: lists no traces/assess; a drill judges as that pipeline would');
  const began = process.cpuUsage();
  const record = await inProcessDrill(name, { plan, assess, file });
  const { user, system } = process.cpuUsage(began);
  shown(record);
  print(`it took ${((user + system) / 1e6).toFixed(1)} s of CPU`);
  return record.passed ? 0 : 1;
}

function shown(record: DrillRecord): void {
  for (const line of drillLines(record)) print(line);
}

function partsOf(
  file: PolicyFile,
  plan: Plan,
  options: Readonly<Record<string, string | boolean | undefined>>,
): Omit<LiveDrillParts, 'signal'> {
  const given = (name: string): string | undefined => {
    const url = options[name];
    return url === undefined ? undefined : String(url).replace(/\/+$/, '');
  };
  const rate = Number(options['rate'] ?? 60);
  if (!(rate > 0)) throw new UsageError(`--rate: must be a number above 0, not ${String(options['rate'])}`);
  const otlp = plan.ingest?.receivers[0]?.options;
  const { http } = otlp?.protocols ?? {};
  const urls: SightUrls = {
    metrics: given('metrics') ?? `${reachableUrl(plan.metrics.endpoint)}/metrics`,
    api: given('url') ?? (plan.api ? reachableUrl(plan.api.options.endpoint) : missing('--url')),
    token: plan.api?.options.token?.reveal(),
    prometheus: given('prometheus'),
    alertmanager: given('alertmanager'),
  };
  return {
    file,
    urls,
    otlp: given('otlp') ?? (http ? reachableUrl(http.endpoint) : missing('--otlp')),
    otlpToken: widestTokenOf(otlp?.auth),
    runsPerMinute: rate,
    say: print,
  };
}

function missing(option: string): never {
  throw new UsageError(`the configuration does not say where: give ${option} URL`);
}

async function live(name: string, given: Omit<LiveDrillParts, 'signal'>): Promise<number> {
  const stopping = new AbortController();
  const parts = { ...given, signal: stopping.signal };
  const faults = await drillFaults(parts);
  if (faults.length > 0) throw new Error(faults.join('; '));
  onStopSignals(
    () => stopping.abort(),
    () => process.exit(130),
  );
  const record = await liveDrill(name, parts);
  shown(record);
  print(JSON.stringify(record));
  if (stopping.signal.aborted) {
    print('the record is not kept: the drill was interrupted and shows nothing');
    return 1;
  }
  await storeRecord(parts.urls, record);
  return record.passed ? 0 : 1;
}
