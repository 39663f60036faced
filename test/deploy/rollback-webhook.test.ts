import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { Secret } from '../../src/core/secret.ts';
import type { RollbackOrder } from '../../src/rollback/target-adapter.ts';
import { WebhookAdapter } from '../../src/rollback/webhook-adapter.ts';
import { freePorts } from '../free-ports.ts';
import { until } from '../until.ts';

const file = new URL('../../deploy/rollback-webhook.mjs', import.meta.url).pathname;
const secret = 'a secret of sixteen';

const order: RollbackOrder = {
  id: 'attempt-1',
  target: 'refunds',
  agent: 'refund-agent',
  environment: 'production',
  from: '1.5.0-rc1',
  to: '1.4.0',
  policy: 'refund-agent',
  revision: 'abc',
  reason: 'run_success is worse',
  requestedBy: 'judge',
  approvedBy: '',
};

test('the shipped webhook does a signed order once, however often it comes, and no other', async () => {
  const [port] = await freePorts(1);
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, SECRET: secret, PORT: String(port), RELEASE: '1.5.0-rc1' },
    stdio: 'ignore',
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const url = `http://127.0.0.1:${port}`;
  const targetWith = (text: string): WebhookAdapter =>
    new WebhookAdapter(
      {
        url,
        currentUrl: url,
        secret: new Secret(text),
        token: undefined,
        isRepeatable: true,
        timeoutMs: 10_000,
        ca: undefined,
      },
      systemClock,
    );
  const target = targetWith(secret);
  await until('it listens', async () => (await target.current()).kind === 'known');
  expect((await targetWith('another secret of theirs').rollBack(order)).kind).toBe('refused');
  expect(await target.current()).toEqual({ kind: 'known', release: '1.5.0-rc1' });
  expect((await target.rollBack(order)).kind).toBe('done');
  expect((await target.rollBack(order)).kind).toBe('done');
  expect(await target.current()).toEqual({ kind: 'known', release: '1.4.0' });
  expect((await target.rollBack({ ...order, id: 'attempt-2' })).kind).toBe('moved');
});
