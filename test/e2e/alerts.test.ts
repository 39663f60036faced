import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPolicy } from '../../src/policy/read-policy.ts';
import { renderedFiles } from '../../src/policy/render.ts';
import { Alertmanager } from '../alertmanager.ts';
import { freePorts } from '../free-ports.ts';
import { everySecond, Prometheus } from '../prometheus.ts';
import { requires } from '../requires.ts';
import { until } from '../until.ts';
import { sendSteadily, type Work } from './agent-runs.ts';
import { Place, Program } from './program.ts';

const missing =
  requires('prometheus', { version: '--version' }) ??
  requires('prometheus-alertmanager', { version: '--version' });

const shipped = new URL('../../config/policies/refund-agent.yaml', import.meta.url);
const objective =
  'run_success: { at_least: 0.9, period: 30d, min_events: 20, severity: sev2, burn_rates: [{ factor: 3, long_window: 1h, short_window: 5m, severity: sev2 }] }';
const patienceMs = 120_000;

/** What Alertmanager tells a webhook. */
interface Notification {
  readonly status: string;
  readonly receiver: string;
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[];
}

/** Rules that look at minutes instead of hours, and an Alertmanager that does not wait for more to tell. */
function hastened(rendered: string): string {
  return rendered
    .replaceAll('[1h]', '[1m]')
    .replaceAll('[5m]', '[15s]')
    .replaceAll(/group_wait: .*/g, 'group_wait: 1s')
    .replaceAll(/group_interval: .*/g, 'group_interval: 1s');
}

describe.skipIf(missing)(
  'a release that fails, with Prometheus and Alertmanager, which scrape and tell every second',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'plimsoll-alerts-'));
    /** How many of ten runs fail now, and how many were acknowledged. */
    const release = { failures: 0, completed: 0, failed: 0 };
    const work: Work = {
      url: () => url,
      next: () => [
        { agent: 'refund-agent', release: '1.4.0', environment: 'production', count: 10, ...release },
      ],
      acknowledged: ({ count, failures }) => {
        release.failed += failures;
        release.completed += count - failures;
      },
    };
    const told: Notification[] = [];
    let webhook: Server;
    let prometheus: Prometheus;
    let program: Program;
    let place: Place;
    let url = '';
    const stopped = new AbortController();
    let load: Promise<void> | undefined;
    /** What ends what was started, in that order. */
    const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];

    const count = async (query: string): Promise<number> => {
      const { result } = await prometheus.get<{ result: readonly { value: readonly [number, string] }[] }>(
        'query',
        { query },
      );
      return result.reduce((sum, { value }) => sum + Number(value[1]), 0);
    };

    beforeAll(async () => {
      webhook = createServer((request, response) => {
        let body = '';
        request.setEncoding('utf8').on('data', (text: string) => (body += text));
        request.on('end', () => {
          told.push(JSON.parse(body));
          response.end();
        });
      }).listen(0, '127.0.0.1');
      ends.push(() => webhook.close());
      await once(webhook, 'listening');
      const address = webhook.address();
      const hook = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`;
      const text = readFileSync(shipped, 'utf8').replace(/run_success: \{ at_least.*/, objective);
      const policy = join(folder, 'policy.yaml');
      writeFileSync(policy, text);
      const read = readPolicy(policy, text);
      if (!('read' in read)) throw new Error(JSON.stringify(read.findings));
      const receivers = ['payments-on-call', 'team-payments', 'plimsoll-operators', 'plimsoll-rollback'].map(
        (name) => ({
          name,
          webhook_configs: [{ url: `${hook}${name}`, send_resolved: true }],
        }),
      );
      for (const [name, rendered] of renderedFiles([read.read], { receivers }))
        writeFileSync(join(folder, name), hastened(rendered));
      const [alertmanagerPort = 0, metricsPort] = await freePorts(2);
      const alertmanager = new Alertmanager(folder, alertmanagerPort);
      await alertmanager.start();
      ends.push(async () => alertmanager.stop());
      place = new Place(
        `service: { policies: ["${policy}"], telemetry: { metrics: { endpoint: "127.0.0.1:${metricsPort}" } } }`,
      );
      ends.push(() => place.remove());
      program = await Program.start(place);
      ends.push(async () => program.kill('SIGKILL'));
      url = program.url('OTLP gRPC');
      prometheus = await Prometheus.start(
        everySecond({
          rules: join(folder, '*.rules.yaml'),
          alertmanagers: [alertmanager.target],
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

    const ofRuns = (status: string): readonly Notification[] =>
      told.filter(({ alerts }) =>
        alerts.some(
          (alert) => alert.status === status && alert.labels['alertname'] === 'RunSuccessSpendsBudget',
        ),
      );

    test(
      'on-call is told once, whatever is killed meanwhile, and told once that it is over',
      async () => {
        const isThere = async (): Promise<boolean> =>
          (await count('sum(plimsoll_release:run_success_all:increase1h)')) > 100;
        await until('Prometheus has seen a hundred good runs', isThere, patienceMs);
        expect(ofRuns('firing')).toEqual([]);

        release.failures = 6;
        await until('on-call is told', () => ofRuns('firing').length > 0, patienceMs);
        expect(ofRuns('firing')).toMatchObject([
          {
            receiver: 'payments-on-call',
            alerts: [
              {
                labels: {
                  severity: 'sev2',
                  policy: 'refund-agent',
                  agent: 'refund-agent',
                  release: '1.4.0',
                  environment: 'production',
                  kpi: 'run_success',
                },
              },
            ],
          },
        ]);

        await program.kill('SIGKILL');
        program = await Program.start(place);
        url = program.url('OTLP gRPC');
        const before = await count('sum(plimsoll_runs_total)');
        await until(
          'the restarted process counts on',
          async () => (await count('sum(plimsoll_runs_total)')) > before + 100,
          patienceMs,
        );
        expect(ofRuns('firing')).toHaveLength(1);
        expect(ofRuns('resolved')).toEqual([]);

        release.failures = 0;
        await until('on-call is told that it is over', () => ofRuns('resolved').length > 0, patienceMs);
        expect(ofRuns('firing')).toHaveLength(1);
        expect(ofRuns('resolved')).toHaveLength(1);
      },
      4 * patienceMs,
    );

    test(
      'Prometheus has seen no counter fall, and every run once',
      async () => {
        stopped.abort();
        await load;
        const counted = async (outcome: string): Promise<number> =>
          count(`sum(plimsoll_runs_total{outcome="${outcome}"})`);
        await until(
          'Prometheus knows every run that the table has, and those are all that were acknowledged',
          async () => {
            const [runs] = await program.query<{ failed: string; completed: string }>(
              "SELECT countIf(Outcome = 'failure') AS failed, countIf(Outcome = 'completed') AS completed FROM runs",
            );
            const [failed, completed] = [Number(runs?.failed), Number(runs?.completed)];
            const inWindow = await count('sum(plimsoll_kpi_run_success_denominator{window="1h"})');
            return (
              failed >= release.failed &&
              completed >= release.completed &&
              (await counted('failure')) === failed &&
              (await counted('completed')) === completed &&
              inWindow === failed + completed
            );
          },
          patienceMs,
        );
        expect(await count('sum(resets(plimsoll_runs_total[15m]))')).toBe(0);
      },
      patienceMs,
    );
  },
);
