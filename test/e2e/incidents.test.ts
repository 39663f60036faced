import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { encodeRequest } from '../otlp/oracle.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { changed, plain } from '../policy/policies.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

const token = 'a-token-of-this-test';

let place: Place;
let program: Program;

const policyPath = (): string => join(place.folder, 'policy.yaml');
const policy = changed(plain, { objectives: { run_success: { min_events: 10 } } });

beforeAll(async () => {
  place = new Place();
  writeFileSync(policyPath(), stringify(policy));
  place.configure(
    stringify({
      exporters: { clickhouse: { flush_interval: '100ms' } },
      extensions: { api: { token } },
      service: { policies: [policyPath()] },
    }),
  );
  program = await Program.start(place);
});
afterAll(async () => {
  await program.kill('SIGKILL');
  place.remove();
});

interface Incident {
  readonly id: string;
  readonly key: string;
  readonly state: string;
  readonly [name: string]: unknown;
}

const at = (of: Program): string => `${of.url('page, API')}/api/v1/incidents`;

async function post(
  body: unknown,
  to = program,
): Promise<{ readonly status: number; readonly incident: Incident }> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(at(to), { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, incident: JSON.parse(await response.text()) };
}

async function openIncidents(of = program): Promise<readonly Incident[]> {
  const response = await fetch(at(of));
  const answer: { readonly incidents: readonly Incident[] } = JSON.parse(await response.text());
  return answer.incidents;
}

const assesses = async (each: Program): Promise<boolean> => (await fetch(at(each))).status === 200;

/** Runs of `search-agent` that ended just now, of which every one failed. */
async function sendFailedRuns(count: number): Promise<void> {
  const now = Date.now();
  const spans = Array.from({ length: count }, () => ({
    traceId: randomBytes(16),
    spanId: randomBytes(8),
    name: 'invoke_agent search-agent',
    startTimeUnixNano: `${now - 50}000000`,
    endTimeUnixNano: `${now}000000`,
    attributes: [
      { key: 'gen_ai.operation.name', value: { stringValue: 'invoke_agent' } },
      { key: 'gen_ai.agent.name', value: { stringValue: 'search-agent' } },
      { key: 'plimsoll.run.outcome', value: { stringValue: 'failure' } },
    ],
  }));
  const attributes = Object.entries({
    'service.version': '7',
    'deployment.environment.name': 'production',
  }).map(([key, stringValue]) => ({ key, value: { stringValue } }));
  const body = encodeRequest({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] });
  const headers = { 'content-type': 'application/x-protobuf' };
  const response = await fetch(`${program.url('OTLP HTTP')}/v1/traces`, {
    method: 'POST',
    headers,
    body: Buffer.from(body),
  });
  expect(response.status).toBe(200);
}

const report = {
  key: 'double-refund',
  agent: 'refund-agent',
  release: '1.4.0',
  environment: 'production',
  severity: 'sev1',
  title: 'A refund was paid twice',
};

const labels = 'agent="refund-agent",release="1.4.0",environment="production",severity="sev1"';

describe('an incident that somebody reports', () => {
  test('outlives kill -9 from its answer on, and is in gauges, counters and rows', async () => {
    await until('somebody assesses', async () => assesses(program));
    const { status, incident } = await post(report);
    expect([status, incident.state]).toEqual([201, 'open']);
    await program.kill('SIGKILL');
    program = await Program.start(place);
    await until('somebody assesses again', async () => assesses(program));
    expect(await openIncidents()).toEqual([incident]);
    expect(await post(report)).toMatchObject({ status: 200, incident: { id: incident.id, repeats: 1 } });
    const metrics = await until('the counter, which is 0 first,', async () => {
      const said = await program.metrics();
      return said.includes(`plimsoll_incidents_opened_total{${labels}} 1\n`) && said;
    });
    expect(metrics).toContain(`plimsoll_incidents_open{${labels}} 1`);
    expect((await post({ id: incident.id, state: 'resolved' })).incident.state).toBe('resolved');
    await until('the row to say so', async () => {
      const rows = await program.query<{ key: string; is: string; of: number }>(
        'SELECT IncidentKey AS key, Resolution AS is, Repeats AS of FROM incidents_now',
      );
      return JSON.stringify(rows) === '[{"key":"double-refund","is":"api","of":1}]';
    });
    expect(await program.metrics()).toContain(`plimsoll_incidents_open{${labels}} 0`);
  });
});

