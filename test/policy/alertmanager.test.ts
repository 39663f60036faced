import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { requires } from '../requires.ts';
import { until } from '../until.ts';
import { policyFile, rendered } from './policies.ts';

const missing = requires('prometheus-alertmanager', { version: '--version' });

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly status: { readonly state: string; readonly inhibitedBy: readonly string[] };
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

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plimsoll-alertmanager-'));
    for (const [name, text] of rendered(policyFile())) writeFileSync(join(folder, name), text);
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
    await fire({ alertname: 'PlimsollWatermarkStale', severity: 'sev2', owner: 'plimsoll-operators' });
    await become({
      'RunSuccessSpendsBudget sev2 2.0.0': 'suppressed',
      'RunSuccessSpendsBudget sev3 2.0.0': 'suppressed',
      'RunSuccessSpendsBudget sev3 1.9.0': 'suppressed',
      'PlimsollStoreNotFlowing sev2': 'active',
      'PlimsollDeadLetters sev4': 'active',
      'PlimsollWatermarkStale sev2': 'active',
    });
  });
});
