import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { gateResource } from '../../src/api/gate-resource.ts';
import { HttpEndpoint } from '../../src/core/http-endpoint.ts';
import type { Standing } from '../../src/judge/standing.ts';
import type { MetricFamily } from '../../src/policy/kpi-figures.ts';
import { canary, policyFile } from '../policy/policies.ts';

const file = policyFile({
  scope: { agents: ['search-agent'], environments: ['production', 'staging'] },
  gates: { canary, staging: { min_runs: 50, at_least: { run_success: 0.85 } } },
});
const noon = Date.UTC(2026, 10, 26, 12);

const standing: Standing = {
  agent: 'search-agent',
  environment: 'production',
  release: '2',
  policy: 'search-agent',
  revision: 'aaaaaaaaaaaa',
  baseline: '1',
  verdict: 'inconclusive',
  action: 'none',
  isRunning: true,
  reason: 'nothing is sure yet',
  startedMs: noon,
  decidedMs: undefined,
  starts: 1,
  units: { candidate: { open: 2, settled: 20 }, baseline: { open: 3, settled: 180 } },
  tests: [
    { kpi: 'run_success', test: 'worse', logEvidence: Math.log(4), pauseAt: 3, rollbackAt: 4.6 },
    { kpi: 'run_success', test: 'floor', logEvidence: 4000 },
  ],
  splitDispersion: undefined,
  splitLogEvidence: 0,
};

interface Api {
  url: string;
  standings: readonly Standing[] | undefined;
  kpis: readonly MetricFamily[];
  awaited: Readonly<Record<string, number>>;
}

const started: HttpEndpoint[] = [];

async function apiOf(...standings: readonly Partial<Standing>[]): Promise<Api> {
  const api: Api = {
    url: '',
    standings: standings.map((more) => ({ ...standing, ...more })),
    kpis: [] as readonly MetricFamily[],
    awaited: {},
  };
  const gate = gateResource({
    standings: () => api.standings,
    policies: () => [policyFile({ metadata: { name: 'other' }, scope: { agents: ['*'] } }), file],
    kpis: () => api.kpis,
    awaitedMs: (...names) => api.awaited[names.join(' ')],
  });
  const address = { host: '127.0.0.1', port: 0, configPath: 'extensions::api::endpoint' };
  const endpoint = new HttpEndpoint('api', address, { '/api/v1/gate/*': gate }, pino({ level: 'silent' }));
  await endpoint.start();
  started.push(endpoint);
  api.url = `http://127.0.0.1:${endpoint.port}/api/v1/gate/`;
  return api;
}

afterEach(async () => {
  for (const endpoint of started.splice(0)) await endpoint.stop(AbortSignal.timeout(1000));
});

