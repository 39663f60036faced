import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ApiPort } from '../../src/api/api-port.ts';
import { rollbackResources } from '../../src/api/rollback-resources.ts';
import { Callers } from '../../src/core/callers.ts';
import { Failure } from '../../src/core/failure.ts';
import { createLog } from '../../src/core/log.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Executor } from '../../src/rollback/executor.ts';
import { soon } from '../stream/embedded-place.ts';
import { alertOf, notificationOf } from './alertmanager-notification.ts';
import { planWith, Site } from './site.ts';

const log = createLog('silent');
const callers = new Callers(
  ['alertmanager', 'ana', 'bo', 'eve'].map((name) => ({ name, token: new Secret(`${name}-token`) })),
  new Secret('shared-token'),
);

let site: Site;
let executor: Executor;
let api: ApiPort;
let url: string;
beforeEach(async () => {
  site = new Site();
  executor = site.executor();
  api = new ApiPort({
    host: '127.0.0.1',
    port: 0,
    configPath: 'extensions::api::endpoint',
    id: 'api',
    callers,
    resources: rollbackResources(executor, callers, log),
    incidents: {
      book: { incidents: [], open: () => never(), change: () => never(), recovered: () => never() },
      isKept: () => true,
      committed: async () => Promise.resolve(),
    },
    urls: () => [],
    clock: site.clock,
    log,
  });
  await api.start();
  url = `http://127.0.0.1:${api.port}`;
});
afterEach(async () => {
  await api.stop(soon());
  site.remove();
});

function never(): never {
  throw new Error('no incident is asked for here');
}

async function post(path: string, body: unknown, by = 'alertmanager') {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: by === '' ? {} : { authorization: `Bearer ${by}-token` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, answer: JSON.parse(await response.text()), headers: response.headers };
}

async function get(path: string, by = '') {
  const response = await fetch(`${url}${path}`, {
    headers: by === '' ? {} : { authorization: `Bearer ${by}-token` },
  });
  return { status: response.status, answer: JSON.parse(await response.text()) };
}

async function settle(): Promise<void> {
  await executor.round();
  await executor.round();
}