test('a policy whose objective is not met opens one, once', async () => {
  await sendFailedRuns(20);
  const [incident] = await until('an incident', async () => {
    const open = await openIncidents();
    return open.length > 0 && open;
  });
  expect(incident).toMatchObject({
    key: 'policy/search-agent/run_success/search-agent/7/production',
    state: 'open',
    severity: 'sev2',
    title: 'RunSuccessSpendsBudget',
    summary:
      'search-agent 7 in production: 100% of runs ended badly; run_success must be at least 90 % over 30d.',
    owner: 'team-search',
    source: 'policy',
    kpi: 'run_success',
  });
  await sendFailedRuns(20);
  await program.kill('SIGTERM');
  program = await Program.start(place);
  await until('somebody assesses again', async () => assesses(program));
  expect(await openIncidents()).toEqual([incident]);
  const rows = await until('its row', async () => {
    const of = await program.query<{ policy: string; revision: string }>(
      "SELECT Policy AS policy, PolicyRevision AS revision FROM incidents_now WHERE Source = 'policy'",
    );
    return of.length > 0 && of;
  });
  const revisions = await program.query(
    'SELECT Policy AS policy, PolicyRevision AS revision FROM policies FINAL',
  );
  expect(rows).toEqual(revisions);
});

test('an incident is over once its policy does not cover its agent any more', async () => {
  writeFileSync(policyPath(), stringify(changed(policy, { scope: { agents: ['another-agent'] } })));
  const row = await until('it to be withdrawn', async () => {
    const [last] = await program.query<{ is: string }>(
      "SELECT Resolution AS is FROM incidents_now WHERE Source = 'policy'",
    );
    return last?.is !== '' && last;
  });
  expect(row).toEqual({ is: 'withdrawn' });
  expect(await openIncidents()).toEqual([]);
});

test('GET / lists every URL of the process', async () => {
  const list = await (await fetch(program.url('page, API'))).text();
  for (const what of ['OTLP gRPC', 'OTLP HTTP', 'metrics', 'health', 'SQL', 'page, API'] as const)
    expect(list).toContain(program.url(what));
});

describe.skipIf(kafkaMissing)('around Apache Kafka', () => {
  const brokers = testCluster(1);
  const places: Place[] = [];
  const running: Program[] = [];
  afterAll(async () => {
    await Promise.all(running.map(async (each) => each.kill('SIGKILL')));
    for (const each of places) each.remove();
  });

  test('an incident goes over to the process that stands by, which refuses it before', async () => {
    const topic = `e2e-${randomBytes(4).toString('hex')}`;
    const kafka = {
      brokers: brokers(),
      topic,
      dead_letter_topic: `${topic}-dlq`,
      runs_topic: `${topic}-runs`,
      state_topic: `${topic}-state`,
      rollback_topic: `${topic}-rollbacks`,
      replication: 1,
      partitions: 3,
      session_timeout: '6s',
      groups: { store: `${topic}-store`, assess: `${topic}-assess`, runs: `${topic}-runs` },
    };
    for (let n = 0; n < 2; n++) {
      const over = { connectors: { kafka }, extensions: { api: { token } } };
      const each = new Place(JSON.stringify(over), 'assess.yaml');
      places.push(each);
      running.push(await Program.start(each));
    }
    const active = await until('one of them to assess', async () => {
      for (const each of running) if (await assesses(each)) return each;
      return undefined;
    });
    const standby = running.find((each) => each !== active)!;
    expect((await post(report, standby)).status).toBe(503);
    // A process that was silent for a moment is not sure that it still assesses, and says so.
    const { incident } = await until('the one that assesses to take it', async () => {
      const answer = await post(report, active);
      return answer.status === 503 ? undefined : answer;
    });
    await active.kill('SIGKILL');
    await until('the other one to take over', async () => assesses(standby));
    expect(await openIncidents(standby)).toEqual([incident]);
    expect(await post({ key: report.key, state: 'resolved' }, standby)).toMatchObject({
      status: 200,
      incident: { id: incident.id, state: 'resolved' },
    });
  });
});
