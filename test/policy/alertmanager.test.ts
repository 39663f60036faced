import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { requires } from '../requires.ts';
import { until } from '../until.ts';
import { receiverNames } from '../../src/policy/alertmanager.ts';
import { renderedFiles } from '../../src/policy/render.ts';
import { canary, policyFile, rollback } from './policies.ts';

const missing = requires('prometheus-alertmanager', { version: '--version' });

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: { readonly state: string; readonly inhibitedBy: readonly string[] };
}

interface Told {
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly alerts: readonly { readonly labels: Readonly<Record<string, string>> }[];
}

const release = {
  owner: 'team-search',
  policy: 'search-agent',
  kpi: 'run_success',
  agent: 'search-agent',
  release: '2.0.0',
  environment: 'production',
};
const grave = { ...release, alertname: 'RunSuccessSpendsBudget', severity: 'sev2' };
const slow = { ...grave, severity: 'sev3' };

describe.skipIf(missing)('Alertmanager', () => {
  let folder: string;
  let url: string;
  let child: ChildProcess;
  let executor: Server;
  /** What the executor was told. */
  const told: Told[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plimsoll-alertmanager-'));
    executor = createServer((request, response) => {
      void text(request).then((body) => {
        told.push(JSON.parse(body));
        return response.end();
      });
    });
    executor.listen(0, '127.0.0.1');
    await once(executor, 'listening');
    const { port: own } = executor.address() as AddressInfo; // oxlint-disable-line typescript/no-unsafe-type-assertion -- it listens on a port
    const file = policyFile({ gates: { canary }, rollback });
    const receivers = receiverNames([file]).map((name) => ({
      name,
      ...(name === 'plimsoll-rollback' && { webhook_configs: [{ url: `http://127.0.0.1:${own}/` }] }),
    }));
    for (const [name, written] of renderedFiles([file], { receivers }))
      writeFileSync(join(folder, name), written);
    const [port] = await freePorts(1);
    url = `http://127.0.0.1:${port}`;
    child = spawn(
      'prometheus-alertmanager',
      [
        '--config.file=alertmanager.yaml',
        '--storage.path=data',
        '--cluster.listen-address=',
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { cwd: folder, stdio: 'ignore' },
    );
    await until('Alertmanager is ready', async () => (await fetch(`${url}/-/ready`)).ok);
  });

  afterAll(async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
    executor.close();
    rmSync(folder, { recursive: true });
  });

  const fire = async (...alerts: readonly Readonly<Record<string, string>>[]): Promise<void> => {
    const response = await fetch(`${url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts.map((labels) => ({ labels }))),
    });
    expect(response.status).toBe(200);
  };

  const end = async (...alerts: readonly Readonly<Record<string, string>>[]): Promise<void> => {
    const endsAt = new Date().toISOString();
    const response = await fetch(`${url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(alerts.map((labels) => ({ labels, endsAt }))),
    });
    expect(response.status).toBe(200);
  };

  /** Resolves when Alertmanager says of the firing alerts, by name, severity and release, that these are their states. */
  const become = async (states: Readonly<Record<string, string>>): Promise<unknown> =>
    until('the alerts have these states', async () => {
      const alerts: readonly Alert[] = JSON.parse(await (await fetch(`${url}/api/v2/alerts`)).text());
      const named = alerts.map(({ labels, status }) => [
        [labels['alertname'], labels['severity'], labels['release']].filter(Boolean).join(' '),
        status.state,
      ]);
      expect(Object.fromEntries(named)).toEqual(states);
      return true;
    });

  test('the executor is told of each release that fails, on its own and at once, and of nothing else', async () => {
    const { kpi: _, ...of } = release;
    const fails = { ...of, alertname: 'ReleaseFails', severity: 'sev2', rollback: 'auto' };
    const pauses = { ...of, alertname: 'ReleasePauses', severity: 'sev2' };
    const rehearsed = { ...fails, environment: 'drill:production#7' };
    await fire(pauses, fails, { ...fails, release: '1.9.0' }, rehearsed);
    await until('the executor is told', async () => {
      expect(told).toHaveLength(3);
      return true;
    });
    const labels = ['agent', 'release', 'environment'] as const;
    const subjects = told.map(({ groupLabels, alerts }) => {
      expect(alerts.map((alert) => alert.labels['alertname'])).toEqual(['ReleaseFails']);
      expect(Object.keys(groupLabels).toSorted()).toEqual(labels.toSorted());
      return labels.map((label) => groupLabels[label]).join(' ');
    });
    expect(subjects.toSorted()).toEqual([
      'search-agent 1.9.0 production',
      'search-agent 2.0.0 drill:production#7',
      'search-agent 2.0.0 production',
    ]);
    await end(pauses, fails, { ...fails, release: '1.9.0' }, rehearsed);
  });

  test('a release that fails is not told as undecided, too, and no alert on a drill hides one on the pipeline', async () => {
    const { kpi: _, ...of } = release;
    const fails = { ...of, alertname: 'ReleaseFails', severity: 'sev2' };
    const undecided = { ...of, alertname: 'ReleaseUndecided', severity: 'sev3' };
    const { owner, policy } = release;
    const alerts = [
      fails,
      undecided,
      { ...undecided, release: '1.9.0' },
      slow,
      { alertname: 'DrillOverdue', severity: 'sev3', owner, policy },
      { alertname: 'PlimsollPolicyDiffers', severity: 'sev4', owner: 'plimsoll-operators', policy },
    ];
    await fire(...alerts);
    await become({
      'ReleaseFails sev2 2.0.0': 'active',
      'ReleaseUndecided sev3 2.0.0': 'suppressed',
      'ReleaseUndecided sev3 1.9.0': 'active',
      'RunSuccessSpendsBudget sev3 2.0.0': 'active',
      'DrillOverdue sev3': 'active',
      'PlimsollPolicyDiffers sev4': 'active',
    });
    await end(...alerts);
  });

  test('of one objective of one release it tells the gravest alert alone, and nothing of releases while the KPIs stand still', async () => {
    await fire(grave, slow, { ...slow, release: '1.9.0' });
    await fire({
      alertname: 'PlimsollStoreNotFlowing',
      severity: 'sev2',
      owner: 'plimsoll-operators',
      partition: '0',
    });
    await fire({ alertname: 'PlimsollDeadLetters', severity: 'sev4', owner: 'plimsoll-operators' });
    await become({
      'RunSuccessSpendsBudget sev2 2.0.0': 'active',
      'RunSuccessSpendsBudget sev3 2.0.0': 'suppressed',
      'RunSuccessSpendsBudget sev3 1.9.0': 'active',
      'PlimsollStoreNotFlowing sev2': 'active',
      'PlimsollDeadLetters sev4': 'active',
    });
    await fire({ ...grave, alertname: 'ReleaseFails', rollback: 'auto', release: '1.8.0' });
    await fire({ alertname: 'PlimsollWatermarkStale', severity: 'sev2', owner: 'plimsoll-operators' });
    await become({
      'ReleaseFails sev2 1.8.0': 'suppressed',
      'RunSuccessSpendsBudget sev2 2.0.0': 'suppressed',
      'RunSuccessSpendsBudget sev3 2.0.0': 'suppressed',
      'RunSuccessSpendsBudget sev3 1.9.0': 'suppressed',
      'PlimsollStoreNotFlowing sev2': 'active',
      'PlimsollDeadLetters sev4': 'active',
      'PlimsollWatermarkStale sev2': 'active',
    });
  });
});