describe('a notification of Alertmanager', () => {
  test('that fires brings a rollback, and again the same one', async () => {
    const first = await post('/api/v1/alerts', notificationOf([alertOf({})]));
    expect(first).toMatchObject({ status: 200, answer: { alerts: [{ kind: 'accepted', release: 'v2' }] } });
    await settle();
    for (let repeats = 0; repeats < 3; repeats++)
      expect(await post('/api/v1/alerts', notificationOf([alertOf({})]))).toMatchObject({
        answer: { alerts: [{ kind: 'joined', id: first.answer.alerts[0].id }] },
      });
    expect(site.target.orders).toHaveLength(1);
    const [attempt] = executor.status(undefined).attempts;
    expect(attempt).toMatchObject({
      cause: 'alert',
      askers: ['alertmanager'],
      reason: 'ReleaseFails: refund v2 in production is worse than v1',
      evidence: { alert: { fingerprint: 'f8e7a9c0d1b2e3f4' }, receiver: 'plimsoll-rollback' },
    });
  });

  test('that is resolved is noted and is no recovery: what is verified goes on', async () => {
    site.figures.clear();
    await post('/api/v1/alerts', notificationOf([alertOf({})]));
    await settle();
    const resolved = notificationOf([alertOf({}, 'resolved')], { status: 'resolved' });
    expect(await post('/api/v1/alerts', resolved)).toMatchObject({
      status: 200,
      answer: { alerts: [], resolved: 1 },
    });
    await settle();
    expect(executor.status(undefined).attempts).toMatchObject([{ state: 'verifying' }]);
  });

  test('of alerts that ask for no rollback asks for none', async () => {
    const alerts = [alertOf({ rollback: 'off' }), { ...alertOf({}), labels: { alertname: 'Watchdog' } }];
    expect(await post('/api/v1/alerts', notificationOf(alerts))).toMatchObject({
      status: 200,
      answer: { alerts: [], others: 2, errors: [] },
    });
  });

  test('with alerts that nobody can read takes the others', async () => {
    const { release: _, ...noRelease } = alertOf({}).labels;
    const bad = [
      null,
      'alert',
      { status: 'pending', labels: {} },
      { ...alertOf({}), labels: { ...alertOf({}).labels, agent: 7 } },
      { ...alertOf({}), labels: noRelease },
      alertOf({ release: '' }),
      alertOf({ release: 'x'.repeat(257) }),
    ];
    const { status, answer } = await post('/api/v1/alerts', notificationOf([...bad, alertOf({})]));
    expect(status).toBe(200);
    expect(answer.alerts).toMatchObject([{ kind: 'accepted' }]);
    for (const index of bad.keys()) expect(answer.errors.join('\n')).toContain(`alerts.${index}`);
  });

  test('that was truncated brings somebody to look', async () => {
    expect((await post('/api/v1/alerts', notificationOf([], { truncatedAlerts: 2 }))).status).toBe(200);
    expect(site.pages).toMatchObject([{ title: 'AlertsTruncated' }]);
    site.pageFault = new Failure('unavailable', 'this process keeps no incidents');
    const truncated = notificationOf([alertOf({})], { truncatedAlerts: 2 });
    expect((await post('/api/v1/alerts', truncated)).status).toBe(503);
    await settle();
    expect(site.target.orders).toHaveLength(1); // what did come was taken
  });

  test('is refused for good where it is none of version 4', async () => {
    for (const body of [
      '',
      '{',
      '[]',
      '{}',
      notificationOf([], { version: '5' }),
      { ...notificationOf([]), alerts: 7 },
    ])
      expect((await post('/api/v1/alerts', body)).status).toBe(400);
  });

  test('is refused when it is too large, and when nobody says who sends it', async () => {
    const large = notificationOf([alertOf({ more: 'x'.repeat(2 ** 20) })]);
    expect((await post('/api/v1/alerts', large)).status).toBe(413);
    expect((await post('/api/v1/alerts', notificationOf([alertOf({})]), '')).status).toBe(401);
    expect((await post('/api/v1/alerts', notificationOf([alertOf({})]), 'mallory')).status).toBe(401);
    expect(site.journal.records).toEqual([]);
  });

  test('is to be sent again while the journal is down, and is then taken once', async () => {
    site.journal.down = new Failure('unavailable', 'the brokers are away');
    const { status, headers } = await post('/api/v1/alerts', notificationOf([alertOf({})]));
    expect([status, headers.get('retry-after')]).toEqual([503, '5']);
    site.journal.down = undefined;
    site.journal.unheard = 1;
    expect((await post('/api/v1/alerts', notificationOf([alertOf({})]))).status).toBe(503);
    expect((await post('/api/v1/alerts', notificationOf([alertOf({})]))).status).toBe(200);
    await settle();
    expect(site.target.orders).toHaveLength(1);
  });

  test('may say more than is kept of it', async () => {
    const alert = { ...alertOf({}), annotations: { summary: 'y'.repeat(20_000) } };
    const wide = { ...alertOf({ release: 'v9' }), annotations: { text: '€'.repeat(7000) } };
    expect((await post('/api/v1/alerts', notificationOf([alert]))).status).toBe(200);
    expect((await post('/api/v1/alerts', notificationOf([wide]))).status).toBe(200);
    await settle();
    for (const { payload } of site.journal.records) expect(payload.byteLength).toBeLessThan(4096);
  });
});

