import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPolicy, type PolicyFile } from '../../src/policy/read-policy.ts';
import { renderedFiles } from '../../src/policy/render.ts';
import { Alertmanager } from '../alertmanager.ts';
import { freePorts } from '../free-ports.ts';
import { everySecond, Prometheus } from '../prometheus.ts';
import { requires } from '../requires.ts';
import { until } from '../until.ts';
import { sendSteadily, type Runs, type Work } from './agent-runs.ts';
import { Deployment } from './deployment.ts';
import { hastyCanary } from './hasty-canary.ts';
import { Place, Program } from './program.ts';

const missing =
  requires('prometheus', { version: '--version' }) ??
  requires('prometheus-alertmanager', { version: '--version' });

const patienceMs = 120_000;
const token = 'a-token-of-this-test';
const environment = 'production';
const [old, canary] = ['1.4.0', '1.5.0-rc1'];

/** What becomes of each agent's canary. */
const agents = ['bad-canary', 'good-canary', 'outage'] as const;
type Agent = (typeof agents)[number];

function policyText(agent: Agent): string {
  return `
apiVersion: plimsoll/v1
kind: ReliabilityPolicy
metadata: { name: ${agent}, version: 1, owner: team-payments, on_call: payments-on-call }
scope: { agents: [${agent}], environments: [${environment}] }
good_outcomes: [success, completed]
objectives:
  run_success: { at_least: 0.9, period: 30d, min_events: 20, severity: sev2 }
severities: { sev2: { page: true, acknowledge_within: 30m } }
${hastyCanary({ canary, target: agent })}`;
}

/** Who waits in earnest, waits seconds here. */
function hastened(rendered: string): string {
  return rendered
    .replaceAll(/group_wait: .*/g, 'group_wait: 0s')
    .replaceAll(/group_interval: .*/g, 'group_interval: 1s')
    .replaceAll(/repeat_interval: .*/g, 'repeat_interval: 2s');
}

interface Attempt {
  readonly id: string;
  readonly agent: string;
  readonly state: string;
  readonly asks: number;
  readonly asked_by: readonly string[];
}

function ofBad(all: readonly Attempt[]): Attempt | undefined {
  return all.find(({ agent }) => agent === 'bad-canary');
}

