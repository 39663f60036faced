import { afterEach, beforeEach, expect, test } from 'vitest';
import { minuteMs, planWith, requestWith, Site } from './site.ts';

let site: Site;
beforeEach(() => {
  site = new Site();
  site.plan = planWith({ mode: 'dry_run', cooldownMs: 1 });
});
afterEach(() => site.remove());

type Executor = ReturnType<Site['executor']>;

/** Asks to take `release` back, and resolves with the id of the attempt when it is as far as it goes. */
async function attemptOf(executor: Executor, release: string, environment = 'production'): Promise<string> {
  site.clock.advance(minuteMs);
  site.target.release = release;
  const outcome = await executor.request(requestWith({ release, environment }));
  await executor.round();
  await executor.round();
  return 'id' in outcome ? outcome.id : '';
}

function gauge(executor: Executor): readonly (readonly [string, number])[] {
  const family = executor.families().find(({ name }) => name === 'plimsoll_rollback_reviews');
  return (family?.samples ?? []).map(({ labels, value }) => [
    labels.map(([, text]) => text).join(' '),
    value,
  ]);
}

test('people say of what would have been done whether it was right, and it is counted by policy', async () => {
  const executor = site.executor();
  const ids = [];
  for (const release of ['v2', 'v3', 'v4', 'v5', 'v6']) ids.push(await attemptOf(executor, release));
  expect(executor.status(undefined).attempts[0]?.next).toBe(
    `nothing was done; say whether it was right: plimsoll rollback review ${ids[0]} --right|--wrong`,
  );
  for (const id of ids.slice(0, 3))
    expect(await executor.decisions.review(id, 'ana', 'right', '')).toEqual({ kind: 'taken', id });
  await executor.decisions.review(ids[3]!, 'bo', 'wrong', 'the tool was down for both');
  const expected = [{ policy: 'refund-agent', state: 'dry_run', times: 5, right: 3, wrong: 1 }];
  expect(executor.status(undefined).reviews).toEqual(expected);
  expect(gauge(executor)).toEqual([
    ['refund-agent dry_run right', 3],
    ['refund-agent dry_run wrong', 1],
    ['refund-agent dry_run none', 1],
  ]);
  const restarted = site.executor();
  await restarted.round();
  expect(restarted.status(undefined).reviews).toEqual(expected);
  expect(restarted.status(undefined).attempts[3]?.review).toEqual({
    review: 'wrong',
    by: 'bo',
    note: 'the tool was down for both',
    saidMs: expect.any(Number),
  });
});

test('what was said last of a rollback stands, and the same again is not kept again', async () => {
  const executor = site.executor();
  const id = await attemptOf(executor, 'v2');
  for (const review of ['right', 'right', 'wrong', 'wrong'] as const)
    await executor.decisions.review(id, 'ana', review, '');
  expect(executor.status(undefined).reviews).toMatchObject([{ times: 1, right: 0, wrong: 1 }]);
  expect(site.journal.events.filter((event) => event === 'reviewed')).toHaveLength(2);
});

test('who changes what somebody said before hears so', async () => {
  const executor = site.executor();
  const id = await attemptOf(executor, 'v2');
  const saidMs = site.clock.nowMs();
  expect(await executor.decisions.review(id, 'ana', 'right', 'as it was')).toEqual({ kind: 'taken', id });
  site.clock.advance(minuteMs);
  expect(await executor.decisions.review(id, 'bo', 'wrong', '')).toEqual({
    kind: 'taken',
    id,
    changes: { review: 'right', by: 'ana', note: 'as it was', saidMs },
  });
  expect(await executor.decisions.review(id, 'bo', 'wrong', '')).toEqual({ kind: 'taken', id });
});

test('a rollback that was done, or failed, can be found right or wrong, too; one that is under way cannot', async () => {
  site.plan = planWith({ cooldownMs: 1 });
  const executor = site.executor();
  const done = await attemptOf(executor, 'v2');
  await executor.decisions.review(done, 'ana', 'right', '');
  site.figures.set('v1', { meets: false, events: 100 });
  const open = await attemptOf(executor, 'v3');
  expect(await executor.decisions.review(open, 'ana', 'right', '')).toEqual({
    kind: 'over',
    reason: `the rollback ${open} is verifying: review it when it is over`,
  });
  site.clock.advance(20 * minuteMs);
  await executor.round();
  await executor.decisions.review(open, 'ana', 'wrong', '');
  expect(executor.status(undefined).reviews).toEqual([
    { policy: 'refund-agent', state: 'done', times: 1, right: 1, wrong: 0 },
    { policy: 'refund-agent', state: 'failed', times: 1, right: 0, wrong: 1 },
  ]);
  expect(await executor.decisions.review('nothing-1', 'ana', 'right', '')).toMatchObject({
    kind: 'unknown',
  });
});

test('what would not have been done, and rehearsals, are not counted', async () => {
  const executor = site.executor();
  await attemptOf(executor, 'v2', 'drill:production');
  site.destinations = [];
  const id = await attemptOf(executor, 'v3');
  await executor.decisions.review(id, 'ana', 'right', '');
  expect(executor.status(undefined).reviews).toEqual([]);
  expect(executor.status(undefined).attempts[1]?.review).toMatchObject({ review: 'right' });
});