describe('people', () => {
  const asked = { agent: 'refund', environment: 'production', release: 'v2', reason: 'customers complain' };

  test('ask for a rollback, which another one approves with the ticket that only he sees', async () => {
    site.plan = planWith({ mode: 'approve' });
    expect((await post('/api/v1/rollbacks', asked, 'bo')).status).toBe(202);
    await settle();
    expect((await get('/api/v1/rollbacks')).answer.rollbacks).toMatchObject([
      { state: 'awaiting_approval', ticket: null, from_release: 'v2', to_release: 'v1', asked_by: ['bo'] },
    ]);
    expect((await get('/api/v1/rollbacks', 'bo')).answer.rollbacks[0].ticket).toBeNull();
    const { ticket } = (await get('/api/v1/rollbacks', 'ana')).answer.rollbacks[0];
    const path = `/api/v1/approvals/${ticket}`;
    expect((await get(path, 'ana')).answer).toMatchObject({ to_release: 'v1', policy: 'refund-agent' });
    expect((await get(path, 'eve')).status).toBe(404);
    const yes = { decision: 'approve' };
    expect((await post(path, yes, 'bo')).status).toBe(403);
    expect((await post(path, yes, 'eve')).status).toBe(403);
    expect((await post('/api/v1/approvals/x.y', yes, 'ana')).status).toBe(404);
    expect((await post(path, { decision: 'perhaps' }, 'ana')).status).toBe(400);
    expect((await post(path, yes, '')).status).toBe(401);
    expect((await post(path, yes, 'ana')).status).toBe(200);
    await settle();
    expect((await post(path, yes, 'ana')).status).toBe(409);
    expect(site.target.orders).toMatchObject([{ approvedBy: 'ana', requestedBy: 'bo' }]);
  });

  test('hear why a rollback is not to be had', async () => {
    site.plan = planWith({ mode: 'off' });
    expect(await post('/api/v1/rollbacks', asked, 'bo')).toMatchObject({
      status: 409,
      answer: { errors: ['the policy refund-agent says off'] },
    });
    expect((await post('/api/v1/rollbacks', { ...asked, mode: 'auto' }, 'bo')).status).toBe(400);
  });

  test('stop everything, and say why; resume; and close breakers', async () => {
    expect((await post('/api/v1/rollbacks/stop', {}, 'bo')).status).toBe(400);
    expect((await post('/api/v1/rollbacks/stop', { reason: 'an audit' }, 'bo')).status).toBe(200);
    expect((await get('/api/v1/rollbacks')).answer.stopped).toBe('bo stopped all rollbacks: an audit');
    expect((await post('/api/v1/rollbacks/resume', '', 'bo')).status).toBe(200);
    expect((await get('/api/v1/rollbacks')).answer.stopped).toBeNull();
    expect((await post('/api/v1/rollbacks/breaker', { scope: 'refunds' }, 'bo')).status).toBe(404);
  });

  test('may stop everything with the shared token, and ask, let it go on or review it only with one of their own', async () => {
    site.plan = planWith({ mode: 'dry_run' });
    const { id } = (await post('/api/v1/rollbacks', asked, 'bo')).answer;
    await settle();
    expect((await post('/api/v1/rollbacks/stop', { reason: 'an audit' }, 'shared')).status).toBe(200);
    for (const [path, body] of [
      ['/api/v1/rollbacks', { ...asked, release: 'v3' }],
      ['/api/v1/rollbacks/resume', {}],
      ['/api/v1/rollbacks/breaker', { scope: 'refunds' }],
      [`/api/v1/reviews/${id}`, { review: 'right' }],
    ] as const) {
      const { status, answer } = await post(path, body, 'shared');
      expect(status).toBe(403);
      expect(answer.errors).toEqual([
        'this is for people with a token of their own, and the shared one says nothing of who you are: add yourself to extensions::api::users',
      ]);
      expect((await post(path, body, 'mallory')).status).toBe(401);
    }
    expect(site.journal.events).toEqual(['requested', 'dry_run', 'stopped']);
    expect((await post('/api/v1/rollbacks/resume', {}, 'ana')).answer).toEqual({
      kind: 'taken',
      approved: 0,
      stopped: null,
    });
  });

  test('who resume hear when something else still stops everything', async () => {
    site.stopReason = 'extensions::rollback::stop is true';
    expect((await post('/api/v1/rollbacks/resume', {}, 'ana')).answer).toEqual({
      kind: 'taken',
      approved: 0,
      stopped: 'extensions::rollback::stop is true',
    });
  });

  test('say whether a dry run was right, which is listed and counted', async () => {
    site.plan = planWith({ mode: 'dry_run' });
    const { id } = (await post('/api/v1/rollbacks', asked, 'bo')).answer;
    await settle();
    for (const body of [{}, { review: 'perhaps' }, { review: 'right', note: 'x'.repeat(1001) }])
      expect((await post(`/api/v1/reviews/${id}`, body, 'ana')).status).toBe(400);
    expect((await post('/api/v1/reviews/x', { review: 'right' }, 'ana')).status).toBe(404);
    const said = { review: 'wrong', note: 'the tool was down for both' };
    expect(await post(`/api/v1/reviews/${id}`, said, 'ana')).toMatchObject({
      status: 200,
      answer: { id, state: 'dry_run', changes: null },
    });
    const changed = await post(`/api/v1/reviews/${id}`, { review: 'right' }, 'bo');
    expect(changed.answer).toMatchObject({
      changes: { ...said, by: 'ana', said: expect.stringMatching(/^2026-11-26T12:.*Z$/) },
    });
    await post(`/api/v1/reviews/${id}`, said, 'ana');
    expect((await get('/api/v1/rollbacks')).answer).toMatchObject({
      rollbacks: [{ id, review: { ...said, by: 'ana' } }],
      reviews: [{ policy: 'refund-agent', state: 'dry_run', times: 1, right: 0, wrong: 1, not_reviewed: 0 }],
    });
  });

  test('who ask for what was answered before hear how that ended, and what to do', async () => {
    expect((await post('/api/v1/rollbacks', asked, 'bo')).answer).toMatchObject({
      kind: 'accepted',
      state: 'requested',
    });
    await settle();
    expect(await post('/api/v1/rollbacks', asked, 'ana')).toMatchObject({
      status: 200,
      answer: {
        kind: 'joined',
        state: 'done',
        outcome: 'v1 meets the objective of run_success, over 100 events',
        next: expect.stringContaining('nothing is to be done; who asks from 2026-11-26T12:30:00.000Z'),
      },
    });
  });

  test('ask for a release that the target does not run, and hear so at once', async () => {
    expect(await post('/api/v1/rollbacks', { ...asked, release: 'v9' }, 'bo')).toMatchObject({
      status: 409,
      answer: { errors: ['refunds runs v2, and not v9: name the release that is to go'] },
    });
  });

  test('approve what needs two of them, and hear for whom it waits', async () => {
    site.plan = planWith({ mode: 'auto', approvers: ['ana', 'bo', 'eve'] });
    site.approvals = 2;
    await post('/api/v1/rollbacks', asked, 'bo');
    await settle();
    const { ticket } = (await get('/api/v1/rollbacks', 'ana')).answer.rollbacks[0];
    const yes = { decision: 'approve' };
    expect((await post(`/api/v1/approvals/${ticket}`, yes, 'ana')).answer).toMatchObject({
      kind: 'taken',
      state: 'awaiting_approval',
      next: expect.stringContaining('1 of 2 approved, by ana; it waits until'),
    });
    expect((await get('/api/v1/rollbacks')).answer.rollbacks).toMatchObject([
      { approvals: 2, approved_by: ['ana'] },
    ]);
    expect((await post(`/api/v1/approvals/${ticket}`, yes, 'ana')).status).toBe(409);
    expect((await post(`/api/v1/approvals/${ticket}`, yes, 'eve')).answer).toMatchObject({
      state: 'approved',
    });
    await settle();
    expect(site.target.orders).toMatchObject([{ approvedBy: 'ana, eve' }]);
  });

  test('leave the record of a drill', async () => {
    const drill = {
      policy: 'refund-agent',
      scenario: 'tool-errors',
      environment: 'drill:production',
      passed: true,
      started: '2026-11-26T11:00:00Z',
      ended: '2026-11-26T11:20:00Z',
      evidence: { seconds: { verdict: 40 } },
    };
    expect((await post('/api/v1/drills', drill, 'bo')).status).toBe(201);
    expect(site.journal.bodies).toMatchObject([{ event: 'drilled', by: 'bo' }]);
    expect((await post('/api/v1/drills', { ...drill, ended: 'now' }, 'bo')).status).toBe(400);
    const large = { ...drill, evidence: { text: 'é'.repeat(9000) } };
    expect(await post('/api/v1/drills', large, 'bo')).toMatchObject({
      status: 400,
      answer: { errors: ['evidence: must be no more than 16384 bytes of JSON'] },
    });
    for (const scenario of ['a b', 'x'.repeat(101), ''])
      expect((await post('/api/v1/drills', { ...drill, scenario }, 'bo')).status).toBe(400);
    expect((await post('/api/v1/drills', { ...drill, policy: 'invented' }, 'bo')).status).toBe(404);
    expect(site.journal.records).toHaveLength(1);
  });
});