interface Answered {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function answered(response: Response): Promise<Answered> {
  const body: Record<string, unknown> = JSON.parse(await response.text());
  expect(response.headers.get('content-type')).toBe('application/json');
  return { status: response.status, body };
}

const get = async ({ url }: Api, path: string): Promise<Answered> => answered(await fetch(url + path));

/** As Flagger posts it: the type of the hook stands in the metadata, which are the user's own. */
async function flagger({ url }: Api, hook: string | undefined, more = {}): Promise<Answered> {
  const metadata = { ...(hook !== undefined && { hook }), release: '2', environment: 'production', ...more };
  const payload = { name: 'search', namespace: 'agents', phase: 'Progressing', checksum: '85d5', metadata };
  return answered(await fetch(`${url}search-agent`, { method: 'POST', body: JSON.stringify(payload) }));
}

const asked = 'search-agent?release=2&environment=production';

describe('a gate tells Argo', () => {
  test('the verdict, why, and of how much evidence', async () => {
    expect(await get(await apiOf({}), asked)).toEqual({
      status: 200,
      body: {
        verdict: 'inconclusive',
        action: 'none',
        reason: 'nothing is sure yet',
        policy: 'search-agent',
        policy_revision: 'aaaaaaaaaaaa',
        gate: 'canary',
        agent: 'search-agent',
        environment: 'production',
        release: '2',
        baseline: '1',
        started: '2026-11-26T12:00:00.000Z',
        decided: null,
        starts: 1,
        units: standing.units,
        tests: [
          {
            kpi: 'run_success',
            test: 'worse',
            e_value: 4,
            log_evidence: Math.log(4),
            log_evidence_at: { pause: 3, rollback: 4.6 },
            detectable_drop: null,
          },
          {
            kpi: 'run_success',
            test: 'floor',
            e_value: Math.exp(700),
            log_evidence: 4000,
            log_evidence_at: {},
            detectable_drop: null,
          },
        ],
      },
    });
  });

  test.each(['pass', 'fail', 'inconclusive', 'environment'] as const)(
    'of the release itself: %s',
    async (verdict) => {
      const others = [
        { release: '3', verdict: 'pass' },
        { environment: 'staging', verdict: 'pass' },
        { environment: 'drill:production', verdict: 'pass' },
        { agent: 'other', verdict: 'pass' },
        { policy: 'other', verdict: 'pass' },
      ] as const;
      const api = await apiOf(...others, { verdict });
      expect((await get(api, asked)).body['verdict']).toBe(verdict);
    },
  );

  test.each<[string, string, number, string]>([
    [
      'a release that nobody saw',
      'search-agent?release=9&environment=production',
      200,
      'nothing is judged of search-agent 9 in production',
    ],
    [
      'a policy that there is not',
      'serach-agent?release=2&environment=production',
      404,
      'no policy serach-agent is in use (only other, search-agent): correct the name',
    ],
    ['a gate that the policy has not', 'other?release=2&agent=a', 404, 'the policy other has no gate canary'],
    ['no release', 'search-agent?environment=production', 400, 'release: is missing'],
    [
      'no environment, of several',
      'search-agent?release=2',
      400,
      'environment: is missing: name one that search-agent covers (production, staging)',
    ],
    ['no agent, of any', 'other?release=2', 400, 'agent: is missing'],
    [
      'an environment of others',
      'search-agent?release=2&environment=test',
      400,
      'search-agent does not cover search-agent in test',
    ],
    ['a gate that is none', `${asked}&gate=offline`, 400, 'gate: must be canary or staging'],
  ])('that nothing is sure when asked for %s', async (_, path, status, reason) => {
    const api = await apiOf({ verdict: 'pass', action: 'promote' });
    expect(await get(api, path)).toMatchObject({
      status,
      body: { verdict: 'inconclusive', action: 'none', reason: expect.stringContaining(reason) },
    });
  });

  test('that a release is known and not judged yet, and from when it is', async () => {
    const api = await apiOf();
    api.awaited = { 'search-agent production 2': noon + 90_000 };
    expect((await get(api, asked)).body).toMatchObject({
      verdict: 'inconclusive',
      action: 'none',
      reason:
        'search-agent 2 in production is known, and not judged yet: it is from 2026-11-26T12:01:30.000Z on, when the tick of its first runs is closed',
    });
    expect((await get(api, 'search-agent?release=1&environment=production')).body['reason']).toContain(
      'nothing is judged of search-agent 1 in production',
    );
  });

  test('that nothing is sure in a process that stands by', async () => {
    const api = await apiOf({ verdict: 'pass' });
    api.standings = undefined;
    const body = { verdict: 'inconclusive', action: 'none' };
    expect(await get(api, asked)).toMatchObject({ status: 503, body });
    expect(await get(api, 'search-agent?release=2&environment=staging&gate=staging')).toMatchObject({
      status: 503,
      body,
    });
  });

  test('what a rehearsal stands at, apart from what is real', async () => {
    const api = await apiOf({ environment: 'drill:production', verdict: 'fail' });
    expect((await get(api, 'search-agent?release=2&environment=drill:production')).body['verdict']).toBe(
      'fail',
    );
    expect((await get(api, asked)).body['verdict']).toBe('inconclusive');
  });

  test('whether the release is sound in staging', async () => {
    const api = await apiOf();
    const path = 'search-agent?release=2&environment=staging&gate=staging';
    expect((await get(api, path)).body).toMatchObject({
      verdict: 'inconclusive',
      reason: '0 runs are too few, 50 are asked for',
    });
    const labels = Object.entries({
      agent: 'search-agent',
      release: '2',
      environment: 'staging',
      window: '1h',
    });
    const gauges = (good: number, runs: number): readonly MetricFamily[] => [
      { name: 'plimsoll_kpi_run_success_numerator', samples: [{ labels, value: good }] },
      { name: 'plimsoll_kpi_run_success_denominator', samples: [{ labels, value: runs }] },
    ];
    api.kpis = gauges(45, 50);
    expect((await get(api, path)).body).toMatchObject({
      verdict: 'pass',
      action: 'promote',
      runs: 50,
      figures: { run_success: 0.9 },
      events: { run_success: 50 },
    });
    api.kpis = gauges(40, 50);
    expect((await get(api, path)).body).toMatchObject({ verdict: 'fail', action: 'none' });
  });
});

describe('a webhook of Flagger', () => {
  const states = {
    pass: { verdict: 'pass', action: 'promote' },
    fail: { verdict: 'fail', action: 'rollback' },
    waits: { verdict: 'inconclusive', action: 'none' },
    pauses: { verdict: 'inconclusive', action: 'pause' },
    environment: { verdict: 'environment', action: 'pause' },
    overdue: { verdict: 'inconclusive', action: 'rollback' },
  } as const;

  test.each<[string, readonly (keyof typeof states)[]]>([
    ['rollback', ['fail', 'overdue']],
    ['confirm-promotion', ['pass']],
    ['confirm-traffic-increase', ['pass', 'waits']],
    ['confirm-rollout', ['pass', 'waits']],
    ['pre-rollout', ['pass', 'waits', 'pauses', 'environment']],
    ['rollout', ['pass', 'waits', 'pauses', 'environment']],
  ])('%s goes on when the release is at %j, and else does not', async (hook, goesOn) => {
    for (const [name, state] of Object.entries(states)) {
      const { status, body } = await flagger(await apiOf(state), hook);
      expect([name, status]).toEqual([name, goesOn.some((each) => each === name) ? 200 : 409]);
      expect(body).toMatchObject(state);
    }
  });

  test('neither promotes nor rolls back a release that nobody saw, nor where nobody assesses', async () => {
    const api = await apiOf();
    for (const hook of ['rollback', 'confirm-promotion']) expect((await flagger(api, hook)).status).toBe(409);
    api.standings = undefined;
    for (const hook of ['rollback', 'confirm-promotion']) expect((await flagger(api, hook)).status).toBe(503);
  });

  test('before the rollout waits until staging passed', async () => {
    const api = await apiOf();
    const more = { gate: 'staging', environment: 'staging' };
    expect((await flagger(api, 'confirm-rollout', more)).status).toBe(409);
  });

  test('is told that a body is no JSON, and not that something of it is missing', async () => {
    const { url } = await apiOf({});
    const response = await fetch(`${url}search-agent`, { method: 'POST', body: 'release=2' });
    expect(await answered(response)).toMatchObject({
      status: 400,
      body: { verdict: 'inconclusive', reason: 'the body is no JSON' },
    });
  });

  test('may say what it asks in its URL', async () => {
    const { url } = await apiOf(states.fail);
    const response = await fetch(`${url}${asked}&hook=rollback`, { method: 'POST' });
    expect(await answered(response)).toMatchObject({ status: 200, body: states.fail });
  });

  test.each<[string, string | undefined, string]>([
    ['does not say which it is', undefined, '{}'],
    ['is one of those that decide nothing', 'post-rollout', '{}'],
    ['is no JSON', 'rollback', '{'],
    ['has metadata that are none', 'rollback', '{"metadata":["a"]}'],
  ])('that %s is refused, and rolls nothing back', async (_, hook, body) => {
    const { url } = await apiOf(states.fail);
    const query = hook === undefined ? asked : `${asked}&hook=${hook}`;
    const found = await answered(await fetch(`${url}${query}`, { method: 'POST', body }));
    expect(found).toMatchObject({ status: 400, body: { verdict: 'inconclusive', action: 'none' } });
  });

  test('that is too large is refused', async () => {
    const { url } = await apiOf();
    const body = JSON.stringify({ metadata: { a: 'x'.repeat(70_000) } });
    expect((await fetch(`${url}search-agent`, { method: 'POST', body })).status).toBe(413);
  });
});
