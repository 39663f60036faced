import { describe, expect, it } from 'vitest';
import { ByteBudget } from '../../src/core/budget.ts';
import { Secret } from '../../src/core/secret.ts';
import { Admission } from '../../src/receiver/admission.ts';

const never = new AbortController().signal;

function admission(tokens: readonly string[] = [], maxWaitMs = 5000) {
  const budget = new ByteBudget(100);
  return {
    budget,
    admission: new Admission({
      budget,
      limitBytes: 100,
      maxWaitMs,
      tokens: tokens.map((token) => ({ token: new Secret(token) })),
    }),
  };
}

describe('the door', () => {
  it.each([
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'right',
    'Bearer wrong',
    'Bearer right wrong',
    'Basic right',
    'Bearer rightX',
    'xBearer right',
  ])('stays shut for %j', (authorization) => {
    expect(() => admission(['right']).admission.authenticate(authorization)).toThrow(
      expect.objectContaining({ reason: 'unauthenticated' }),
    );
  });

  it.each(['Bearer right', 'bearer other', 'BEARER  right '])('opens for %j', (authorization) => {
    expect(() => admission(['right', 'other']).admission.authenticate(authorization)).not.toThrow();
  });

  it('stands open when no token is set', () => {
    expect(() => admission().admission.authenticate(undefined)).not.toThrow();
  });
});

describe('the wait for room', () => {
  it('is bounded by what the deadline of the sender leaves', async () => {
    const { admission: door, budget } = admission([], 60_000);
    await budget.acquire(100, 0, never);
    await expect(door.lease(1, 10, never)).rejects.toMatchObject({
      kind: 'overloaded',
      message: /within 8 ms/,
    });
  });

  it('is bounded by the config', async () => {
    const { admission: door, budget } = admission([], 5);
    await budget.acquire(100, 0, never);
    await expect(door.lease(1, Infinity, never)).rejects.toMatchObject({
      kind: 'overloaded',
      message: /within 5 ms/,
    });
  });

  it('does not happen while there is room', async () => {
    const { admission: door } = admission();
    const lease = door.leaseNow(60);
    expect([door.leaseNow(41), door.leaseNow(40)]).toEqual([undefined, expect.anything()]);
    lease?.release();
    expect(door.leaseNow(60)).toBeDefined();
  });
});
