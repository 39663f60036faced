import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hourMs, minuteMs, planWith, requestWith, Site } from './site.ts';

let site: Site;
beforeEach(() => (site = new Site()));
afterEach(() => site.remove());

type Executor = ReturnType<Site['executor']>;

async function ask(executor: Executor, changes: Parameters<typeof requestWith>[0] = {}) {
  const outcome = await executor.request(requestWith(changes));
  await executor.round();
  await executor.round();
  return outcome;
}

function next(executor: Executor): string | undefined {
  return executor.status(undefined).attempts.at(-1)?.next;
}

const byAna = { cause: 'human', requestedBy: 'ana' } as const;

describe('what a person asks for', () => {
  test('is refused at once where the target says that it runs another release', async () => {
    const executor = site.executor();
    expect(await executor.request(requestWith({ ...byAna, release: 'v9' }))).toEqual({
      kind: 'ignored',
      reason: 'refunds runs v2, and not v9: name the release that is to go',
    });
    expect(site.journal.events).toEqual([]);
    expect(await executor.request(requestWith({ ...byAna, release: 'v2' }))).toMatchObject({
      kind: 'accepted',
    });
  });

  test('is taken where the target cannot say, or cannot be asked now, or does what was asked for', async () => {
    const executor = site.executor();
    site.target.release = undefined;
    expect(await executor.request(requestWith({ ...byAna, release: 'v7' }))).toMatchObject({
      kind: 'accepted',
    });
    site.target.unreachable = 'down';
    expect(await executor.request(requestWith({ ...byAna, release: 'v8' }))).toMatchObject({
      kind: 'accepted',
    });
    site.target.unreachable = undefined;
    site.target.release = 'v1';
    expect(await executor.request(requestWith({ ...byAna, release: 'v7' }))).toMatchObject({
      kind: 'joined',
    });
  });

  test('of a release that nobody saw says so', async () => {
    site.target.release = undefined;
    site.plan = planWith({ mode: 'approve' });
    const executor = site.executor();
    await ask(executor, { ...byAna, release: 'v9' });
    expect(next(executor)).toContain('nothing was seen of refund v9 in production lately: is that its name?');
    site.figures.set('v9', { meets: false, events: 1 });
    expect(next(executor)).not.toContain('nothing was seen');
    site.figures.clear();
    expect(next(executor)).not.toContain('nothing was seen'); // nobody can say
  });
});

describe('of an attempt that is over it is said what to do', () => {
  test('when it was done: nothing, until the target runs the release again', async () => {
    const executor = site.executor();
    await ask(executor);
    expect(next(executor)).toBe(
      'nothing is to be done; who asks from 2026-11-26T12:30:00.000Z on begins it anew, if refunds runs v2 then',
    );
    site.clock.advance(30 * minuteMs - 1);
    expect(await ask(executor)).toMatchObject({ kind: 'joined', state: 'done' });
    site.target.release = 'v2';
    site.clock.advance(minuteMs);
    expect(await ask(executor)).toMatchObject({ kind: 'accepted' });
  });

  test('when it expired: to ask again, and from when on', async () => {
    site.plan = planWith({ mode: 'approve' });
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(hourMs);
    await executor.round();
    expect(next(executor)).toBe('ask again from 2026-11-26T13:30:00.000Z on, if v2 is still to go');
    site.clock.advance(30 * minuteMs - 1);
    expect(await ask(executor)).toMatchObject({ kind: 'joined', state: 'expired' });
    site.clock.advance(1);
    expect(await ask(executor)).toMatchObject({ kind: 'accepted' });
  });

  test.each([
    {
      what: 'no release to go back to',
      given: () => (site.destinations = []),
      says: 'deploy a release of refund that is known to be good yourself',
    },
    {
      what: 'no such target',
      given: () => (site.plan = planWith({ target: 'elsewhere' })),
      says: 'add extensions::rollback::targets::elsewhere, or correct the policy refund-agent; then ask again',
    },
  ])('when there is $what: what is missing', async ({ given, says }) => {
    given();
    const executor = site.executor();
    await ask(executor);
    expect(next(executor)).toContain(says);
  });

  test('when it was a dry run of a target that is not configured: that it could not be done', async () => {
    site.plan = planWith({ mode: 'dry_run', target: 'elsewhere' });
    const executor = site.executor();
    const outcome = await ask(executor);
    const id = 'id' in outcome ? outcome.id : '';
    expect(next(executor)).toBe(
      `nothing was done, and nothing could be: extensions::rollback::targets does not have elsewhere; say whether it was right: plimsoll rollback review ${id} --right|--wrong`,
    );
    site.plan = planWith({ mode: 'dry_run' });
    await ask(executor);
    expect(next(executor)).toMatch(/^nothing was done; say whether it was right/);
  });

  test('when a breaker is open: how it is closed', async () => {
    site.plan = planWith({ cooldownMs: 1, perDay: 1 });
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(minuteMs);
    site.target.release = 'v3';
    await ask(executor, { release: 'v3' });
    expect(next(executor)).toContain('plimsoll rollback close-breaker refunds');
  });

  test('when a cap was reached by what a person asked for: to wait, for no breaker is open', async () => {
    site.plan = planWith({ cooldownMs: 1, perDay: 1 });
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(minuteMs);
    site.target.release = 'v3';
    await ask(executor, { ...byAna, release: 'v3' });
    expect(next(executor)).toBe('ask again when fewer were done in that time');
  });

  test('when another one of the same release came after it: which, and how it is', async () => {
    site.destinations = [];
    const executor = site.executor();
    await ask(executor);
    site.destinations = [{ release: 'v1', why: 'passed' }];
    await ask(executor);
    const [before, after] = executor.status(undefined).attempts;
    expect(before?.next).toBe(`${after?.id} came after it, and is done`);
  });
});