describe.skipIf(missing)('with Prometheus and two Alertmanagers that tell of everything twice', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-rollback-'));
  const deployment = new Deployment();
  const stopped = new AbortController();
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
  /** Of ten runs of a release so many fail. */
  const failing = { canary: 0, everyone: 0 };
  let place: Place;
  let program: Program;
  let prometheus: Prometheus;
  let alertmanagers: readonly Alertmanager[];
  let load: Promise<void> | undefined;

  const failuresOf = (agent: Agent, release: string): number => {
    if (agent === 'outage') return failing.everyone;
    return agent === 'bad-canary' && release === canary ? failing.canary : 0;
  };
  const work: Work = {
    url: () => program.url('OTLP gRPC'),
    next: () =>
      agents.flatMap((agent): Runs[] => {
        const current = deployment.running.get(agent);
        const runs = (release: string, count: number): Runs => ({
          agent,
          release,
          environment,
          count,
          failures: Math.round((failuresOf(agent, release) / 10) * count),
        });
        return current === canary ? [runs(old, 7), runs(canary, 3)] : [runs(old, 10)];
      }),
  };

  const attempts = async (): Promise<readonly Attempt[]> => {
    const response = await fetch(`${program.url('page, API')}/api/v1/rollbacks`);
    const { rollbacks: all }: { rollbacks: readonly Attempt[] } = JSON.parse(await response.text());
    return all;
  };

  const verdicts = async (agent: Agent): Promise<Readonly<Record<string, number>>> => {
    const lines = (await program.metrics()).split('\n');
    const own = lines.filter(
      (line) =>
        line.startsWith('plimsoll_release_verdict{') &&
        line.includes(`agent="${agent}"`) &&
        line.includes(`release="${canary}"`),
    );
    return Object.fromEntries(
      own.map((line) => [/verdict="(\w+)"/.exec(line)?.[1] ?? '', Number(line.split(' ').at(-1))]),
    );
  };

  function policies(): readonly PolicyFile[] {
    return agents.map((agent) => {
      const file = join(folder, `${agent}.yaml`);
      writeFileSync(file, policyText(agent));
      const read = readPolicy(file, policyText(agent));
      if (!('read' in read)) throw new Error(JSON.stringify(read.findings));
      return read.read;
    });
  }

  beforeAll(async () => {
    for (const agent of agents) deployment.running.set(agent, old);
    await deployment.start();
    ends.push(async () => deployment.stop());
    const [first = 0, second = 0, firstPeer = 0, secondPeer = 0, metricsPort = 0, apiPort = 0] =
      await freePorts(6);
    const receivers = ['payments-on-call', 'team-payments', 'plimsoll-operators'].map((name) => ({ name }));
    const executor = {
      name: 'plimsoll-rollback',
      webhook_configs: [
        {
          url: `http://127.0.0.1:${apiPort}/api/v1/alerts`,
          http_config: { authorization: { type: 'Bearer', credentials: token } },
        },
      ],
    };
    const rendered = renderedFiles(policies(), { receivers: [...receivers, executor] });
    for (const [name, text] of rendered) writeFileSync(join(folder, name), hastened(text));
    // A peer that they never find makes each tell on its own, as a partition of the cluster does.
    alertmanagers = [
      new Alertmanager(folder, first, [`--cluster.listen-address=127.0.0.1:${firstPeer}`]),
      new Alertmanager(folder, second, [`--cluster.listen-address=127.0.0.1:${secondPeer}`]),
    ];
    for (const each of alertmanagers) {
      await each.start();
      ends.push(async () => each.stop());
    }
    place = new Place(
      JSON.stringify({
        exporters: { kpi: { windows: ['10s', '5m'] } },
        extensions: {
          api: { endpoint: `127.0.0.1:${apiPort}`, token },
          rollback: { targets: Object.fromEntries(agents.map((agent) => [agent, deployment.target(agent)])) },
        },
        service: {
          extensions: ['health_check', 'sql', 'api', 'rollback'],
          policies: agents.map((agent) => join(folder, `${agent}.yaml`)),
          telemetry: { metrics: { endpoint: `127.0.0.1:${metricsPort}` } },
        },
      }),
    );
    ends.push(() => place.remove());
    program = await Program.start(place);
    ends.push(async () => program.kill('SIGKILL'));
    prometheus = await Prometheus.start(
      everySecond({
        rules: join(folder, '*.rules.yaml'),
        alertmanagers: alertmanagers.map(({ target }) => target),
        metrics: `127.0.0.1:${metricsPort}`,
      }),
    );
    ends.push(async () => prometheus.stop());
    load = sendSteadily(work, stopped.signal);
  }, patienceMs);

  afterAll(async () => {
    stopped.abort();
    await load;
    for (const end of ends.toReversed()) await end();
  });

  test(
    'a bad canary is rolled back once, whatever dies in the middle, and neither a good one nor one in an outage is',
    async () => {
      await until(
        'the release before is established',
        async () => /plimsoll_runs_total\{.*agent="outage".*\} [1-9]\d\d/.test(await program.metrics()),
        patienceMs,
      );
      for (const agent of agents) deployment.running.set(agent, canary);
      await until(
        'healthy canaries pass',
        async () => {
          const all = await Promise.all(agents.map(verdicts));
          return all.every(({ pass }) => pass === 1);
        },
        patienceMs,
      );
      expect(await attempts()).toEqual([]);

      failing.canary = 6;
      failing.everyone = 8;
      const killed = Promise.withResolvers<void>();
      deployment.onDone = () => {
        // It has happened, and whoever asked for it dies before he hears of it.
        void program.kill('SIGKILL').then(() => killed.resolve());
      };
      const badSinceMs = Date.now();
      await killed.promise;
      const actedMs = Date.now();
      program = await Program.start(place);
      await Promise.all(alertmanagers.map(async (each) => each.stop('SIGKILL')));
      for (const each of alertmanagers) await each.start();

      await until('it helped', async () => ofBad(await attempts())?.state === 'done', patienceMs);
      process.stdout.write(
        `from the first bad run: acted after ${actedMs - badSinceMs} ms, verified after ${Date.now() - badSinceMs} ms\n`,
      );
      await until(
        'Alertmanagers asked for it, too',
        async () => (ofBad(await attempts())?.asked_by.length ?? 0) > 1,
        patienceMs,
      );
      expect((await attempts()).map(({ agent }) => agent)).toEqual(['bad-canary']);
      expect(deployment.done).toMatchObject([{ target: 'bad-canary', from: canary, to: old }]);
      expect(await verdicts('good-canary')).toMatchObject({ pass: 1 });
      expect(await verdicts('outage')).toMatchObject({ environment: 1 });
    },
    4 * patienceMs,
  );
});
